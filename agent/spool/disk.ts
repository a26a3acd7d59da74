/**
 * The system calls of the spool's log, as an interface with Node's as its implementation. Tests
 * replace it with a disk that fails, the simulation with a simulated one.
 */
import {
  closeSync,
  fdatasync,
  fdatasyncSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  statSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";

/** Every call throws the system's error, except `sync`, which passes it to `done`. */
export type SpoolDisk = {
  /**
   * Creates the folder, mode 0700, if it is missing. Returns its files with their sizes in bytes.
   */
  list(folder: string): { name: string; size: number }[];
  /** Creates a file for appending, mode 0600. Returns its descriptor. */
  create(path: string): number;
  /** Appends all of the text. If it throws, a part of the text may have been written. */
  append(fd: number, text: string): void;
  truncate(fd: number, size: number): void;
  /** Makes appended data survive a power cut. */
  sync(fd: number, done: (error: Error | null) => void): void;
  syncNow(fd: number): void;
  /** Makes the names of new files survive a power cut, on systems that support it. */
  syncFolder(folder: string): void;
  openToRead(path: string): number;
  /** Returns the number of bytes read; 0 at the end of the file. */
  read(fd: number, into: Uint8Array, at: number): number;
  /** Opens a file to write into it, at any offset. Returns its descriptor. */
  openToChange(path: string): number;
  /** Writes all of the bytes at that offset. */
  overwrite(fd: number, bytes: Uint8Array, at: number): void;
  close(fd: number): void;
  unlink(path: string): void;
};

export const NODE_DISK: SpoolDisk = {
  list(folder) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    return readdirSync(folder).map((name) => ({ name, size: statSync(join(folder, name)).size }));
  },
  create: (path) => openSync(path, "ax", 0o600),
  append(fd, text) {
    const bytes = Buffer.from(text);
    for (let written = 0; written < bytes.length; ) written += writeSync(fd, bytes, written);
  },
  truncate: ftruncateSync,
  sync: fdatasync,
  syncNow: fdatasyncSync,
  syncFolder(folder) {
    try {
      const fd = openSync(folder, "r");
      try {
        fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
    } catch {
      // Windows cannot open a folder; it syncs the name by itself.
    }
  },
  openToRead: (path) => openSync(path, "r"),
  read: (fd, into, at) => readSync(fd, into, 0, into.length, at),
  openToChange: (path) => openSync(path, "r+"),
  overwrite(fd, bytes, at) {
    for (let written = 0; written < bytes.length; )
      written += writeSync(fd, bytes, written, bytes.length - written, at + written);
  },
  close: closeSync,
  unlink: unlinkSync,
};

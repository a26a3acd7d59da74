/** The system calls of the spool's log: Node's. Another disk can stand in their place: one that fails, or a simulated one. */
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

/** All but {@link sync} throw the system's error. */
export type SpoolDisk = {
  /** Makes the folder, mode 0700, if there is none. @returns its files, and their bytes */
  list(folder: string): { name: string; size: number }[];
  /** A new file to append to, mode 0600. @returns its descriptor */
  create(path: string): number;
  /** Writes all of it at the end, or throws: then a part of it may be there. */
  append(fd: number, text: string): void;
  truncate(fd: number, size: number): void;
  /** Makes what was appended survive a power cut. */
  sync(fd: number, done: (error: Error | null) => void): void;
  syncNow(fd: number): void;
  /** Makes the names of new files survive a power cut, where the system can. */
  syncFolder(folder: string): void;
  openToRead(path: string): number;
  /** @returns how many bytes were read; 0 at the end */
  read(fd: number, into: Uint8Array, at: number): number;
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
      // Windows opens no folders; there the name is synced in time.
    }
  },
  openToRead: (path) => openSync(path, "r"),
  read: (fd, into, at) => readSync(fd, into, 0, into.length, at),
  close: closeSync,
  unlink: unlinkSync,
};

/** A simulated disk: it fills up, and a power cut may lose unsynced bytes. */
import { basename } from "node:path";
import type { After } from "../../agent/clock/timers.ts";
import type { SpoolDisk } from "../../agent/spool/disk.ts";
import type { Chance } from "./chance.ts";

type File = { bytes: Buffer; size: number; syncedBytes: number };

export class SimulatedDisk {
  isFull = false;
  readonly #files = new Map<string, File>();
  readonly #chance: Chance;
  #open = new Map<number, { path: string; file: File }>();
  #nextFd = 3;
  /** Deleted, but not yet durably. */
  #deleted = new Map<string, File>();

  constructor(chance: Chance) {
    this.#chance = chance;
  }

  /**
   * Returns the disk as one process uses it.
   * @param after  timers of that process, which end with it
   */
  of(after: After): SpoolDisk {
    return {
      list: () => [...this.#files].map(([path, { size }]) => ({ name: basename(path), size })),
      create: (path) => {
        if (this.#files.has(path)) throw new Error(`EEXIST: ${path}`);
        if (this.isFull && this.#chance.isLikely(0.5)) throw new Error("ENOSPC");
        const file = { bytes: Buffer.alloc(0), size: 0, syncedBytes: 0 };
        this.#files.set(path, file);
        return this.#openFile(path, file);
      },
      append: (fd, text) => {
        const { file } = this.#at(fd);
        const bytes = Buffer.from(text);
        const taken = this.isFull
          ? bytes.subarray(0, this.#chance.whole(0, bytes.length - 1))
          : bytes;
        if (file.size + taken.length > file.bytes.length) {
          const grown = Buffer.alloc(2 * (file.size + taken.length));
          file.bytes.copy(grown, 0, 0, file.size);
          file.bytes = grown;
        }
        taken.copy(file.bytes, file.size);
        file.size += taken.length;
        if (this.isFull) throw new Error("ENOSPC");
      },
      truncate: (fd, size) => {
        if (this.#chance.isLikely(0.1)) throw new Error("EIO");
        const { file } = this.#at(fd);
        file.size = size;
        file.syncedBytes = Math.min(file.syncedBytes, size);
      },
      sync: (fd, done) => {
        const { file } = this.#at(fd);
        const { size } = file;
        after(this.#chance.between(1, 30), () => {
          const isFailed = this.isFull && this.#chance.isLikely(0.2);
          if (!isFailed) file.syncedBytes = Math.max(file.syncedBytes, Math.min(size, file.size));
          done(isFailed ? new Error("EIO") : null);
        });
      },
      syncNow: (fd) => {
        const { file } = this.#at(fd);
        file.syncedBytes = file.size;
      },
      syncFolder: () => this.#deleted.clear(),
      openToRead: (path) => {
        const file = this.#files.get(path);
        if (file === undefined) throw new Error(`ENOENT: ${path}`);
        return this.#openFile(path, file);
      },
      read: (fd, into, at) => {
        const { file } = this.#at(fd);
        const end = Math.min(file.size, at + into.length);
        return end <= at ? 0 : file.bytes.copy(into, 0, at, end);
      },
      openToChange: (path) => {
        const file = this.#files.get(path);
        if (file === undefined) throw new Error(`ENOENT: ${path}`);
        return this.#openFile(path, file);
      },
      overwrite: (fd, bytes, at) => {
        if (this.#chance.isLikely(0.05)) throw new Error("EIO");
        this.#at(fd).file.bytes.set(bytes, at);
      },
      close: (fd) => void this.#open.delete(fd),
      unlink: (path) => {
        const file = this.#files.get(path);
        if (file === undefined) throw new Error(`ENOENT: ${path}`);
        this.#deleted.set(path, file);
        this.#files.delete(path);
      },
    };
  }

  /** Ends the process. Its writes are with the kernel. */
  killed(): void {
    this.#open = new Map();
  }

  /** Cuts the power. Some of the unsynced bytes are kept. */
  powerCut(): void {
    this.killed();
    for (const file of this.#files.values()) {
      file.size = this.#chance.whole(Math.min(file.syncedBytes, file.size), file.size);
      file.syncedBytes = file.size;
    }
    for (const [path, file] of this.#deleted)
      if (this.#chance.isLikely(0.5) && !this.#files.has(path)) this.#files.set(path, file);
    this.#deleted.clear();
  }

  /** Deletes the folder. */
  wipe(): void {
    this.killed();
    this.#files.clear();
    this.#deleted.clear();
  }

  #openFile(path: string, file: File): number {
    this.#open.set(this.#nextFd, { path, file });
    return this.#nextFd++;
  }

  #at(fd: number): { path: string; file: File } {
    const open = this.#open.get(fd);
    if (open === undefined) throw new Error(`EBADF: ${fd}`);
    return open;
  }
}

/**
 * The spool's log on disk: numbered segment files, appended to, read by offset, deleted whole.
 *
 * A run of the agent never appends to a segment of an earlier run. A line torn by a crash therefore
 * stays at the end of its file, where readers stop. Only bytes below `size` are ever read.
 */
import { join } from "node:path";
import type { SpoolDisk } from "./disk.ts";

/** A segment is closed before it grows beyond this. Disk space is freed in units of this size. */
const SEGMENT_BYTES_MAX = 4 * 1024 * 1024;

const READ_BYTES = 256 * 1024;

export type SpoolSegment = {
  number: number;
  path: string;
  /** Bytes of complete lines; for the segments of earlier runs, the file's size at start-up. */
  size: number;
  /** Highest position of a finished request in it; 0 if it has none. */
  lastPosition: number;
};

/** The place of a line. */
export type SpoolPlace = { segment: SpoolSegment; offset: number };

export type StoredLine = SpoolPlace & {
  text: string;
  /** Offset of the next line. */
  next: number;
};

export class SegmentFiles {
  readonly #folder: string;
  readonly #disk: SpoolDisk;
  readonly #segments: SpoolSegment[];
  #fd: number | null = null;
  #lastNumber: number;
  /** Appended to since the last sync began. */
  #isDirty = false;
  #syncing: Promise<void> | null = null;
  /** Descriptors that a sync in progress still needs. */
  #closing: number[] = [];

  /**
   * Creates the folder with mode 0700, because its files contain prompts.
   * @throws the system's error if it cannot be created or read
   */
  constructor(folder: string, disk: SpoolDisk) {
    this.#folder = folder;
    this.#disk = disk;
    this.#segments = disk
      .list(folder)
      .filter(({ name }) => /^\d{6,}\.log$/.test(name))
      .map(({ name, size }) => ({
        number: Number.parseInt(name, 10),
        path: join(folder, name),
        size,
        lastPosition: 0,
      }))
      .sort((a, b) => a.number - b.number);
    this.#lastNumber = this.#segments.at(-1)?.number ?? 0;
  }

  /** Oldest first. */
  get segments(): readonly SpoolSegment[] {
    return this.#segments;
  }

  /** The segment being written; null before the first write. */
  get current(): SpoolSegment | null {
    return this.#fd === null ? null : (this.#segments.at(-1) ?? null);
  }

  /**
   * Writes synchronously. Once it returns, the text survives SIGKILL; after the next {@link sync}
   * it also survives a power cut.
   * @throws the system's error; no part of `text` is read back then
   */
  append(text: string): SpoolPlace {
    const bytes = Buffer.byteLength(text);
    const current = this.current;
    const segment =
      current !== null && (current.size === 0 || current.size + bytes <= SEGMENT_BYTES_MAX)
        ? current
        : this.#rotate();
    const fd = this.#fd;
    if (fd === null) throw new Error("no segment is open");
    try {
      this.#disk.append(fd, text);
    } catch (error) {
      this.#mend(fd, segment);
      throw error;
    }
    const offset = segment.size;
    segment.size += bytes;
    this.#isDirty = true;
    return { segment, offset };
  }

  /** @throws the system's error if the file is missing or unreadable */
  *lines(segment: SpoolSegment, from = 0): Generator<StoredLine> {
    const fd = this.#disk.openToRead(segment.path);
    try {
      let rest = Buffer.alloc(0);
      let read = from;
      while (read < segment.size) {
        const chunk = Buffer.allocUnsafe(Math.min(READ_BYTES, segment.size - read));
        const bytes = this.#disk.read(fd, chunk, read);
        if (bytes === 0) return;
        const data = Buffer.concat([rest, chunk.subarray(0, bytes)]);
        const base = read - rest.length;
        read += bytes;
        let start = 0;
        for (let end = data.indexOf(0x0a); end >= 0; end = data.indexOf(0x0a, start)) {
          yield {
            segment,
            offset: base + start,
            text: data.toString("utf8", start, end),
            next: base + end + 1,
          };
          start = end + 1;
        }
        rest = data.subarray(start);
      }
    } finally {
      this.#disk.close(fd);
    }
  }

  /** Removes a segment from the list. Its file stays until {@link erase}. */
  forget(segment: SpoolSegment): void {
    if (segment === this.current) this.close();
    this.#segments.splice(this.#segments.indexOf(segment), 1);
  }

  /**
   * Writes these lines over those at their offsets, which have the same length.
   * @throws the system's error
   */
  overwrite(segment: SpoolSegment, lines: readonly StoredLine[]): void {
    if (lines.length === 0) return;
    const fd = this.#disk.openToChange(segment.path);
    try {
      for (const { text, offset } of lines) this.#disk.overwrite(fd, Buffer.from(text), offset);
    } finally {
      this.#disk.close(fd);
    }
    this.#isDirty = true;
  }

  /**
   * Deletes a file after all of it is overwritten, because it contains prompts.
   * @throws the system's error if it cannot be deleted
   */
  async erase({ path, size }: SpoolSegment): Promise<void> {
    const fd = this.#zero(path, size);
    if (fd !== null) {
      await new Promise<void>((resolve) => this.#disk.sync(fd, () => resolve()));
      this.#disk.close(fd);
    }
    this.#disk.unlink(path);
  }

  /** Like {@link erase}, but returns when it is done. */
  eraseNow({ path, size }: SpoolSegment): void {
    const fd = this.#zero(path, size);
    if (fd !== null) {
      this.#disk.syncNow(fd);
      this.#disk.close(fd);
    }
    this.#disk.unlink(path);
  }

  /** Flushes everything appended before the call to the disk. Rejects with the system's error. */
  async sync(): Promise<void> {
    while (this.#syncing !== null) await this.#syncing;
    const fd = this.#fd;
    if (fd === null || !this.#isDirty) return;
    this.#isDirty = false;
    const done = new Promise<void>((resolve, reject) =>
      this.#disk.sync(fd, (error) => (error === null ? resolve() : reject(error))),
    );
    // A failed sync also ends the wait of the next caller.
    this.#syncing = done
      .catch(() => undefined)
      .finally(() => {
        this.#syncing = null;
        for (const waiting of this.#closing.splice(0)) this.#disk.close(waiting);
      });
    await done;
  }

  /**
   * Syncs and closes the current segment.
   * @throws the system's error if the sync fails; the file is closed anyway
   */
  close(): void {
    const fd = this.#fd;
    this.#fd = null;
    if (fd === null) return;
    try {
      this.#disk.syncNow(fd);
    } finally {
      this.#release(fd);
    }
  }

  /** Returns the descriptor of the zeroed file; null if it cannot be changed, only deleted. */
  #zero(path: string, size: number): number | null {
    try {
      const fd = this.#disk.openToChange(path);
      const zeros = Buffer.alloc(READ_BYTES);
      for (let at = 0; at < size; at += zeros.length)
        this.#disk.overwrite(fd, zeros.subarray(0, Math.min(zeros.length, size - at)), at);
      return fd;
    } catch {
      return null;
    }
  }

  #release(fd: number): void {
    if (this.#syncing === null) this.#disk.close(fd);
    else this.#closing.push(fd);
  }

  #rotate(): SpoolSegment {
    this.close();
    const number = this.#lastNumber + 1;
    const path = join(this.#folder, `${String(number).padStart(6, "0")}.log`);
    this.#fd = this.#disk.create(path);
    this.#lastNumber = number;
    const segment: SpoolSegment = { number, path, size: 0, lastPosition: 0 };
    this.#segments.push(segment);
    this.#disk.syncFolder(this.#folder);
    return segment;
  }

  /**
   * Cleans up after a write that failed halfway: truncates the torn line, or abandons the file with
   * the torn line at its end.
   */
  #mend(fd: number, segment: SpoolSegment): void {
    try {
      this.#disk.truncate(fd, segment.size);
    } catch {
      this.#fd = null;
      this.#release(fd);
    }
  }
}

/**
 * The spool's log on disk: numbered segment files, appended to, read by offset, deleted whole.
 *
 * A run of the agent never appends to a segment of an earlier one: what a crash tore stays
 * at the end of its file, where readers stop. Only bytes below `size` are ever read.
 */
import { join } from "node:path";
import type { SpoolDisk } from "./disk.ts";

/** A segment is closed before it grows beyond this; the unit in which the disk is given back. */
const SEGMENT_BYTES_MAX = 4 * 1024 * 1024;

const READ_BYTES = 256 * 1024;

export type SpoolSegment = {
  number: number;
  path: string;
  /** Bytes that are whole lines, or were when the agent started. */
  size: number;
  /** Highest position of a finished request in it; 0 when there is none. */
  lastPosition: number;
};

/** Where a line is. */
export type SpoolPlace = { segment: SpoolSegment; offset: number };

export type StoredLine = SpoolPlace & { text: string /** offset of the next line */; next: number };

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

  /** Creates the folder, mode 0700: its files hold prompts. @throws the system's error when it cannot be made or read. */
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

  /** The segment that is written to, once something was. */
  get current(): SpoolSegment | null {
    return this.#fd === null ? null : (this.#segments.at(-1) ?? null);
  }

  /**
   * One synchronous write: what it returned from survives SIGKILL, and a power cut after the next {@link sync}.
   * @throws the system's error; then nothing of `text` will be read back.
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

  /** @throws the system's error when the file is gone or cannot be read. */
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

  /** Takes a segment out of the list; its file stays until {@link unlink}. */
  forget(segment: SpoolSegment): void {
    if (segment === this.current) this.close();
    this.#segments.splice(this.#segments.indexOf(segment), 1);
  }

  unlink(path: string): void {
    this.#disk.unlink(path);
  }

  /** Brings to the disk what was appended before the call. Rejects with the system's error. */
  async sync(): Promise<void> {
    while (this.#syncing !== null) await this.#syncing;
    const fd = this.#fd;
    if (fd === null || !this.#isDirty) return;
    this.#isDirty = false;
    const done = new Promise<void>((resolve, reject) =>
      this.#disk.sync(fd, (error) => (error === null ? resolve() : reject(error))),
    );
    // For those who wait for their turn, a failed turn is over too.
    this.#syncing = done
      .catch(() => undefined)
      .finally(() => {
        this.#syncing = null;
        for (const waiting of this.#closing.splice(0)) this.#disk.close(waiting);
      });
    await done;
  }

  /** Syncs and closes. @throws the system's error of the sync; it is closed all the same. */
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

  /** After a write that failed half way: takes the torn piece back, or leaves it at the end of a file that is not used any more. */
  #mend(fd: number, segment: SpoolSegment): void {
    try {
      this.#disk.truncate(fd, segment.size);
    } catch {
      this.#fd = null;
      this.#release(fd);
    }
  }
}

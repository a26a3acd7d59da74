/**
 * The spool's log on disk: numbered segment files, appended to, read by offset, deleted whole.
 *
 * A run of the agent never appends to a segment of an earlier one: what a crash tore stays
 * at the end of its file, where readers stop. Only bytes below `size` are ever read.
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

/** A segment is closed before it grows beyond this; the unit in which the disk is given back. */
const SEGMENT_BYTES_MAX = 4 * 1024 * 1024;

const READ_BYTES = 256 * 1024;

export type Segment = {
  number: number;
  path: string;
  /** Bytes that are whole lines, or were when the agent started. */
  size: number;
  /** Highest position of a finished request in it; 0 when there is none. */
  lastPosition: number;
};

/** Where a line is. */
export type Place = { segment: Segment; offset: number };

export type StoredLine = Place & { text: string /** offset of the next line */; next: number };

/** Writes all of `text` at the end of the file, or throws. Replaced in tests by one that fails. */
export type Append = (fd: number, text: string) => void;

export class SegmentFiles {
  readonly #folder: string;
  readonly #append: Append;
  readonly #segments: Segment[];
  #fd: number | null = null;
  #lastNumber: number;
  /** Appended to since the last sync began. */
  #isDirty = false;
  #syncing: Promise<void> | null = null;
  /** Descriptors that a sync in progress still needs. */
  #closing: number[] = [];

  /** Creates the folder, mode 0700: its files hold prompts. @throws the system's error when it cannot be made or read. */
  constructor(folder: string, append: Append = appendAll) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.#folder = folder;
    this.#append = append;
    this.#segments = readdirSync(folder)
      .filter((name) => /^\d{6,}\.log$/.test(name))
      .map((name) => ({
        number: Number.parseInt(name, 10),
        path: join(folder, name),
        size: statSync(join(folder, name)).size,
        lastPosition: 0,
      }))
      .sort((a, b) => a.number - b.number);
    this.#lastNumber = this.#segments.at(-1)?.number ?? 0;
  }

  /** Oldest first. */
  get segments(): readonly Segment[] {
    return this.#segments;
  }

  /** The segment that is written to, once something was. */
  get current(): Segment | null {
    return this.#fd === null ? null : (this.#segments.at(-1) ?? null);
  }

  /**
   * One synchronous write: what it returned from survives SIGKILL, and a power cut after the next {@link sync}.
   * @throws the system's error; then nothing of `text` will be read back.
   */
  append(text: string): Place {
    const bytes = Buffer.byteLength(text);
    const current = this.current;
    const segment = current !== null && (current.size === 0 || current.size + bytes <= SEGMENT_BYTES_MAX) ? current : this.#rotate();
    const fd = this.#fd;
    if (fd === null) throw new Error("no segment is open");
    try {
      this.#append(fd, text);
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
  *lines(segment: Segment, from = 0): Generator<StoredLine> {
    const fd = openSync(segment.path, "r");
    try {
      let rest = Buffer.alloc(0);
      let read = from;
      while (read < segment.size) {
        const chunk = Buffer.allocUnsafe(Math.min(READ_BYTES, segment.size - read));
        const bytes = readSync(fd, chunk, 0, chunk.length, read);
        if (bytes === 0) return;
        const data = Buffer.concat([rest, chunk.subarray(0, bytes)]);
        const base = read - rest.length;
        read += bytes;
        let start = 0;
        for (let end = data.indexOf(0x0a); end >= 0; end = data.indexOf(0x0a, start)) {
          yield { segment, offset: base + start, text: data.toString("utf8", start, end), next: base + end + 1 };
          start = end + 1;
        }
        rest = data.subarray(start);
      }
    } finally {
      closeSync(fd);
    }
  }

  /** Takes a segment out of the list; its file stays until {@link unlink}. */
  forget(segment: Segment): void {
    if (segment === this.current) this.close();
    this.#segments.splice(this.#segments.indexOf(segment), 1);
  }

  unlink(path: string): void {
    unlinkSync(path);
  }

  /** Brings to the disk what was appended before the call. Rejects with the system's error. */
  async sync(): Promise<void> {
    while (this.#syncing !== null) await this.#syncing;
    const fd = this.#fd;
    if (fd === null || !this.#isDirty) return;
    this.#isDirty = false;
    const done = new Promise<void>((resolve, reject) => fdatasync(fd, (error) => (error === null ? resolve() : reject(error))));
    // For those who wait for their turn, a failed turn is over too.
    this.#syncing = done
      .catch(() => undefined)
      .finally(() => {
        this.#syncing = null;
        for (const waiting of this.#closing.splice(0)) closeSync(waiting);
      });
    await done;
  }

  /** Syncs and closes. @throws the system's error of the sync; it is closed all the same. */
  close(): void {
    const fd = this.#fd;
    this.#fd = null;
    if (fd === null) return;
    try {
      fdatasyncSync(fd);
    } finally {
      this.#release(fd);
    }
  }

  #release(fd: number): void {
    if (this.#syncing === null) closeSync(fd);
    else this.#closing.push(fd);
  }

  #rotate(): Segment {
    this.close();
    const number = this.#lastNumber + 1;
    const path = join(this.#folder, `${String(number).padStart(6, "0")}.log`);
    this.#fd = openSync(path, "ax", 0o600);
    this.#lastNumber = number;
    const segment: Segment = { number, path, size: 0, lastPosition: 0 };
    this.#segments.push(segment);
    syncFolder(this.#folder);
    return segment;
  }

  /** After a write that failed half way: takes the torn piece back, or leaves it at the end of a file that is not used any more. */
  #mend(fd: number, segment: Segment): void {
    try {
      ftruncateSync(fd, segment.size);
    } catch {
      this.#fd = null;
      this.#release(fd);
    }
  }
}

function appendAll(fd: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let written = 0; written < bytes.length; ) written += writeSync(fd, bytes, written);
}

/** The name of a new file survives a power cut only when its folder was synced. Some systems cannot; there the name is synced in time. */
function syncFolder(folder: string): void {
  try {
    const fd = openSync(folder, "r");
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  } catch {
    // Windows opens no folders.
  }
}

/**
 * The opening lines of requests that have not ended. Each is on the disk, or only in the backlog
 * while the disk fails. Memory holds one offset per request; a line is read when it is needed.
 */
import type { Log } from "../log.ts";
import type { SpoolBacklog } from "./backlog.ts";
import { type OpenLine, parseLine } from "./lines.ts";
import type { SegmentFiles, SpoolPlace, SpoolSegment, StoredLine } from "./segments.ts";
import type { SpoolWriter } from "./writer.ts";

export class OpenLines {
  /** Null while only the backlog has the line. */
  readonly #places: Map<string, SpoolPlace | null>;
  readonly #files: SegmentFiles;
  readonly #backlog: SpoolBacklog;
  readonly #writer: SpoolWriter;
  readonly #log: Log;

  constructor(
    found: Map<string, SpoolPlace | null>,
    files: SegmentFiles,
    backlog: SpoolBacklog,
    writer: SpoolWriter,
    log: Log,
  ) {
    this.#places = found;
    this.#files = files;
    this.#backlog = backlog;
    this.#writer = writer;
    this.#log = log;
  }

  get ids(): string[] {
    return [...this.#places.keys()];
  }

  has(id: string): boolean {
    return this.#places.has(id);
  }

  add(id: string, text: string): void {
    const place = this.#writer.write(text);
    this.#places.set(id, place);
    if (place === null) this.#backlog.opens.set(id, text);
  }

  /** The disk has a line that only the backlog had. */
  written(id: string, place: SpoolPlace): void {
    this.#places.set(id, place);
  }

  delete(id: string): void {
    this.#places.delete(id);
    this.#backlog.opens.delete(id);
  }

  /** Reads the line of a request; null if it cannot be read. */
  get(id: string): OpenLine | null {
    const text = this.#backlog.opens.get(id) ?? this.#textAt(this.#places.get(id) ?? null);
    const line = text === null ? null : parseLine(text);
    return line?.t === "open" ? line : null;
  }

  /** Moves the lines in this segment to the current one. Returns false if the disk fails. */
  moveFrom(segment: SpoolSegment): boolean {
    const moving = new Map<number, string>();
    for (const [id, place] of this.#places)
      if (place?.segment === segment) moving.set(place.offset, id);
    // A segment can have thousands of them, so it is read once.
    for (const { text, offset } of moving.size === 0 ? [] : this.#linesOf(segment)) {
      const id = moving.get(offset);
      if (id === undefined) continue;
      const moved = this.#writer.write(`${text}\n`);
      if (moved === null) return false;
      this.#places.set(id, moved);
      moving.delete(offset);
    }
    return moving.size === 0;
  }

  #textAt(place: SpoolPlace | null): string | null {
    if (place === null) return null;
    for (const { text } of this.#linesOf(place.segment, place.offset)) return text;
    return null;
  }

  /** The lines of a segment, up to the first that cannot be read. */
  *#linesOf(segment: SpoolSegment, from?: number): Generator<StoredLine> {
    try {
      yield* this.#files.lines(segment, from);
    } catch (error) {
      this.#log("error", "spool_unreadable", { error });
    }
  }
}

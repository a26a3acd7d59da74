/**
 * Overwrites the lines of delivered requests where they stand, because they contain prompts.
 *
 * A segment is deleted only when all of it is delivered, which may take days on a quiet box. Each
 * line keeps its length, so all offsets stay valid, and keeps its id, so no request is served twice.
 * A file system that copies on write, and a disk that moves its blocks, may keep old bytes anyway.
 */
import type { After } from "../clock/timers.ts";
import type { Log } from "../log.ts";
import { goneLineOf, type LineHead, lineHeadOf } from "./lines.ts";
import type { SegmentFiles, SpoolSegment, StoredLine } from "./segments.ts";

/** Time that a delivered text may stay on the disk: one pass serves all records of that time. */
const SCRUB_MS = 1_000;

export type ScrubberShell = {
  log: Log;
  after: After;
  /** Returns the highest confirmed position. */
  confirmed(): number;
  /** Returns whether the record of that request is confirmed. */
  isConfirmed(id: string): boolean;
};

/** A line of a request whose record is not confirmed yet. */
type Left = { line: StoredLine; head: LineHead };

export class SpoolScrubber {
  readonly #files: SegmentFiles;
  readonly #shell: ScrubberShell;
  /** Everything before it is scrubbed, except {@link #left}. */
  #cursor = { segmentNumber: 0, offset: 0 };
  #left: Left[] = [];
  #cancel: (() => void) | null = null;

  constructor(files: SegmentFiles, shell: ScrubberShell) {
    this.#files = files;
    this.#shell = shell;
  }

  schedule(): void {
    this.#cancel ??= this.#shell.after(SCRUB_MS, () => {
      this.#cancel = null;
      this.#scrub();
    });
  }

  /** Scrubs what is delivered so far. */
  close(): void {
    this.#cancel?.();
    this.#cancel = null;
    this.#scrub();
  }

  #scrub(): void {
    const left = this.#left;
    this.#left = [];
    for (const segment of [...this.#files.segments]) {
      const lines: StoredLine[] = [];
      const take = (line: StoredLine, head: LineHead) => {
        // Its text is not needed, and there may be much of it.
        if (!this.#shell.isConfirmed(head.id))
          this.#left.push({ line: { ...line, text: "" }, head });
        else lines.push({ ...line, text: goneLineOf(head, line.next - line.offset) });
      };
      try {
        for (const { line, head } of left) if (line.segment === segment) take(line, head);
        this.#pass(segment, take);
        this.#files.overwrite(segment, lines);
      } catch (error) {
        this.#shell.log("warn", "spool_not_scrubbed", { path: segment.path, error });
      }
    }
  }

  /** Takes the lines of a segment from the cursor up to the first unconfirmed record. */
  #pass(segment: SpoolSegment, take: (line: StoredLine, head: LineHead) => void): void {
    const { segmentNumber, offset } = this.#cursor;
    if (segment.number < segmentNumber) return;
    const from = segment.number === segmentNumber ? offset : 0;
    for (const line of this.#files.lines(segment, from)) {
      const head = lineHeadOf(line.text);
      if (head?.position != null && head.position > this.#shell.confirmed()) return;
      if (head !== null) take(line, head);
      this.#cursor = { segmentNumber: segment.number, offset: line.next };
    }
  }
}

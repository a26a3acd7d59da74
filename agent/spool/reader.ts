/**
 * Reads finished requests back for sending: first those on the disk, then those in the backlog.
 * Positions rise in that order, so each record is visited once.
 */
import { FRAME_BYTES_MAX } from "../../protocol/limits.ts";
import type { Records } from "../../protocol/messages.ts";
import type { ReportedRecord } from "../../protocol/records.ts";
import type { SpoolBacklog } from "./backlog.ts";
import { isDoneLine, parseLine } from "./lines.ts";
import type { SegmentFiles, SpoolSegment } from "./segments.ts";

/** Room for the frame around the records. A single record is always smaller than this. */
const BATCH_BYTES_MAX = FRAME_BYTES_MAX - 1_024;

/** Where reading starts: just after the confirmed records. */
type Cursor = { segmentNumber: number; offset: number };

/** The last batch returned, so that its confirmation does not need to read it again. */
type Batch = { position: number; count: number; end: Cursor };

export class SpoolReader {
  readonly #files: SegmentFiles;
  readonly #backlog: SpoolBacklog;
  readonly #onUnreadable: (segment: SpoolSegment, error: unknown) => void;
  #cursor: Cursor = { segmentNumber: 0, offset: 0 };
  #batch: Batch | null = null;

  /** @param onUnreadable  must remove the segment from the files */
  constructor(
    files: SegmentFiles,
    backlog: SpoolBacklog,
    onUnreadable: (segment: SpoolSegment, error: unknown) => void,
  ) {
    this.#files = files;
    this.#backlog = backlog;
    this.#onUnreadable = onUnreadable;
  }

  /**
   * Returns the oldest records after `confirmed`, up to the first that is not ready: as many as fit
   * into one frame, at most `max`.
   */
  next(max: number, confirmed: number, isReady: (requestId: string) => boolean): Records | null {
    const records: ReportedRecord[] = [];
    let [bytes, position, end] = [0, confirmed, this.#cursor];
    const take = (text: string): boolean => {
      const line = parseLine(text);
      if (line?.t !== "done" || line.position <= position) return true;
      if (!isReady(line.record.request_id)) return false;
      bytes += Buffer.byteLength(text) + 1;
      if (records.length > 0 && (bytes > BATCH_BYTES_MAX || records.length >= max)) return false;
      records.push(line.record);
      position = line.position;
      return true;
    };
    this.#visit((text, next) => {
      const isTaken = take(text);
      if (isTaken && next !== null) end = next;
      return isTaken;
    });
    if (records.length === 0) return null;
    this.#batch = { position, count: records.length, end };
    return { position, records };
  }

  /** Moves the cursor to `position`. Returns the number of records it passed. */
  pass(confirmed: number, position: number): number {
    const batch = this.#batch?.position === position ? this.#batch : null;
    const count = batch?.count ?? this.count(confirmed, position);
    if (batch !== null) this.#cursor = batch.end;
    this.#batch = null;
    return count;
  }

  /** Counts the records after `confirmed`, up to and including `position`. Reads all of them. */
  count(confirmed: number, position: number): number {
    let [count, last] = [0, confirmed];
    this.#visit((text) => {
      const line = parseLine(text);
      if (line?.t !== "done" || line.position <= last) return true;
      last = line.position;
      if (last <= position) count += 1;
      return last < position;
    });
    return count;
  }

  /** Forgets the last batch, because the waiting records have changed. */
  forgetBatch(): void {
    this.#batch = null;
  }

  /**
   * Visits lines of finished requests until `visit` returns false. `next` is the cursor just after
   * the line, or null for a line in the backlog.
   */
  #visit(visit: (text: string, next: Cursor | null) => boolean): void {
    const { segmentNumber, offset } = this.#cursor;
    for (const segment of [...this.#files.segments]) {
      if (segment.number < segmentNumber) continue;
      try {
        for (const line of this.#files.lines(
          segment,
          segment.number === segmentNumber ? offset : 0,
        )) {
          if (
            isDoneLine(line.text) &&
            !visit(line.text, { segmentNumber: segment.number, offset: line.next })
          )
            return;
        }
      } catch (error) {
        this.#onUnreadable(segment, error);
      }
    }
    this.#backlog.records.every(({ line }) => visit(line, null));
  }
}

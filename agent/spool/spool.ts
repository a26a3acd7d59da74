/**
 * The spool: a write-ahead log of requests. Every request that reached this agent ends in exactly
 * one record, whatever process is killed and whenever.
 *
 * A request is written before it is sent to Ollama, and again, as a record, when it ends. A request
 * found open at start-up belongs to an agent that was killed; it becomes an error record with the
 * state that was noted in the last {@link NOTE_EVERY_MS} before. Records leave oldest first and are kept until the
 * edge has them in its ledger. They may be sent twice: the edge recognises a record by its request
 * id.
 *
 * Losses, by cause:
 * - SIGKILL or a crash of the agent: none. Each line is in the kernel before the call returns.
 * - A power cut or a crash of the machine: the lines of the last sync interval (see writer.ts), and
 *   those written while the disk was syncing.
 * - A full or failing disk: none at first. Records wait in memory (see backlog.ts), still go to the
 *   edge, and are written when the disk works again. Beyond the backlog's bound the oldest are
 *   lost, and all of them if the agent is killed meanwhile. `lost` counts the known losses.
 *
 * Memory holds ids and one offset per open request. Waiting records stay on the disk.
 */
import type { Records } from "../../protocol/messages.ts";
import { ReportedRecord } from "../../protocol/records.ts";
import { type After, after } from "../clock/timers.ts";
import type { Log } from "../log.ts";
import { type Redact, redactedTexts } from "../redact/redaction.ts";
import { SpoolBacklog } from "./backlog.ts";
import { NODE_DISK, type SpoolDisk } from "./disk.ts";
import type { SpoolIds } from "./ids.ts";
import {
  interruptedRecord,
  lineOf,
  type NotedRequest,
  openFactsOf,
  type SpoolEntry,
} from "./lines.ts";
import { NotedTexts } from "./noted-texts.ts";
import { OpenLines } from "./open-lines.ts";
import { SpoolReader } from "./reader.ts";
import { type Replay, replay } from "./replay.ts";
import { SpoolScrubber } from "./scrubber.ts";
import { SegmentFiles, type SpoolSegment } from "./segments.ts";
import { SpoolWriter } from "./writer.ts";

const STOPPED = "the agent stopped while it served this request";

export type SpoolOptions = {
  /**
   * Unix ms, from a clock that nobody can set: the difference between two of its times is the time
   * that passed.
   */
  now: () => number;
  log: Log;
  disk?: SpoolDisk;
  after?: After;
  redact?: Redact | null;
};

export class Spool {
  readonly #now: () => number;
  readonly #redact: Redact | null;
  readonly #log: Log;
  readonly #files: SegmentFiles;
  readonly #ids: SpoolIds;
  readonly #backlog = new SpoolBacklog();
  readonly #reader: SpoolReader;
  readonly #writer: SpoolWriter;
  readonly #scrubber: SpoolScrubber;
  readonly #texts = new NotedTexts();
  readonly #open: OpenLines;
  #confirmed: number;
  #lastPosition: number;
  #pending: number;
  #lost = 0;

  /**
   * Reads the log of earlier runs and closes the requests they left open.
   * @throws the system's error if the folder cannot be created or listed
   */
  static open(folder: string, options: SpoolOptions): Spool {
    const files = new SegmentFiles(folder, options.disk ?? NODE_DISK);
    return new Spool(files, replay(files), options);
  }

  private constructor(files: SegmentFiles, found: Replay, options: SpoolOptions) {
    const { now, log } = options;
    this.#now = now;
    this.#redact = options.redact ?? null;
    this.#log = log;
    this.#files = files;
    this.#reader = new SpoolReader(files, this.#backlog, (segment, error) =>
      this.#setAside(segment, error),
    );
    this.#writer = new SpoolWriter(files, this.#backlog, {
      now,
      log,
      after: options.after ?? after,
      onOpenWritten: (id, place) => this.#open.written(id, place),
      onDiskBack: () => log("info", "spool_disk_back", { lost: this.#lost }),
    });
    this.#ids = found.ids;
    this.#scrubber = new SpoolScrubber(files, {
      log,
      after: options.after ?? after,
      confirmed: () => this.#confirmed,
      isConfirmed: (id) => this.#ids.isConfirmed(id, this.#confirmed),
    });
    this.#open = new OpenLines(found.open, files, this.#backlog, this.#writer, log);
    this.#confirmed = found.confirmed;
    this.#pending = found.pending;
    // Positions start at the wall clock. A late confirmation, of records that a power cut removed
    // from the log or of a folder that was wiped, must not cover records of this run.
    this.#lastPosition = Math.max(found.lastPosition, found.confirmed, Math.floor(now()));
    for (const { path, error } of found.unreadable)
      log("error", "spool_segment_unreadable", { path, error });
    if (found.badLines > 0) log("warn", "spool_lines_skipped", { count: found.badLines });
    if (found.open.size > 0) log("warn", "spool_requests_broken", { count: found.open.size });
    for (const id of this.#open.ids)
      this.#finishInterrupted(id, STOPPED, found.lastAt, lastNoted(found, id));
    this.#deleteConfirmed();
  }

  /** Number of finished requests that the edge has not confirmed. */
  get pending(): number {
    return this.#pending;
  }

  /** True while something waits in memory for a failing disk. A kill would lose it. */
  get isBehind(): boolean {
    return !this.#backlog.isEmpty;
  }

  /** Records lost since the start: dropped while the disk failed, or unreadable on it. */
  get lost(): number {
    return this.#lost;
  }

  /**
   * Returns true if this spool has begun the request before, in this run or an earlier one. Such a
   * request must not be served again.
   */
  knows(requestId: string): boolean {
    return this.#ids.has(requestId);
  }

  /**
   * Writes the request to the log. Call it before sending the request to Ollama.
   * @returns false if the id is known: do not serve the request
   */
  begin(entry: SpoolEntry): boolean {
    const id = entry.request_id;
    if (this.#ids.has(id)) return false;
    const line = lineOf({ t: "open", at: this.#now(), begun: this.#redacted(openFactsOf(entry)) });
    this.#ids.begin(id, this.#confirmed);
    this.#open.add(id, line);
    return true;
  }

  /** Notes the state of open requests, in case this agent is killed. A disk that fails loses it. */
  note(noted: readonly NotedRequest[]): void {
    const open = noted.filter(({ request_id }) => this.#open.has(request_id));
    if (open.length === 0) return;
    const at = this.#now();
    const requests = open.map(({ response: _, ...progress }) => progress);
    this.#writer.write(lineOf({ t: "progress", at, requests }));
    for (const { request_id, response } of open) {
      // A growing text may end within something that is removed once it is complete.
      const text = this.#redact === null ? response : null;
      const part = text === null ? null : this.#texts.next(request_id, text);
      if (part !== null && this.#writer.write(lineOf({ t: "text", at, part })) === null)
        this.#texts.forget(request_id);
    }
  }

  /** Writes the record of a finished request. Only the first record of an id counts. */
  finish(record: ReportedRecord): void {
    const id = record.request_id;
    if (this.#ids.has(id) && !this.#open.has(id)) {
      this.#log("warn", "spool_finished_twice", { request_id: id });
      return;
    }
    const checked = ReportedRecord.safeParse(this.#redacted(record));
    if (checked.success) return this.#finish(checked.data);
    // A bug in this program. An unreadable line would leave the request without a record.
    const fields = checked.error.issues.map((issue) => issue.path.join(".")).join(", ");
    this.#log("error", "spool_record_refused", { request_id: id, fields });
    this.#finishInterrupted(
      id,
      `the agent created an invalid record; invalid fields: ${fields}`.slice(0, 500),
      this.#now(),
    );
  }

  /**
   * Returns the oldest unconfirmed records: as many as fit into one frame, at most `max`. Returns
   * the same ones again until they are confirmed.
   * @param isReady  the first record that is not ready ends the batch before it
   */
  next(max: number, isReady: (requestId: string) => boolean = () => true): Records | null {
    return this.#reader.next(max, this.#confirmed, isReady);
  }

  /** Marks everything up to this position as stored in the ledger, if it was ever sent. */
  confirm(position: number): void {
    if (position <= this.#confirmed) return;
    if (position > this.#lastPosition)
      return this.#log("warn", "spool_confirmation_unknown", { position });
    this.#pending = Math.max(0, this.#pending - this.#reader.pass(this.#confirmed, position));
    this.#confirmed = position;
    this.#backlog.confirm(position);
    this.#writer.noteConfirmed(position);
    this.#deleteConfirmed();
    this.#scrubber.schedule();
    this.#writer.scheduleSync();
  }

  /**
   * Writes and syncs everything that waits, then closes the files. Open requests stay open in the
   * log: the next run closes them.
   */
  close(): void {
    this.#scrubber.close();
    this.#writer.close();
  }

  #redacted<Some extends Partial<ReportedRecord>>(some: Some): Some {
    return this.#redact === null ? some : redactedTexts(some, this.#redact);
  }

  #finish(record: ReportedRecord): void {
    const id = record.request_id;
    const position = ++this.#lastPosition;
    const line = lineOf({ t: "done", at: this.#now(), position, record });
    this.#open.delete(id);
    this.#texts.forget(id);
    this.#ids.finish(id, position);
    this.#pending += 1;
    const place = this.#writer.write(line);
    if (place !== null) place.segment.lastPosition = position;
    else this.#keep(id, position, line);
  }

  #keep(id: string, position: number, line: string): void {
    const dropped = this.#writer.keep({ id, position, line });
    if (dropped === null) return;
    this.#lost += 1;
    this.#pending -= 1;
    this.#ids.settle(dropped.id);
    this.#reader.forgetBatch();
  }

  /** Closes a request of which only the beginning is known. */
  #finishInterrupted(
    id: string,
    message: string,
    endedAt: number,
    noted: NotedRequest | null = null,
  ): void {
    const line = this.#open.get(id);
    if (line !== null)
      return this.#finish(interruptedRecord(line.begun, message, endedAt - line.at, noted));
    this.#log("error", "spool_record_lost", { request_id: id });
    this.#lost += 1;
    this.#open.delete(id);
    this.#ids.settle(id);
  }

  /** Skips an unreadable file, so that later records get through. It stays for the next start. */
  #setAside(segment: SpoolSegment, error: unknown): void {
    this.#files.forget(segment);
    const readable = this.#reader.count(this.#confirmed, Number.POSITIVE_INFINITY);
    this.#log("error", "spool_segment_unreadable", {
      path: segment.path,
      error,
      lost: this.#pending - readable,
    });
    this.#lost += this.#pending - readable;
    this.#pending = readable;
    this.#reader.forgetBatch();
  }

  /** Deletes the oldest segments in which all is confirmed. Open requests move to the current one. */
  #deleteConfirmed(): void {
    for (const segment of [...this.#files.segments]) {
      if (segment === this.#files.current || segment.lastPosition > this.#confirmed) return;
      this.#writer.writeConfirmation();
      if (!this.#open.moveFrom(segment)) return;
      this.#writer.writeSettledIds(this.#ids.settledIds(this.#confirmed));
      this.#writer.discard(segment);
      this.#texts.clear();
    }
  }
}

/** Returns the last noted state and text of a request; null if no state was noted. */
function lastNoted({ progress, texts }: Replay, id: string): NotedRequest | null {
  const state = progress.get(id);
  return state === undefined ? null : { ...state, response: texts.get(id) ?? null };
}

/**
 * The spool: a write-ahead log of requests, so that each one that reached this agent ends in
 * exactly one record, whatever is killed.
 *
 * A request is written down before Ollama is asked and again, as a record, when it is over.
 * One that is found begun and not over belongs to an agent that was killed: it becomes an
 * error record. Records leave oldest first, and are kept until the edge has them in its
 * ledger; they may be sent twice, since the edge tells records by their request id.
 *
 * What is lost, and when:
 * - SIGKILL, a crash of the agent: nothing. Each line is in the kernel before the call returns.
 * - Power cut, crash of the machine: what was written in the last {@link SYNC_MS} and while
 *   the disk was syncing. Syncs are grouped, for a sync per request would cost more than the request.
 * - Disk full or failing: nothing at first. Records wait in memory (see spool-backlog.ts),
 *   still go to the edge, and go to the disk when it is back; past the bound the oldest are
 *   lost, and all of them if the agent is killed meanwhile. `lost` counts what is known to be lost.
 *
 * Memory holds ids and one offset per open request; records that wait are on the disk.
 */
import type { Records } from "../../protocol/messages.ts";
import { RequestRecord } from "../../protocol/records.ts";
import { type After, after } from "../clock/timers.ts";
import type { Log } from "../log.ts";
import { SpoolBacklog } from "./backlog.ts";
import { NODE_DISK, type SpoolDisk } from "./disk.ts";
import type { SpoolIds } from "./ids.ts";
import {
  interruptedRecord,
  lineOf,
  type OpenLine,
  openFactsOf,
  parseLine,
  type SpoolEntry,
} from "./lines.ts";
import { SpoolReader } from "./reader.ts";
import { type Replay, replay } from "./replay.ts";
import { SegmentFiles, type SpoolPlace, type SpoolSegment } from "./segments.ts";

/** Longest time a written line waits for the sync that saves it from a power cut; the disk's own time comes on top. */
const SYNC_MS = 50;

/** Pause between two tries of a disk that failed. */
const RETRY_MS = 250;

const STOPPED = "the agent stopped while it served this request";

export type SpoolOptions = {
  /** Unix ms. Two of its times lie as far apart as it was: not a clock that may be set meanwhile. */
  now: () => number;
  log: Log;
  disk?: SpoolDisk;
  after?: After;
};

export class Spool {
  readonly #now: () => number;
  readonly #log: Log;
  readonly #files: SegmentFiles;
  readonly #ids: SpoolIds;
  readonly #backlog = new SpoolBacklog();
  readonly #reader: SpoolReader;
  /** Where the line of each open request is; null while only the backlog has it. */
  readonly #open: Map<string, SpoolPlace | null>;
  #confirmed: number;
  #lastPosition: number;
  #pending: number;
  #lost = 0;
  #isConfirmationUnwritten = false;
  /** Segments that nobody needs, once the lines that replace them are synced. */
  #deletable: SpoolSegment[] = [];
  readonly #after: After;
  /** Takes the timer back that is set. */
  #forgetSync: (() => void) | null = null;
  #forgetRetry: (() => void) | null = null;
  #isClosed = false;

  /**
   * Reads the log of earlier runs and ends what they left open.
   * @throws the system's error when the folder cannot be made or listed.
   */
  static open(folder: string, options: SpoolOptions): Spool {
    const files = new SegmentFiles(folder, options.disk ?? NODE_DISK);
    return new Spool(files, replay(files), options);
  }

  private constructor(
    files: SegmentFiles,
    found: Replay,
    { now, log, after: givenAfter }: SpoolOptions,
  ) {
    this.#now = now;
    this.#after = givenAfter ?? after;
    this.#log = log;
    this.#files = files;
    this.#reader = new SpoolReader(files, this.#backlog, (segment, error) =>
      this.#setAside(segment, error),
    );
    this.#ids = found.ids;
    this.#open = found.open;
    this.#confirmed = found.confirmed;
    this.#pending = found.pending;
    // Positions begin at the wall clock: a late confirmation of records that a power cut took
    // from the log, or of a folder that was wiped, must not cover records of this run.
    this.#lastPosition = Math.max(found.lastPosition, found.confirmed, Math.floor(now()));
    for (const { path, error } of found.unreadable)
      log("error", "spool_segment_unreadable", { path, error });
    if (found.badLines > 0) log("warn", "spool_lines_skipped", { count: found.badLines });
    if (found.open.size > 0) log("warn", "spool_requests_broken", { count: found.open.size });
    for (const id of [...this.#open.keys()]) this.#finishBroken(id, STOPPED, found.lastAt);
    this.#deleteConfirmed();
  }

  /** Finished requests that the edge has not confirmed. */
  get pending(): number {
    return this.#pending;
  }

  /** Whether something waits in memory because the disk does not take it: what a kill would lose. */
  get isBehind(): boolean {
    return !this.#backlog.isEmpty;
  }

  /** Records lost since the start: dropped from memory while the disk failed, or unreadable on it. */
  get lost(): number {
    return this.#lost;
  }

  /** Whether this spool has begun the request before, also in an earlier run: it must not be served again. */
  knows(requestId: string): boolean {
    return this.#ids.has(requestId);
  }

  /**
   * Writes the request down; to be called before Ollama is asked.
   * @returns false when the id is known: do not serve it.
   */
  begin(entry: SpoolEntry): boolean {
    const id = entry.request_id;
    if (this.#ids.has(id)) return false;
    const line = lineOf({ t: "open", at: this.#now(), begun: openFactsOf(entry) });
    this.#ids.begin(id, this.#confirmed);
    const place = this.#write(line);
    this.#open.set(id, place);
    if (place === null) this.#backlog.opens.set(id, line);
    return true;
  }

  /** Writes the record of a request that is over. Only the first for an id counts. */
  finish(record: RequestRecord): void {
    const id = record.request_id;
    if (this.#ids.has(id) && !this.#open.has(id)) {
      this.#log("warn", "spool_finished_twice", { request_id: id });
      return;
    }
    const checked = RequestRecord.safeParse(record);
    if (checked.success) return this.#finish(checked.data);
    // A fault of this program: one unreadable line would be a request without a record.
    const fields = checked.error.issues.map((issue) => issue.path.join(".")).join(", ");
    this.#log("error", "spool_record_refused", { request_id: id, fields });
    this.#finishBroken(
      id,
      `the agent made a record that does not hold: ${fields}`.slice(0, 500),
      this.#now(),
    );
  }

  /**
   * The oldest unconfirmed records, as many as fit into one frame, at most `max`. The same again until they are confirmed.
   * @param isReady  the first record that is not ends the batch before it
   */
  next(max: number, isReady: (requestId: string) => boolean = () => true): Records | null {
    return this.#reader.next(max, this.#confirmed, isReady);
  }

  /** Everything up to this position is in the ledger. A position that was never handed out says nothing. */
  confirm(position: number): void {
    if (position <= this.#confirmed) return;
    if (position > this.#lastPosition)
      return this.#log("warn", "spool_confirmation_unknown", { position });
    this.#pending = Math.max(0, this.#pending - this.#reader.pass(this.#confirmed, position));
    this.#confirmed = position;
    this.#backlog.confirm(position);
    this.#isConfirmationUnwritten = true;
    this.#deleteConfirmed();
    this.#scheduleSync();
  }

  /** Writes and syncs what waits, then lets go of the files. Open requests stay open: the next run ends them. */
  close(): void {
    if (this.#isClosed) return;
    if (!this.#backlog.isEmpty) this.#retry();
    this.#writeConfirmation();
    this.#isClosed = true;
    this.#forgetSync?.();
    this.#forgetRetry?.();
    try {
      this.#files.close();
      this.#unlink(this.#deletable.splice(0));
    } catch (error) {
      this.#log("error", "spool_sync_failed", { error });
    }
  }

  #finish(record: RequestRecord): void {
    const id = record.request_id;
    const position = ++this.#lastPosition;
    const line = lineOf({ t: "done", at: this.#now(), position, record });
    this.#open.delete(id);
    this.#backlog.opens.delete(id);
    this.#ids.finish(id, position);
    this.#pending += 1;
    const place = this.#write(line);
    if (place !== null) place.segment.lastPosition = position;
    else this.#keep({ id, position, line });
  }

  /** Ends a request of which only the beginning is known. */
  #finishBroken(id: string, message: string, endedAt: number): void {
    const line = this.#openLineOf(id);
    if (line !== null)
      return this.#finish(interruptedRecord(line.begun, message, endedAt - line.at));
    this.#log("error", "spool_record_lost", { request_id: id });
    this.#lost += 1;
    this.#open.delete(id);
    this.#ids.settle(id);
  }

  #openLineOf(id: string): OpenLine | null {
    const text = this.#backlog.opens.get(id) ?? this.#textAt(this.#open.get(id) ?? null);
    const line = text === null ? null : parseLine(text);
    return line?.t === "open" ? line : null;
  }

  #textAt(place: SpoolPlace | null): string | null {
    if (place === null) return null;
    try {
      for (const { text } of this.#files.lines(place.segment, place.offset)) return text;
    } catch (error) {
      this.#log("error", "spool_unreadable", { error });
    }
    return null;
  }

  /** Leaves out a file that cannot be read, so that later records get through; the file stays for the next start. */
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

  // ---- writing

  /** @returns null when the disk did not take it; then the backlog must. */
  #write(text: string): SpoolPlace | null {
    // What waits goes first: positions rise in the log.
    if (!this.#backlog.isEmpty) return null;
    try {
      const place = this.#files.append(text);
      this.#scheduleSync();
      return place;
    } catch (error) {
      this.#log("error", "spool_disk_failed", { error });
      this.#scheduleRetry();
      return null;
    }
  }

  #keep(record: { id: string; position: number; line: string }): void {
    const dropped = this.#backlog.add(record);
    this.#scheduleRetry();
    if (dropped === null) return;
    this.#lost += 1;
    this.#pending -= 1;
    this.#ids.settle(dropped.id);
    this.#reader.forgetBatch();
  }

  /** Writes the backlog in its order, as far as the disk goes. */
  #retry(): void {
    try {
      for (const [id, line] of this.#backlog.opens) {
        this.#open.set(id, this.#files.append(line));
        this.#backlog.opens.delete(id);
      }
      for (
        let first = this.#backlog.records[0];
        first !== undefined;
        first = this.#backlog.records[0]
      ) {
        this.#files.append(first.line).segment.lastPosition = first.position;
        this.#backlog.shift();
      }
      if (this.#backlog.over.length > 0)
        this.#files.append(lineOf({ t: "over", at: this.#now(), ids: this.#backlog.over }));
      this.#backlog.over = [];
      this.#log("info", "spool_disk_back", { lost: this.#lost });
    } catch {
      this.#scheduleRetry();
    }
    this.#scheduleSync();
  }

  #scheduleRetry(): void {
    if (this.#isClosed) return;
    this.#forgetRetry ??= this.#after(RETRY_MS, () => {
      this.#forgetRetry = null;
      this.#retry();
    });
  }

  #scheduleSync(): void {
    if (this.#isClosed) return;
    this.#forgetSync ??= this.#after(SYNC_MS, () => void this.#sync());
  }

  async #sync(): Promise<void> {
    this.#writeConfirmation();
    const deletable = this.#deletable.splice(0);
    this.#forgetSync = null;
    try {
      await this.#files.sync();
      this.#unlink(deletable);
    } catch (error) {
      this.#log("error", "spool_sync_failed", { error });
      this.#deletable.push(...deletable);
    }
  }

  /** Not at once: a confirmation that is forgotten only means that records are sent again. */
  #writeConfirmation(): void {
    if (!this.#isConfirmationUnwritten) return;
    try {
      this.#files.append(lineOf({ t: "confirmed", at: this.#now(), position: this.#confirmed }));
      this.#isConfirmationUnwritten = false;
    } catch {
      // The next one says it too.
    }
  }

  // ---- deleting

  /** Gives back segments, oldest first, in which all is confirmed; what is still needed of them moves to the current one. */
  #deleteConfirmed(): void {
    for (const segment of [...this.#files.segments]) {
      if (segment === this.#files.current || segment.lastPosition > this.#confirmed) return;
      this.#writeConfirmation();
      if (!this.#moveOpen(segment)) return;
      this.#rememberIds();
      this.#files.forget(segment);
      this.#deletable.push(segment);
      this.#scheduleSync();
    }
  }

  #moveOpen(segment: SpoolSegment): boolean {
    for (const [id, place] of this.#open) {
      if (place?.segment !== segment) continue;
      const text = this.#textAt(place);
      const moved = text === null ? null : this.#write(`${text}\n`);
      if (moved === null) return false;
      this.#open.set(id, moved);
    }
    return true;
  }

  /** Where that fails the segment goes all the same: on a full disk its room is worth more than the ids. */
  #rememberIds(): void {
    try {
      this.#files.append(
        lineOf({ t: "over", at: this.#now(), ids: this.#ids.over(this.#confirmed) }),
      );
    } catch (error) {
      this.#log("warn", "spool_ids_forgotten", { error });
    }
  }

  #unlink(segments: SpoolSegment[]): void {
    for (const { path } of segments) {
      try {
        this.#files.unlink(path);
      } catch (error) {
        this.#log("warn", "spool_segment_kept", { path, error });
      }
    }
  }
}

/**
 * The ledger: one record per finished request, the source of truth of every count.
 *
 * The request id is the key, so a record that is delivered twice is written once. Many records are one row,
 * see {@link LedgerPage}. They are parsed when they are read back: storage outlives the code that wrote it.
 */
import * as z from "zod";
import type { Logs, LogsPage } from "../../protocol/api/logs.ts";
import { RequestRecord } from "../../protocol/records.ts";
import { idFloor, timeOf } from "../../protocol/uuid-time.ts";
import { spellingsOf } from "../counting/model-key.ts";
import { RETENTION, type Retention } from "../retention.ts";
import type { KeyFilter } from "./cells.ts";
import { COUNTED_AS } from "./counters.ts";
import { type Forgotten, SLICE_IDS } from "./forgotten.ts";
import { type Counting, isCompletable, isRefused, KeptRow, rowOf } from "./kept-row.ts";
import type { StoredRow } from "./ledger-page.ts";
import { type Labelled, LedgerPages } from "./ledger-pages.ts";
import { LedgerReader } from "./ledger-reader.ts";
import { LedgerTexts } from "./ledger-texts.ts";
import { type ForgetLimits, oldest } from "./oldest.ts";
import { type StampedBatch, stampedBatches } from "./stamped.ts";

import { Finished, Uncounted } from "./uncounted.ts";

/** The most records, whatever their retention is. */
export const LEDGER_ROWS_MAX = 100_000;
/** Records of refused calls among them. They are cheap to make, and must not push out the others. */
export const REFUSED_ROWS_MAX = 10_000;

const UNCOUNTED: Counting = { stamp: 0, countedAs: COUNTED_AS.nothing };

const StartedAt = RequestRecord.pick({ request_id: true, started_at: true });
const Tokens = RequestRecord.pick({
  request_id: true,
  completion_tokens: true,
  source: true,
}).extend({
  finished_at_ms: z.number(),
});

/**
 * Requests that took longer than this are not found by the time they finished.
 *
 * An id has the time of the start, so a search for recently finished requests begins this much
 * earlier.
 */
const LONGEST_MS = 600_000;

export class Ledger {
  readonly #forgotten: Forgotten;
  readonly #pages: LedgerPages;
  readonly #logsMs: number;
  /** Reads what people ask for. */
  readonly reader: LedgerReader;
  readonly texts: LedgerTexts;

  /** @param pause  lets others have the object while logs are read */
  constructor(
    sql: SqlStorage,
    forgotten: Forgotten,
    pause = () => scheduler.wait(0),
    { logsMs, textsMs }: Pick<Retention, "logsMs" | "textsMs"> = RETENTION,
  ) {
    this.#forgotten = forgotten;
    this.#logsMs = logsMs;
    this.#pages = new LedgerPages(sql);
    this.reader = new LedgerReader(this.#pages, pause);
    this.texts = new LedgerTexts(this.#pages, textsMs, () => this.reader.forgetSearch());
  }

  /**
   * Adds a record, which {@link write} makes durable.
   * @returns whether it is new; false if it was counted before
   */
  insert(record: RequestRecord, finishedMs: number, counting: Counting = UNCOUNTED): boolean {
    if (this.knows(record.request_id)) return false;
    const row = rowOf({ record, finishedMs, ...counting });
    this.#pages.add(row, isRefused(record) ? "refused" : "taken");
    this.reader.added(record);
    return true;
  }

  /** Writes the records that were added, in the transaction of their batch. */
  write(): void {
    this.#pages.write();
  }

  /**
   * Completes the record of a restarted agent with what only the edge knows: the status that the
   * caller received, and how long it waited. The other fields stay as the agent noted it. Counts are
   * not affected: both records are errors, and errors have no latency in any sum.
   * @param record  the edge's record of the same request
   */
  complete({ request_id, http_status, latency_ms }: RequestRecord): void {
    const [row] = this.#pages.wholeRows([request_id]);
    if (row === undefined) return;
    const { record, ...kept } = KeptRow.parse(row);
    if (!isCompletable(record)) return;
    const completed = {
      ...record,
      http_status,
      latency_ms: Math.max(record.latency_ms, latency_ms),
    };
    this.#pages.replace(request_id, rowOf({ record: completed, ...kept }));
    this.reader.removed([request_id]);
    this.reader.added(completed);
  }

  /** Returns the records of these requests that still exist, in no order. */
  records(ids: readonly string[]): { record: RequestRecord; finishedMs: number }[] {
    return this.#pages.wholeRows(ids).map((row) => KeptRow.parse(row));
  }

  /** Returns the ids of all records, oldest first. */
  ids(): string[] {
    return this.#pages
      .labels()
      .flatMap(({ label }) => label.ids())
      .sort();
  }

  /** Returns the batches after a stamp, see {@link stampedBatches}. */
  batchesAfter(stamp: number): StampedBatch[] {
    return stampedBatches([...this.#rowsAfter(stamp)], stamp);
  }

  /** Returns the newest stamp of a record; 0 without records. */
  newestStamp(): number {
    return Math.max(0, ...this.#pages.labels().map(({ label }) => label.stamp));
  }

  /** Yields the records after a stamp that were counted, in any order. */
  *uncounted(stamp: number): Generator<Uncounted> {
    for (const row of this.#rowsAfter(stamp)) {
      const { success, data } = Uncounted.safeParse(row);
      if (success && data.stamp > stamp) yield data;
    }
  }

  /** Returns the newest records without their texts, in order of arrival: `count` and the rest of a page. */
  newest(count: number): StoredRow[] {
    const rows: StoredRow[][] = [];
    let found = 0;
    for (const { page } of this.#pages.labels().toReversed()) {
      if (found >= count) break;
      rows.unshift(this.#pages.rows(page));
      found += rows[0]?.length ?? 0;
    }
    return rows.flat();
  }

  /** Returns the newest id that may have lost its record; null while every record exists. */
  forgottenTo(): string | null {
    return this.#forgotten.newest();
  }

  /** Returns whether the ledger has, or had, a record of that request. */
  knows(id: string): boolean {
    return this.#forgotten.has(id) || this.#pages.has(id);
  }

  /**
   * Remembers requests that have no record.
   * @param ids  any number of ids that the ledger does not know
   */
  remember(ids: readonly string[]): void {
    const sorted = [...ids].sort();
    for (let at = 0; at < sorted.length; at += SLICE_IDS)
      this.#forgotten.add(sorted.slice(at, at + SLICE_IDS));
  }

  /** Deletes all records and remembers their ids. @returns how many there were */
  clear(): number {
    let deleted = 0;
    for (;;) {
      const slice = this.forgetSlice(0, Number.POSITIVE_INFINITY, null);
      deleted += slice;
      if (slice === 0) return deleted;
    }
  }

  /** Returns the number of records, and when the first and the last were accepted. */
  summary(): { rows: number; oldest: string | null; newest: string | null } {
    const startedAt = (id: string | undefined): string | null => {
      const [row] = id === undefined ? [] : this.#pages.wholeRows([id]);
      return row === undefined ? null : StartedAt.parse(row).started_at;
    };
    const span = this.#pages.span();
    const [oldest, newest] = [startedAt(span?.first), startedAt(span?.last)];
    return { rows: this.#pages.records(), oldest, newest };
  }

  /** Reads one page, newest first. See {@link LedgerReader.page}. */
  page(query: LogsPage, afterId: string | null = null): Promise<Logs> {
    return this.reader.page(query, afterId);
  }

  /** A transaction that changed records was rolled back. */
  rolledBack(): void {
    this.#pages.forget();
    this.texts.forget();
    this.reader.forgetRows();
  }

  /**
   * Yields the completion tokens of requests that finished after `sinceMs` and began at most ten
   * minutes earlier.
   */
  *tokensSince(sinceMs: number): Generator<{ finished_at_ms: number; completion_tokens: number }> {
    const from = idFloor(sinceMs - LONGEST_MS);
    for (const row of this.#rowsBetween(from, null)) {
      const { request_id, source, finished_at_ms, completion_tokens } = Tokens.parse(row);
      if (request_id < from || finished_at_ms < sinceMs || source === "bench") continue;
      if (completion_tokens !== null) yield { finished_at_ms, completion_tokens };
    }
  }

  /**
   * Yields the summed fields of requests that finished in [fromMs, toMs), in any order. Misses
   * requests that took longer than ten minutes.
   */
  *finishedIn(fromMs: number, toMs: number, { model, box, key }: KeyFilter): Generator<Finished> {
    const models = model === undefined ? null : new Set<string | null>(spellingsOf(model));
    for (const row of this.#rowsBetween(idFloor(fromMs - LONGEST_MS), idFloor(toMs))) {
      const finished = Finished.parse(row);
      const { finished_at_ms: atMs } = finished;
      if (
        atMs >= fromMs &&
        atMs < toMs &&
        (models === null || models.has(finished.model)) &&
        (box === undefined || finished.box === box) &&
        (key === undefined || finished.key_id === key)
      )
        yield finished;
    }
  }

  /** Returns how many records exceed the limit. */
  excess(): number {
    return Math.max(0, this.#pages.records() - LEDGER_ROWS_MAX);
  }

  /** Returns how many refused calls exceed their limit. */
  excessRefused(): number {
    return Math.max(0, this.#pages.records("refused") - REFUSED_ROWS_MAX);
  }

  /**
   * Deletes one slice of the oldest refused calls and remembers their ids. They stay counted.
   * @param excess  how many to delete at most
   * @param heldId  this request and newer ones are still needed; null if none is
   * @returns how many were deleted; 0 when nothing is left to delete
   */
  forgetRefusedSlice(excess: number, heldId: string | null): number {
    const refused = this.#pages.labels().filter(({ kind }) => kind === "refused");
    return this.#forget(refused, { excess, horizon: "", heldId });
  }

  /**
   * Deletes one slice of the oldest records and remembers their ids.
   * @param excess  how many records to delete regardless of age
   * @param heldId  this request and newer ones are still needed; null if none is
   * @returns how many were deleted; 0 when nothing is left to delete
   */
  forgetSlice(nowMs: number, excess: number, heldId: string | null): number {
    const horizon = idFloor(nowMs - this.#logsMs);
    return this.#forget(this.#pages.labels(), { excess, horizon, heldId });
  }

  #forget(among: readonly Labelled[], limits: ForgetLimits): number {
    const gone = oldest(among, limits);
    for (const [from, ids] of gone) this.#pages.remove(from, ids);
    const ids = [...gone.values()].flat().sort();
    this.#forgotten.add(ids);
    this.reader.removed(ids);
    return ids.length;
  }

  /** Yields the records of pages that have some after a stamp, without texts. */
  *#rowsAfter(stamp: number): Generator<StoredRow> {
    for (const { page, label } of this.#pages.labels())
      if (label.stamp > stamp) yield* this.#pages.rows(page);
  }

  /** Yields the records of pages that have some of these requests, without texts. */
  *#rowsBetween(from: string, to: string | null): Generator<StoredRow> {
    for (const { page, label } of this.#pages.labels())
      if (label.last >= from && (to === null || label.first < to)) yield* this.#pages.rows(page);
  }

  /** Returns when the oldest record is due for deletion, unix ms; null if the ledger is empty. */
  dueMs(): number | null {
    const span = this.#pages.span();
    return span === null ? null : timeOf(span.first) + this.#logsMs;
  }
}

/**
 * The ledger: one row per finished request, the source of truth of every count.
 *
 * The request id is the key, so a record that is delivered twice is written once. Rows are parsed
 * when they are read back: storage outlives the code that wrote it.
 */
import * as z from "zod";
import type { Logs, LogsPage } from "../../protocol/api/logs.ts";
import { RECORD_COLUMNS } from "../../protocol/columns.ts";
import type { RequestRecord } from "../../protocol/records.ts";
import { idFloor, timeOf } from "../storage/uuid-time.ts";
import type { KeyFilter } from "./cells.ts";
import { COUNTED_AS, type CountedAs } from "./counters.ts";
import { overwriteTexts, padBytesOf } from "./erasure.ts";
import { type Forgotten, SLICE_IDS } from "./forgotten.ts";
import { LedgerReader } from "./ledger-reader.ts";
import { LedgerRow, ROW_COUNT, RowCount, spellingsAsJson, valuesOf } from "./ledger-row.ts";
import { newestStamp, type StampedBatch, stampedBatches } from "./stamped.ts";
import { Finished } from "./uncounted.ts";

/** Retention of a row, unless the ledger exceeds {@link LEDGER_ROWS_MAX}. */
export const LEDGER_MS = 7 * 24 * 3_600_000;
export const LEDGER_ROWS_MAX = 100_000;
/** Rows of refused calls among them. They are cheap to make, and must not push out the others. */
export const REFUSED_ROWS_MAX = 10_000;

/** Selects the rows of calls that no box took. */
const REFUSED = "box IS NULL AND status = 'error'";

const INSERT = `INSERT INTO ledger (finished_at_ms, stamp, counted_as, pad, ${RECORD_COLUMNS.join(", ")})
  VALUES (?, ?, ?, zeroblob(?)${", ?".repeat(RECORD_COLUMNS.length)})
  ON CONFLICT (request_id) DO NOTHING RETURNING request_id`;

/** The batch of a row, and how it was counted. See {@link Counters}. */
export type Counting = { stamp: number; countedAs: CountedAs };
const UNCOUNTED: Counting = { stamp: 0, countedAs: COUNTED_AS.nothing };
const COUNTING = "SELECT stamp, counted_as AS countedAs FROM ledger WHERE request_id = ?";
const CountingRow = z.object({ stamp: z.number(), countedAs: z.literal([0, 1, 2]) });

const FinishedRow = LedgerRow.extend({ finished_at_ms: z.number() });
const StartedAt = z.object({ started_at: z.string() });
const Id = z.object({ request_id: z.string() });
const Oldest = z.object({ request_id: z.string().nullable() });
const Tokens = z.object({ finished_at_ms: z.number(), completion_tokens: z.number() });

/**
 * Requests that took longer than this are not found by the time they finished.
 *
 * The key is the time of the start, so a search for recently finished requests begins this much
 * earlier.
 */
const LONGEST_MS = 600_000;

/** Returns whether the edge knows more of a request: its agent was killed, or lost its tunnel. */
export const isCompletable = ({ status, failed_at }: RequestRecord): boolean =>
  status === "error" && failed_at === "tunnel";

export class Ledger {
  readonly #sql: SqlStorage;
  readonly #forgotten: Forgotten;
  /** Reads what people ask for. */
  readonly reader: LedgerReader;

  /** @param pause  lets others have the object while logs are read */
  constructor(sql: SqlStorage, forgotten: Forgotten, pause = () => scheduler.wait(0)) {
    this.#sql = sql;
    this.#forgotten = forgotten;
    this.reader = new LedgerReader(sql, pause);
  }

  /** Inserts a record. @returns whether it is new; false if it was counted before */
  insert(record: RequestRecord, finishedMs: number, counting: Counting = UNCOUNTED): boolean {
    if (this.#forgotten.has(record.request_id)) return false;
    const values = [finishedMs, counting.stamp, counting.countedAs, padBytesOf(record)];
    const rows = this.#sql.exec(INSERT, ...values, ...valuesOf(record)).toArray();
    if (rows.length === 1) this.reader.added(record);
    return rows.length === 1;
  }

  /**
   * Completes the record of a restarted agent with what only the edge knows: the status that the
   * caller received, and how long it waited. The other fields stay as the agent noted it. Counts are
   * not affected: both records are errors, and errors have no latency in any sum.
   * The row is replaced, since a row of another size would leave its old texts in free pages.
   * @param record  the edge's record of the same request
   */
  complete({ request_id, http_status, latency_ms }: RequestRecord): void {
    const [kept] = this.records([request_id]);
    if (kept === undefined) return;
    const { record, finishedMs } = kept;
    if (!isCompletable(record)) return;
    const counting = CountingRow.parse(this.#sql.exec(COUNTING, request_id).one());
    this.#delete([request_id]);
    const completed = {
      ...record,
      http_status,
      latency_ms: Math.max(record.latency_ms, latency_ms),
    };
    this.insert(completed, finishedMs, counting);
  }

  /** Returns the records of these requests that still have a row, in no order. */
  records(ids: readonly string[]): { record: RequestRecord; finishedMs: number }[] {
    const sql = `SELECT finished_at_ms, ${RECORD_COLUMNS.join(", ")} FROM ledger
      WHERE request_id IN (SELECT value FROM json_each(?))`;
    return this.#sql
      .exec(sql, JSON.stringify(ids))
      .toArray()
      .map((row) => {
        const { finished_at_ms: finishedMs, ...record } = FinishedRow.parse(row);
        return { record, finishedMs };
      });
  }

  /** Returns the ids of all rows, oldest first. */
  ids(): string[] {
    return Array.from(
      this.#sql.exec("SELECT request_id FROM ledger ORDER BY request_id"),
      (row) => Id.parse(row).request_id,
    );
  }

  /** Returns the batches after a stamp, see {@link stampedBatches}. */
  batchesAfter(stamp: number): StampedBatch[] {
    return stampedBatches(this.#sql, stamp);
  }

  /** Returns the newest stamp of a row; 0 without rows. Reads all rows. */
  newestStamp(): number {
    return newestStamp(this.#sql);
  }

  /** Returns the newest id that may have lost its row; null while every row exists. */
  forgottenTo(): string | null {
    return this.#forgotten.newest();
  }

  /** Returns whether the ledger has, or had, a record of that request. */
  knows(id: string): boolean {
    return (
      this.#forgotten.has(id) ||
      this.#sql.exec("SELECT 1 FROM ledger WHERE request_id = ?", id).toArray().length > 0
    );
  }

  /**
   * Remembers requests that have no row.
   * @param ids  any number of ids that the ledger does not know
   */
  remember(ids: readonly string[]): void {
    const sorted = [...ids].sort();
    for (let at = 0; at < sorted.length; at += SLICE_IDS)
      this.#forgotten.add(sorted.slice(at, at + SLICE_IDS));
  }

  /** Deletes all rows and remembers their ids. @returns how many there were */
  clear(): number {
    let deleted = 0;
    for (;;) {
      const slice = this.forgetSlice(0, Number.POSITIVE_INFINITY, null);
      deleted += slice;
      if (slice < SLICE_IDS) return deleted;
    }
  }

  /** Returns the number of rows, and when the first and the last were accepted. */
  summary(): { rows: number; oldest: string | null; newest: string | null } {
    const startedAt = (order: "ASC" | "DESC") => {
      const [row] = this.#sql
        .exec(`SELECT started_at FROM ledger ORDER BY request_id ${order} LIMIT 1`)
        .toArray();
      return row === undefined ? null : StartedAt.parse(row).started_at;
    };
    return { rows: this.#rows(), oldest: startedAt("ASC"), newest: startedAt("DESC") };
  }

  /** Reads one page, newest first. See {@link LedgerReader.page}. */
  page(query: LogsPage, afterId: string | null = null): Promise<Logs> {
    return this.reader.page(query, afterId);
  }

  /** A transaction that changed rows was rolled back. */
  rolledBack(): void {
    this.reader.forgetRows();
  }

  /** Texts were erased from rows that stay. */
  erased(): void {
    this.reader.forgetSearch();
  }

  /**
   * Yields the completion tokens of requests that finished after `sinceMs` and began at most ten
   * minutes earlier.
   */
  *tokensSince(sinceMs: number): Generator<z.infer<typeof Tokens>> {
    const rows = this.#sql.exec(
      `SELECT finished_at_ms, completion_tokens FROM ledger
       WHERE request_id >= ? AND finished_at_ms >= ? AND completion_tokens IS NOT NULL
       AND source IS NOT 'bench'`,
      idFloor(sinceMs - LONGEST_MS),
      sinceMs,
    );
    for (const row of rows) yield Tokens.parse(row);
  }

  /**
   * Yields the summed fields of requests that finished in [fromMs, toMs), in any order. Misses
   * requests that took longer than ten minutes.
   */
  *finishedIn(fromMs: number, toMs: number, { model, box, key }: KeyFilter): Generator<Finished> {
    const rows = this.#sql.exec(
      `SELECT ${Object.keys(Finished.shape).join(", ")} FROM ledger WHERE request_id >= ?1 AND request_id < ?2
       AND finished_at_ms >= ?3 AND finished_at_ms < ?4
       AND (?5 IS NULL OR model IN (SELECT value FROM json_each(?5))) AND (?6 IS NULL OR box = ?6)
       AND (?7 IS NULL OR key_id = ?7)`,
      idFloor(fromMs - LONGEST_MS),
      idFloor(toMs),
      fromMs,
      toMs,
      spellingsAsJson(model),
      box ?? null,
      key ?? null,
    );
    for (const row of rows) yield Finished.parse(row);
  }

  /** Returns how many rows exceed the limit. Counts all rows, so call it once per housekeeping. */
  excess(): number {
    return Math.max(0, this.#rows() - LEDGER_ROWS_MAX);
  }

  /** Returns how many refused calls exceed their limit. Reads all rows, like {@link excess}. */
  excessRefused(): number {
    const sql = `SELECT ${ROW_COUNT} FROM ledger WHERE ${REFUSED}`;
    return Math.max(0, RowCount.parse(this.#sql.exec(sql).one()).rows - REFUSED_ROWS_MAX);
  }

  /**
   * Deletes one slice of the oldest refused calls and remembers their ids. They stay counted.
   * @param excess  how many to delete at most
   * @param heldId  this row and newer ones are still needed; null if none is
   * @returns how many were deleted; fewer than {@link SLICE_IDS} when nothing is left to delete
   */
  forgetRefusedSlice(excess: number, heldId: string | null): number {
    const sql = `SELECT request_id FROM ledger WHERE ${REFUSED} AND (?1 IS NULL OR request_id < ?1)
      ORDER BY request_id LIMIT ?2`;
    const rows = this.#sql.exec(sql, heldId, Math.min(excess, SLICE_IDS)).toArray();
    const ids = rows.map((row) => Id.parse(row).request_id);
    if (ids.length === 0) return 0;
    this.#forgotten.add(ids);
    this.#delete(ids);
    return ids.length;
  }

  #rows(): number {
    return RowCount.parse(this.#sql.exec(`SELECT ${ROW_COUNT} FROM ledger`).one()).rows;
  }

  /**
   * Deletes one slice of the oldest rows and remembers their ids.
   * @param excess  how many rows to delete regardless of age
   * @param heldId  this row and newer ones are still needed; null if none is
   * @returns how many were deleted; fewer than {@link SLICE_IDS} when nothing is left to delete
   */
  forgetSlice(nowMs: number, excess: number, heldId: string | null): number {
    const oldest = this.#sql
      .exec("SELECT request_id FROM ledger ORDER BY request_id LIMIT ?", SLICE_IDS)
      .toArray();
    const horizon = idFloor(nowMs - LEDGER_MS);
    const ids = oldest
      .map((row) => Id.parse(row).request_id)
      .filter((id, index) => (index < excess || id < horizon) && (heldId === null || id < heldId));
    if (ids.length === 0) return 0;
    this.#forgotten.add(ids);
    this.#delete(ids);
    return ids.length;
  }

  #delete(ids: readonly string[]): void {
    overwriteTexts(this.#sql, ids);
    this.reader.removed(ids);
    this.#sql.exec(
      "DELETE FROM ledger WHERE request_id IN (SELECT value FROM json_each(?))",
      JSON.stringify(ids),
    );
  }

  /** Returns when the oldest row is due for deletion, unix ms; null if the ledger is empty. */
  dueMs(): number | null {
    const { request_id } = Oldest.parse(
      this.#sql.exec("SELECT min(request_id) AS request_id FROM ledger").one(),
    );
    return request_id === null ? null : timeOf(request_id) + LEDGER_MS;
  }
}

/**
 * The ledger: one row per finished request, the source of truth of every count.
 *
 * The request id is the key, so a record that is delivered twice is written once. Rows are parsed
 * when they are read back: storage outlives the code that wrote it.
 */
import { z } from "zod";
import {
  type LogEntry,
  type Logs,
  type LogsPage,
  SHORT_TEXT_CHARS,
} from "../../protocol/api/stats.ts";
import { RequestRecord, tokensUsed } from "../../protocol/records.ts";
import { spellingsOf } from "../counting/model-key.ts";
import type { CellFilter } from "./cells.ts";
import type { Forgotten } from "./forgotten.ts";
import { SLICE_IDS } from "./forgotten.ts";

/** A row is kept this long, unless there are more than {@link LEDGER_ROWS_MAX}. */
export const LEDGER_MS = 7 * 24 * 3_600_000;
export const LEDGER_ROWS_MAX = 100_000;

/** Characters of text in one page of logs. A page that would exceed it ends early: one RPC answer may be 32 MiB. */
const PAGE_CHARS_MAX = 4_000_000;

/** Greater than any request id. */
const AFTER_ALL_IDS = "g";
/** Less than any. */
const BEFORE_ALL_IDS = "";

/** In the order of the table. */
const COLUMNS = [
  "request_id",
  "started_at",
  "box",
  "model",
  "endpoint",
  "api",
  "stream",
  "status",
  "http_status",
  "failed_at",
  "error_message",
  "prompt_tokens",
  "completion_tokens",
  "latency_ms",
  "ttft_ms",
  "queue_ms",
  "load_ms",
  "prefill_ms",
  "decode_ms",
  "done_reason",
  "key_id",
  "client_ip",
  "user_agent",
  "energy_j",
  "resumed",
  "prompt",
  "response",
  "edge_ms",
  "tunnel_ms",
] as const satisfies (keyof RequestRecord)[];

const INSERT = `INSERT INTO ledger (finished_at_ms, ${COLUMNS.join(", ")}) VALUES (?${", ?".repeat(COLUMNS.length)})
  ON CONFLICT (request_id) DO NOTHING RETURNING request_id`;

const Row = RequestRecord.extend({ stream: z.literal([0, 1]).transform((value) => value === 1) });
const FinishedRow = Row.extend({ finished_at_ms: z.number() });
const Count = z.object({ rows: z.number() });
const StartedAt = z.object({ started_at: z.string() });
const Id = z.object({ request_id: z.string() });
const Oldest = z.object({ request_id: z.string().nullable() });
const Tokens = z.object({ finished_at_ms: z.number(), completion_tokens: z.number() });

const Finished = RequestRecord.pick({
  endpoint: true,
  status: true,
  latency_ms: true,
  resumed: true,
  ttft_ms: true,
  queue_ms: true,
  load_ms: true,
  decode_ms: true,
  prompt_tokens: true,
  completion_tokens: true,
  energy_j: true,
}).extend({ finished_at_ms: z.number() });

/** Who looks for what finished lately finds it if it took no longer than this: the key is the time of the start. */
const LONGEST_MS = 600_000;

/** For `json_each`; null for any model. */
const namesOf = (model: string | undefined): string | null =>
  model === undefined ? null : JSON.stringify(spellingsOf(model));

/** A text column, or the first characters of it. */
const shortened = (column: "prompt" | "response") =>
  `CASE WHEN length(${column}) > ${SHORT_TEXT_CHARS} THEN substr(${column}, 1, ${SHORT_TEXT_CHARS}) || '…' ELSE ${column} END AS ${column}`;
const SHORT_COLUMNS = COLUMNS.map((column) =>
  column === "prompt" || column === "response" ? shortened(column) : column,
);

export class Ledger {
  readonly #sql: SqlStorage;
  readonly #forgotten: Forgotten;

  constructor(sql: SqlStorage, forgotten: Forgotten) {
    this.#sql = sql;
    this.#forgotten = forgotten;
  }

  /** @returns whether it is new; false for one that was counted before. */
  insert(record: RequestRecord, finishedMs: number): boolean {
    if (this.#forgotten.has(record.request_id)) return false;
    const values = COLUMNS.map((column) => storedAs(record[column]));
    return this.#sql.exec(INSERT, finishedMs, ...values).toArray().length === 1;
  }

  /** The records of these requests that have a row, in no order. */
  records(ids: readonly string[]): { record: RequestRecord; finishedMs: number }[] {
    const sql = `SELECT finished_at_ms, ${COLUMNS.join(", ")} FROM ledger WHERE request_id IN (SELECT value FROM json_each(?))`;
    return this.#sql
      .exec(sql, JSON.stringify(ids))
      .toArray()
      .map((row) => {
        const { finished_at_ms: finishedMs, ...record } = FinishedRow.parse(row);
        return { record, finishedMs };
      });
  }

  /** Of all rows, oldest first. */
  ids(): string[] {
    return Array.from(
      this.#sql.exec("SELECT request_id FROM ledger ORDER BY request_id"),
      (row) => Id.parse(row).request_id,
    );
  }

  /** The newest id that may have lost its row; null while every row is there. */
  forgottenTo(): string | null {
    return this.#forgotten.newest();
  }

  /** Whether there is, or was, a record of that request. */
  knows(id: string): boolean {
    return (
      this.#forgotten.has(id) ||
      this.#sql.exec("SELECT 1 FROM ledger WHERE request_id = ?", id).toArray().length > 0
    );
  }

  /** Remembers requests that have no row. @param ids  any number, each of which it does not know */
  remember(ids: readonly string[]): void {
    const sorted = [...ids].sort();
    for (let at = 0; at < sorted.length; at += SLICE_IDS)
      this.#forgotten.add(sorted.slice(at, at + SLICE_IDS));
  }

  /** Deletes all rows, and remembers their ids. @returns how many. */
  clear(): number {
    let deleted = 0;
    for (;;) {
      const slice = this.forgetSlice(0, Number.POSITIVE_INFINITY, null);
      deleted += slice;
      if (slice < SLICE_IDS) return deleted;
    }
  }

  /** How many rows there are, and when the first and the last were accepted. */
  summary(): { rows: number; oldest: string | null; newest: string | null } {
    const startedAt = (order: "ASC" | "DESC") => {
      const [row] = this.#sql
        .exec(`SELECT started_at FROM ledger ORDER BY request_id ${order} LIMIT 1`)
        .toArray();
      return row === undefined ? null : StartedAt.parse(row).started_at;
    };
    return { rows: this.#rows(), oldest: startedAt("ASC"), newest: startedAt("DESC") };
  }

  /**
   * One page, newest first. It may hold fewer than `limit` entries: follow `next`, or `next_cursor`.
   * @param afterId  only newer ones, since older ones are read elsewhere; null for all there are
   */
  page(
    { limit, offset = 0, cursor, model, status, box, id, key, q, since, until, texts }: LogsPage,
    afterId: string | null = null,
  ): Logs {
    // `instr`, since the platform allows LIKE patterns of 50 bytes at most.
    const where = `WHERE (?1 IS NULL OR model IN (SELECT value FROM json_each(?1))) AND (?2 IS NULL OR status = ?2) AND (?3 IS NULL OR box = ?3)
      AND (?4 IS NULL OR key_id = ?4) AND (?5 IS NULL OR request_id = ?5) AND request_id >= ?6 AND request_id < ?7
      AND (?8 IS NULL OR instr(lower(prompt), ?8) > 0 OR instr(lower(response), ?8) > 0 OR instr(lower(error_message), ?8) > 0)`;
    const filter = [
      namesOf(model),
      status ?? null,
      box ?? null,
      key ?? null,
      id ?? null,
      since === undefined ? "" : idFloor(Date.parse(since)),
      until === undefined ? AFTER_ALL_IDS : idFloor(Date.parse(until)),
      q === undefined ? null : lower(q),
    ];
    const total = Count.parse(
      this.#sql.exec(`SELECT count(*) AS rows FROM ledger ${where}`, ...filter).one(),
    ).rows;
    // One more than the page: whether there is a next one.
    const rows = this.#sql.exec(
      `SELECT ${(texts === "short" ? SHORT_COLUMNS : COLUMNS).join(", ")} FROM ledger ${where}
       AND request_id < ?9 AND request_id > ?10 ORDER BY request_id DESC LIMIT ?11 OFFSET ?12`,
      ...filter,
      cursor ?? AFTER_ALL_IDS,
      afterId ?? BEFORE_ALL_IDS,
      limit + 1,
      offset,
    );
    const logs: LogEntry[] = [];
    let chars = 0;
    let hasMore = false;
    for (const row of rows) {
      hasMore = logs.length === limit || chars > PAGE_CHARS_MAX;
      if (hasMore) break;
      const entry = logEntry(Row.parse(row));
      logs.push(entry);
      chars += (entry.prompt?.length ?? 0) + (entry.response?.length ?? 0);
    }
    hasMore ||= afterId !== null && logs.length > 0;
    const next = hasMore && cursor === undefined ? offset + logs.length : null;
    return {
      store: "durable_object",
      logs,
      total,
      limit,
      offset,
      next,
      next_cursor: hasMore ? (logs.at(-1)?.id ?? null) : null,
    };
  }

  /** Completion tokens of requests that finished after `sinceMs`. Looks at those that began at most ten minutes before. */
  *tokensSince(sinceMs: number): Generator<z.infer<typeof Tokens>> {
    const rows = this.#sql.exec(
      `SELECT finished_at_ms, completion_tokens FROM ledger
       WHERE request_id >= ? AND finished_at_ms >= ? AND completion_tokens IS NOT NULL`,
      idFloor(sinceMs - LONGEST_MS),
      sinceMs,
    );
    for (const row of rows) yield Tokens.parse(row);
  }

  /** What is summed of requests that finished in [fromMs, toMs), in any order. Those that took longer than ten minutes are not found. */
  *finishedIn(
    fromMs: number,
    toMs: number,
    { model, box }: CellFilter,
  ): Generator<z.infer<typeof Finished>> {
    const rows = this.#sql.exec(
      `SELECT ${Object.keys(Finished.shape).join(", ")} FROM ledger WHERE request_id >= ?1 AND request_id < ?2
       AND finished_at_ms >= ?3 AND finished_at_ms < ?4
       AND (?5 IS NULL OR model IN (SELECT value FROM json_each(?5))) AND (?6 IS NULL OR box = ?6)`,
      idFloor(fromMs - LONGEST_MS),
      idFloor(toMs),
      fromMs,
      toMs,
      namesOf(model),
      box ?? null,
    );
    for (const row of rows) yield Finished.parse(row);
  }

  /** How many rows there are too many. Counts them all: ask once per housekeeping. */
  excess(): number {
    return Math.max(0, this.#rows() - LEDGER_ROWS_MAX);
  }

  #rows(): number {
    return Count.parse(this.#sql.exec("SELECT count(*) AS rows FROM ledger").one()).rows;
  }

  /**
   * Deletes one slice, the oldest first, and remembers its ids.
   * @param excess this many go whatever their age.
   * @param heldId that row and newer ones are still needed; null when none is.
   * @returns how many were deleted; fewer than {@link SLICE_IDS} when nothing is left to delete.
   */
  forgetSlice(nowMs: number, excess: number, heldId: string | null): number {
    const oldest = this.#sql
      .exec("SELECT request_id FROM ledger ORDER BY request_id LIMIT ?", SLICE_IDS)
      .toArray();
    const horizon = idFloor(nowMs - LEDGER_MS);
    const ids = oldest
      .map((row) => Id.parse(row).request_id)
      .filter((id, index) => (index < excess || id < horizon) && (heldId === null || id < heldId));
    const last = ids.at(-1);
    if (last === undefined) return 0;
    this.#forgotten.add(ids);
    this.#sql.exec("DELETE FROM ledger WHERE request_id <= ?", last);
    return ids.length;
  }

  /** When the oldest row is due to be deleted, unix ms; null when there is none. */
  dueMs(): number | null {
    const { request_id } = Oldest.parse(
      this.#sql.exec("SELECT min(request_id) AS request_id FROM ledger").one(),
    );
    return request_id === null ? null : timeOf(request_id) + LEDGER_MS;
  }
}

/** SQLite gives half a surrogate pair back as three characters: a text would be longer than a record's may be. */
const storedAs = (value: RequestRecord[keyof RequestRecord]): string | number | null =>
  typeof value === "string"
    ? value.toWellFormed()
    : typeof value === "boolean"
      ? Number(value)
      : value;

function logEntry({ request_id, started_at, ...rest }: RequestRecord): LogEntry {
  return { id: request_id, timestamp: started_at, ...rest, tokens_used: tokensUsed(rest) };
}

/** As SQLite's `lower`: letters of ASCII only. */
const lower = (text: string): string => text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());

/** The 48-bit time of a UUIDv7 is its first 12 hexadecimal digits. */
function idFloor(ms: number): string {
  const hex = Math.max(0, Math.floor(ms)).toString(16).padStart(12, "0");
  return `${hex.slice(0, 8)}-${hex.slice(8)}`;
}

export const timeOf = (id: string): number => Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);

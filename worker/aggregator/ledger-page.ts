/** One page of the ledger, filtered as the query of `/api/stats/logs` defines it. */
import {
  type LogEntry,
  type Logs,
  type LogsPage,
  SHORT_TEXT_CHARS,
} from "../../protocol/api/logs.ts";
import { RECORD_COLUMNS } from "../../protocol/columns.ts";
import { TEXT_FIELDS } from "../../protocol/kept-text.ts";
import { type RequestRecord, tokensUsed } from "../../protocol/records.ts";
import { idFloor } from "../storage/uuid-time.ts";
import { LedgerRow, ROW_COUNT, RowCount, spellingsAsJson } from "./ledger-row.ts";

/**
 * Characters of text in one page. A page that would exceed it ends early: an RPC answer may be 32
 * MiB.
 */
const PAGE_CHARS_MAX = 4_000_000;

/** Greater than any request id. */
const AFTER_ALL_IDS = "g";
/** Less than any request id. */
const BEFORE_ALL_IDS = "";

/** Selects a text column, or only its first characters. */
const shortened = (column: "prompt" | "response") =>
  `CASE WHEN length(${column}) > ${SHORT_TEXT_CHARS} 
    THEN substr(${column}, 1, ${SHORT_TEXT_CHARS}) || '…'
    ELSE ${column} END AS ${column}`;
const SHORT_COLUMNS = RECORD_COLUMNS.map((column) =>
  column === "prompt" || column === "response" ? shortened(column) : column,
);

/** Selects all rows without reading a text. */
const NO_TEXT = "?8 IS NULL";
// `instr`, since the platform limits patterns of LIKE to 50 bytes.
const HOLDS_TEXT = TEXT_FIELDS.map((field) => `instr(lower(${field}), ?8) > 0`).join(" OR ");

/**
 * A `+` keeps a bound out of the search in the key: SQLite compares the end of a search with whole
 * rows, and so reads every text on the way. The bound at which the search begins costs nothing.
 * @param start  the comparison with `since`: it is the start when rows are read oldest first
 */
const whereOf = (q: string | undefined, start: "request_id" | "+request_id"): string =>
  `WHERE (?1 IS NULL OR model IN (SELECT value FROM json_each(?1)))
  AND (?2 IS NULL OR status = ?2) AND (?3 IS NULL OR box = ?3)
  AND (?4 IS NULL OR key_id = ?4) AND (?5 IS NULL OR request_id = ?5)
  AND ${start} >= ?6 AND +request_id < ?7
  AND (${q === undefined ? NO_TEXT : HOLDS_TEXT})`;

/**
 * Reads one page, newest first. It may contain fewer than `limit` entries; follow `next` or
 * `next_cursor`.
 * @param afterId  leaves out this id and older ones, which are read elsewhere; null to read all
 */
export function readLedgerPage(
  sql: SqlStorage,
  { limit, offset = 0, cursor, model, status, box, id, key, q, since, until, texts }: LogsPage,
  afterId: string | null,
): Logs {
  const filter = [
    spellingsAsJson(model),
    status ?? null,
    box ?? null,
    key ?? null,
    id ?? null,
    since === undefined ? "" : idFloor(Date.parse(since)),
    until === undefined ? AFTER_ALL_IDS : idFloor(Date.parse(until)),
    q === undefined ? null : lower(q),
  ];
  const total = RowCount.parse(
    sql.exec(`SELECT ${ROW_COUNT} FROM ledger ${whereOf(q, "request_id")}`, ...filter).one(),
  ).rows;
  // One row more than the page shows whether a next page exists.
  const rows = sql.exec(
    `SELECT ${(texts === "short" ? SHORT_COLUMNS : RECORD_COLUMNS).join(", ")} FROM ledger
     ${whereOf(q, "+request_id")} AND request_id < ?9 AND +request_id > ?10
     ORDER BY request_id DESC LIMIT ?11 OFFSET ?12`,
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
    const entry = logEntry(LedgerRow.parse(row));
    logs.push(entry);
    chars += (entry.prompt?.length ?? 0) + (entry.response?.length ?? 0);
  }
  hasMore ||= afterId !== null && logs.length > 0;
  return {
    store: "durable_object",
    logs,
    total,
    limit,
    offset,
    next: hasMore && cursor === undefined ? offset + logs.length : null,
    next_cursor: hasMore ? (logs.at(-1)?.id ?? null) : null,
  };
}

function logEntry({ request_id, started_at, ...rest }: RequestRecord): LogEntry {
  return { id: request_id, timestamp: started_at, ...rest, tokens_used: tokensUsed(rest) };
}

/** Lowers only ASCII letters, as SQLite's `lower` does. */
const lower = (text: string): string => text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());

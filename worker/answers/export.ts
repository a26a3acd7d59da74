/**
 * Exports: logs, history and the audit log, of any length, streamed as CSV or NDJSON.
 *
 * Pages are read at the reader's pace, so neither the Worker nor the Aggregator holds more than
 * one.
 * An export that fails midway breaks the connection: a truncated file must not look complete.
 */
import type { AuditPage } from "../../protocol/api/audit.ts";
import { CostRow } from "../../protocol/api/costs.ts";
import type { Logs } from "../../protocol/api/logs.ts";
import { HistoryPoint } from "../../protocol/api/stats.ts";
import { AUDIT_FIELDS } from "../../protocol/audit-columns.ts";
import { LOG_ENTRY_FIELDS } from "../../protocol/columns.ts";
import { csvLine } from "./csv.ts";
import { piecesOf, type Span } from "./history.ts";

type Format = "csv" | "ndjson";
type Row = Record<string, string | number | boolean | null>;

const ROWS_PER_PAGE = 500;

/**
 * Exports logs, newest first. Leaves out requests that finish after it began.
 * @param limit  at most this many entries; null for all
 * @param read   reads one page; the query's own cursor and offset apply to the first one
 */
export const logsExport = (
  format: Format,
  limit: number | null,
  read: (page: { limit: number; cursor?: string; offset?: number }) => Promise<Logs>,
): Response => answerOf("logs", format, LOG_ENTRY_FIELDS, pagesOf(limit, read));

/** Exports history, oldest first. */
export const historyExport = (
  format: Format,
  span: Span,
  read: (piece: Span) => Promise<HistoryPoint[]>,
): Response => answerOf("history", format, Object.keys(HistoryPoint.shape), pointsOf(span, read));

/** Exports costs, in the order of the answer. */
export const costsExport = (format: Format, rows: readonly CostRow[]): Response =>
  answerOf("costs", format, Object.keys(CostRow.shape), pageOf(rows));

/** Exports the audit log, newest first. */
export const auditExport = (
  format: Format,
  limit: number | null,
  read: (page: { limit: number; cursor?: string }) => Promise<AuditPage>,
): Response => answerOf("audit", format, AUDIT_FIELDS, auditPages(limit, read));

async function* auditPages(
  limit: number | null,
  read: Parameters<typeof auditExport>[2],
): AsyncGenerator<Row[]> {
  let rest = limit ?? Number.POSITIVE_INFINITY;
  let cursor: string | null = null;
  do {
    const page: AuditPage = await read({
      limit: Math.min(rest, ROWS_PER_PAGE),
      ...(cursor !== null && { cursor }),
    });
    yield page.entries;
    rest -= page.entries.length;
    cursor = page.next_cursor;
  } while (cursor !== null && rest > 0);
}

async function* pageOf(rows: readonly CostRow[]): AsyncGenerator<Row[]> {
  yield [...rows];
}

async function* pagesOf(
  limit: number | null,
  read: Parameters<typeof logsExport>[2],
): AsyncGenerator<Row[]> {
  let rest = limit ?? Number.POSITIVE_INFINITY;
  let page = await read({ limit: Math.min(rest, ROWS_PER_PAGE) });
  for (;;) {
    yield page.logs;
    rest -= page.logs.length;
    if (page.next_cursor === null || rest <= 0) return;
    page = await read({
      limit: Math.min(rest, ROWS_PER_PAGE),
      cursor: page.next_cursor,
      offset: 0,
    });
  }
}

async function* pointsOf(
  span: Span,
  read: (piece: Span) => Promise<HistoryPoint[]>,
): AsyncGenerator<Row[]> {
  for (const piece of piecesOf(span, ROWS_PER_PAGE)) yield await read(piece);
}

const MEDIA_TYPES: Record<Format, string> = {
  csv: "text/csv; charset=utf-8; header=present",
  ndjson: "application/x-ndjson",
};

function answerOf(
  name: string,
  format: Format,
  columns: readonly string[],
  pages: AsyncGenerator<Row[]>,
): Response {
  const encoder = new TextEncoder();
  const linesOf = (rows: Row[]): string =>
    rows
      .map((row) =>
        format === "csv"
          ? csvLine(columns.map((column) => row[column] ?? null))
          : `${JSON.stringify(row)}\n`,
      )
      .join("");
  let head = format === "csv" ? csvLine(columns) : "";
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await pages.next();
      const text = head + (done ? "" : linesOf(value));
      head = "";
      if (text !== "") controller.enqueue(encoder.encode(text));
      if (done) controller.close();
    },
    async cancel() {
      await pages.return(undefined);
    },
  });
  return new Response(body, {
    headers: {
      "content-type": MEDIA_TYPES[format],
      "content-disposition": `attachment; filename="${name}.${format}"`,
    },
  });
}

/**
 * Moves the records of an older edge into pages. Their table had a row for each of them, and a
 * column for each of their fields.
 */
import * as z from "zod";
import { TEXT_FIELDS } from "../../protocol/kept-text.ts";
import { LedgerPages } from "./ledger-pages.ts";
import { noteErasure } from "./pending-erasures.ts";

/** Records in memory at once. */
const SLICE_ROWS = 200;

/** The columns that decide about their place. The others are kept as they are. */
const Row = z.looseObject({
  request_id: z.string(),
  stamp: z.number(),
  box: z.string().nullable(),
  status: z.string(),
  stream: z.number(),
  simulated: z.number().nullable().default(null),
});

type Row = z.infer<typeof Row>;

export const hasOlderLedger = (sql: SqlStorage): boolean =>
  sql.exec("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'ledger'").toArray()
    .length > 0;

/** Moves all of them, in the transaction of the other migrations. */
export function moveOlderLedger(sql: SqlStorage): void {
  const pages = new LedgerPages(sql);
  const isTrue = (value: number | null) => (value === null ? null : value === 1);
  for (let after: string | undefined = ""; after !== undefined; ) {
    const rows: Row[] = sql
      .exec(
        `SELECT * FROM ledger WHERE request_id > ? ORDER BY request_id LIMIT ${SLICE_ROWS}`,
        after,
      )
      .toArray()
      .map((row) => Row.parse(row));
    for (const row of rows) {
      const { stream, simulated } = row;
      const kept = { ...row, stream: isTrue(stream), simulated: isTrue(simulated) };
      const isRefused = row.box === null && row.status === "error";
      pages.add(kept, isRefused ? "refused" : "taken");
    }
    pages.write();
    after = rows.at(-1)?.request_id;
  }
  // A dropped table stays in free pages.
  if (sql.exec(OVERWRITE).toArray().length > 0) noteErasure(sql);
  sql.exec("DROP TABLE ledger");
}

/** As many zeros as the text has bytes: SQLite writes a row of the same size in place. */
const zeros = (column: string): string => {
  const length = `length(CAST(${column} AS BLOB))`;
  return `${column} = substr(hex(zeroblob(${length})), 1, ${length})`;
};
const OVERWRITE = `UPDATE ledger SET ${TEXT_FIELDS.map(zeros).join(", ")}
  WHERE length(pad) > 0 RETURNING 1`;

/** One row of the ledger: how a record is written to SQLite and read back. */
import * as z from "zod";
import { RECORD_COLUMNS } from "../../protocol/columns.ts";
import { RequestRecord } from "../../protocol/records.ts";
import { spellingsOf } from "../counting/model-key.ts";

/** SQLite has no booleans. */
const boolean = z.literal([0, 1]).transform((value) => value === 1);
export const LedgerRow = RequestRecord.extend({
  stream: boolean,
  simulated: boolean.nullable(),
});

export const ROW_COUNT = "count(*) AS rows";
export const RowCount = z.object({ rows: z.number() });

/** The values of a record, in the order of the columns. */
export const valuesOf = (record: RequestRecord): (string | number | null)[] =>
  RECORD_COLUMNS.map((column) => storedAs(record[column]));

/**
 * SQLite returns half a surrogate pair as three characters, so a text would exceed the limit of a
 * record.
 */
const storedAs = (value: RequestRecord[keyof RequestRecord]): string | number | null =>
  typeof value === "string"
    ? value.toWellFormed()
    : typeof value === "boolean"
      ? Number(value)
      : value;

/** All spellings of a model, for `json_each`; null for any model. */
export const spellingsAsJson = (model: string | undefined): string | null =>
  model === undefined ? null : JSON.stringify(spellingsOf(model));

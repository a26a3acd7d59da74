/** Tables as data: from it they are made, brought up to date, and checked. */
import { StoreError } from "./external-store.ts";

/** Samples of GPUs and machines, in either store. */
export const STORE_SAMPLES_KEPT_DAYS = 30;

/** Sums of requests by minute, in either store: a year and a month. The requests go sooner. */
export const STORE_MINUTES_KEPT_DAYS = 400;

/** `rest`: what follows the type, where the table is made. */
export type TableColumn = readonly [name: string, type: string, rest?: string];
export type Table = {
  name: string;
  columns: readonly TableColumn[] /** What follows the columns. */;
  tail: string;
};

export const createTable = ({ name, columns, tail }: Table): string =>
  `CREATE TABLE IF NOT EXISTS ${name} (\n${columns.map((column) => `  ${columnText(column)}`).join(",\n")}${tail}`;

/** Columns that a later version added to a table. */
export const addColumns = ({ name, columns }: Table): string =>
  `ALTER TABLE ${name} ${columns.map((column) => `ADD COLUMN IF NOT EXISTS ${columnText(column)}`).join(", ")}`;

const columnText = ([name, type, rest]: TableColumn): string =>
  [name, type, rest].filter((part) => part !== undefined).join(" ");

/**
 * More columns than expected do no harm.
 * @throws {StoreError} `schema`, saying what is missing or different, and what to run.
 */
export function checkTables(
  tables: readonly Table[],
  found: readonly { table: string; name: string; type: string }[],
): void {
  for (const { name: table, columns } of tables) {
    const ofTable = new Map(
      found.filter((column) => column.table === table).map(({ name, type }) => [name, type]),
    );
    if (ofTable.size === 0)
      throw new StoreError("schema", `has no table ${table}: run npm run migrate`);
    for (const [name, type] of columns) {
      const actual = ofTable.get(name);
      if (actual === undefined)
        throw new StoreError("schema", `has no column ${name} in ${table}: run npm run migrate`);
      if (actual !== type)
        throw new StoreError(
          "schema",
          `has ${actual} as the type of ${table}.${name}, and it must be ${type}`,
        );
    }
  }
}

/** Tables as data: the source from which they are created, brought up to date and checked. */
import type { StoredColumn } from "../../protocol/columns.ts";
import type { StoreRetention } from "../retention.ts";
import { StoreError } from "./external-store.ts";

/** `rest` is the part of the definition that follows the type. */
export type TableColumn = readonly [name: string, type: string, rest?: string];
export type Table = {
  name: string;
  columns: readonly TableColumn[];
  /** The part of the statement that follows the columns. */
  tail: string;
  /** The setting after which rows are deleted, and where their age counts from; missing if they stay. */
  kept?: { for: keyof StoreRetention; since: string };
};

/**
 * The names that a store gives to columns, where they differ from those in `protocol/columns.ts`.
 */
export type ColumnNames = Readonly<Record<string, string>>;

/** Defines a store's columns from the shared table. */
export const tableColumns = (
  columns: Readonly<Record<string, StoredColumn>>,
  names: ColumnNames,
  define: (column: StoredColumn) => readonly [type: string, rest?: string],
): TableColumn[] =>
  Object.entries(columns).map(([name, column]) => [names[name] ?? name, ...define(column)]);

/** Returns the values of a row under the store's own column names. */
export const renamed = (row: object, names: ColumnNames): Record<string, unknown> =>
  Object.fromEntries(Object.entries(row).map(([name, value]) => [names[name] ?? name, value]));

export const createTable = ({ name, columns, tail }: Table): string =>
  `CREATE TABLE IF NOT EXISTS ${name} (\n${columns.map((column) => `  ${columnText(column)}`).join(",\n")}${tail}`;

/** Adds the columns that a later version introduced. */
export const addColumns = ({ name, columns }: Table): string =>
  `ALTER TABLE ${name} ${columns.map((column) => `ADD COLUMN IF NOT EXISTS ${columnText(column)}`).join(", ")}`;

const columnText = ([name, type, rest]: TableColumn): string =>
  [name, type, rest].filter((part) => part !== undefined).join(" ");

/**
 * Checks that every expected column exists with its type. Additional columns do no harm.
 * @throws {StoreError} `schema`, naming what is missing or different, and the command to run.
 */
export function checkTables(
  tables: readonly Table[],
  found: readonly { table: string; name: string; type: string }[],
): void {
  for (const { name: table, columns } of tables) {
    const types = new Map(
      found.filter((column) => column.table === table).map(({ name, type }) => [name, type]),
    );
    if (types.size === 0)
      throw new StoreError("schema", `has no table ${table}: run npm run migrate`);
    for (const [name, type] of columns) {
      const actual = types.get(name);
      if (actual === undefined)
        throw new StoreError("schema", `has no column ${name} in ${table}: run npm run migrate`);
      if (actual !== type)
        throw new StoreError(
          "schema",
          `has type ${actual} for ${table}.${name}; the type must be ${type}`,
        );
    }
  }
}

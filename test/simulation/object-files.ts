/**
 * SQLite in a file, with a write-ahead log, as the runtime keeps an object: for tests that read what
 * the files contain.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

type Value = ArrayBuffer | string | number | null;

/** @param folder  the folder of the files; it contains nothing else */
export function storageIn(folder: string): DurableObjectStorage & { close(): void } {
  const database = new DatabaseSync(join(folder, "object.sqlite"));
  database.exec("PRAGMA journal_mode = WAL; PRAGMA secure_delete = OFF; PRAGMA synchronous = OFF");
  const rowsOf = (query: string, values: readonly Value[]) => {
    if (values.length === 0 && !/^\s*SELECT/i.test(query)) {
      database.exec(query);
      return [];
    }
    return database
      .prepare(query)
      .all(...values.map((value) => (value instanceof ArrayBuffer ? new Uint8Array(value) : value)))
      .map((row) => Object.fromEntries(Object.entries(row).map(([name, v]) => [name, read(v)])));
  };
  const sql: SqlStorage = {
    exec(query, ...values) {
      const rows: Record<string, unknown>[] = rowsOf(query, values);
      return {
        toArray: () => rows,
        one: () => rows[0] ?? {},
        [Symbol.iterator]: () => rows[Symbol.iterator](),
      };
    },
  };
  return {
    sql,
    transactionSync(act) {
      // The runtime nests a savepoint in the transaction that it began itself.
      database.exec("BEGIN; SAVEPOINT inner");
      const result = act();
      database.exec("RELEASE inner; COMMIT");
      return result;
    },
    sync: () => Promise.resolve(),
    close: () => database.close(),
  };
}

const read = (value: unknown): unknown =>
  value instanceof Uint8Array ? new Uint8Array(value).buffer : value;

/** Returns how often the files of the folder contain a text. */
export const occurrencesIn = (folder: string, text: string): number =>
  readdirSync(folder)
    .map((file) => readFileSync(join(folder, file)).toString("latin1").split(text).length - 1)
    .reduce((sum, count) => sum + count, 0);

/** Numbers that an object keeps by name. */
import * as z from "zod";

const Meta = z.object({ value: z.number() });

/** Creates the table unless it exists. */
export function createMeta(sql: SqlStorage): void {
  sql.exec(
    "CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value REAL NOT NULL) STRICT, WITHOUT ROWID",
  );
}

export function readMeta(sql: SqlStorage, key: string): number | null {
  const [row] = sql.exec("SELECT value FROM meta WHERE key = ?", key).toArray();
  return row === undefined ? null : Meta.parse(row).value;
}

export function writeMeta(sql: SqlStorage, key: string, value: number): void {
  sql.exec(
    "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    key,
    value,
  );
}

export function deleteMeta(sql: SqlStorage, key: string): void {
  sql.exec("DELETE FROM meta WHERE key = ?", key);
}

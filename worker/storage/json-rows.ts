/** A small table of JSON by id, held in memory and in storage. */
import * as z from "zod";
import { jsonText } from "./json-text.ts";

export class JsonRows<Value> {
  readonly #sql: SqlStorage;
  readonly #table: string;
  readonly #values = new Map<string, Value>();

  /**
   * @param table  has the columns `id` and `value`
   * @param schema  rows that it refuses, such as those of a newer version, are left alone
   */
  constructor(sql: SqlStorage, table: string, schema: z.ZodType<Value>) {
    this.#sql = sql;
    this.#table = table;
    const Row = z.object({ id: z.string(), value: jsonText(schema) });
    for (const row of sql.exec(`SELECT id, value FROM ${table} ORDER BY id`)) {
      const { data } = Row.safeParse(row);
      if (data !== undefined) this.#values.set(data.id, data.value);
    }
  }

  all(): Value[] {
    return [...this.#values.values()];
  }

  get(id: string): Value | null {
    return this.#values.get(id) ?? null;
  }

  put(id: string, value: Value): void {
    const text = JSON.stringify(value);
    this.#sql.exec(`INSERT OR REPLACE INTO ${this.#table} (id, value) VALUES (?, ?)`, id, text);
    this.#values.set(id, value);
  }

  /** Changes what is in memory only. */
  note(id: string, value: Value): void {
    this.#values.set(id, value);
  }

  delete(id: string): boolean {
    if (!this.#values.has(id)) return false;
    this.#sql.exec(`DELETE FROM ${this.#table} WHERE id = ?`, id);
    return this.#values.delete(id);
  }
}

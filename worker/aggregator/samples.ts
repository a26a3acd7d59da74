/** GPU and machine samples of the last day, stored as one row per batch, not per sample. */
import * as z from "zod";
import { GpuSample, SystemSample } from "../../protocol/records.ts";
import { jsonText } from "../storage/json-text.ts";
import { SAMPLES_KEPT_MS, type Samples } from "./arriving-samples.ts";

export type BoxSamples = Samples & { box: string };
/** `simulated` is null if the box was forgotten. */
type MarkedSamples = BoxSamples & { simulated: boolean | null };
/** The key of a batch, and its number of samples of each kind. */
type BatchCounts = z.infer<typeof Counts>;

const Row = z.object({
  box: z.string(),
  gpu: jsonText(z.array(GpuSample)),
  system: jsonText(z.array(SystemSample)),
});
const MarkedRow = Row.extend({
  simulated: z
    .literal([0, 1])
    .transform((value) => value === 1)
    .nullable(),
});
const Counts = z.object({
  at_ms: z.number(),
  box: z.string(),
  gpu: z.number(),
  system: z.number(),
});
const Oldest = z.object({ at_ms: z.number().nullable() });

export class SampleStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** @param atMs  when the batch is stored; none of its samples is newer */
  put(atMs: number, { box, gpu, system }: BoxSamples): void {
    this.#sql.exec(
      "INSERT OR REPLACE INTO samples (at_ms, box, gpu, system) VALUES (?, ?, ?, ?)",
      atMs,
      box,
      JSON.stringify(gpu),
      JSON.stringify(system),
    );
  }

  /**
   * Yields the batches stored since a time, oldest first. They contain every sample since then.
   * Lazy: a whole day is never in memory.
   * @param box  only batches of this box; all if left out
   */
  *since(fromMs: number, box?: string): Generator<BoxSamples> {
    const rows = this.#sql.exec(
      "SELECT box, gpu, system FROM samples WHERE at_ms >= ?1 AND (?2 IS NULL OR box = ?2)",
      fromMs,
      box ?? null,
    );
    for (const row of rows) yield Row.parse(row);
  }

  /** Returns the counts of all batches, oldest first. */
  counts(): BatchCounts[] {
    const sql = `SELECT at_ms, box, json_array_length(gpu) AS gpu, json_array_length(system) AS system
        FROM samples ORDER BY at_ms, box`;
    return this.#sql
      .exec(sql)
      .toArray()
      .map((row) => Counts.parse(row));
  }

  /** Returns one batch, and whether its box is simulated; empty if it is gone. */
  of(atMs: number, box: string): MarkedSamples {
    const [row] = this.#sql
      .exec(
        `SELECT box, gpu, system, hello ->> '$.simulated' AS simulated
          FROM samples LEFT JOIN boxes ON name = box WHERE at_ms = ? AND box = ?`,
        atMs,
        box,
      )
      .toArray();
    return row === undefined ? { box, gpu: [], system: [], simulated: null } : MarkedRow.parse(row);
  }

  clear(): void {
    this.#sql.exec("DELETE FROM samples");
  }

  /** @param heldMs  batches from then on are still needed; null if none is */
  deleteOld(nowMs: number, heldMs: number | null): void {
    this.#sql.exec(
      "DELETE FROM samples WHERE at_ms < ?",
      Math.min(nowMs - SAMPLES_KEPT_MS, heldMs ?? Number.POSITIVE_INFINITY),
    );
  }

  /** Returns when the oldest batch is due for deletion, unix ms; null if nothing is stored. */
  dueMs(): number | null {
    const { at_ms } = Oldest.parse(this.#sql.exec("SELECT min(at_ms) AS at_ms FROM samples").one());
    return at_ms === null ? null : at_ms + SAMPLES_KEPT_MS;
  }
}

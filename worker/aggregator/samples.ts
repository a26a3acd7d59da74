/** GPU and machine samples, stored as one row per batch, not per sample. */
import * as z from "zod";
import { GpuSample, SystemSample } from "../../protocol/records.ts";
import { RETENTION } from "../retention.ts";
import { jsonText } from "../storage/json-text.ts";
import type { Samples } from "./arriving-samples.ts";

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
const KeyedRow = Row.extend({ at_ms: z.number() });
type BatchKey = { at_ms: number; box: string };
type BatchSlice = { batches: BoxSamples[]; next: BatchKey | null };
/** A batch has at most some hundred samples: 4 ms together. */
const SLICE_BATCHES = 4;
/** Greater than any name of a box. */
const AFTER_ALL_NAMES = "~";
const Counts = z.object({
  at_ms: z.number(),
  box: z.string(),
  gpu: z.number(),
  system: z.number(),
});
const Oldest = z.object({ at_ms: z.number().nullable() });

export class SampleStore {
  readonly #sql: SqlStorage;
  readonly #keptMs: number;

  constructor(sql: SqlStorage, keptMs: number = RETENTION.samplesMs) {
    this.#sql = sql;
    this.#keptMs = keptMs;
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
   * Returns some of the batches stored since a time, oldest first. All of them contain every sample since
   * then.
   * @param box    only batches of this box; all if left out
   * @param after  the last batch before; null for the first
   */
  slice(fromMs: number, box: string | undefined, after: BatchKey | null): BatchSlice {
    const rows = this.#sql.exec(
      `SELECT at_ms, box, gpu, system FROM samples WHERE (at_ms, box) > (?1, ?2)
       AND (?3 IS NULL OR box = ?3) ORDER BY at_ms, box LIMIT ${SLICE_BATCHES}`,
      after?.at_ms ?? fromMs - 1,
      after?.box ?? AFTER_ALL_NAMES,
      box ?? null,
    );
    const batches = rows.toArray().map((row) => KeyedRow.parse(row));
    const last = batches.length < SLICE_BATCHES ? undefined : batches.at(-1);
    return { batches, next: last === undefined ? null : { at_ms: last.at_ms, box: last.box } };
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
      Math.min(nowMs - this.#keptMs, heldMs ?? Number.POSITIVE_INFINITY),
    );
  }

  /** Returns when the oldest batch is due for deletion, unix ms; null if nothing is stored. */
  dueMs(): number | null {
    const { at_ms } = Oldest.parse(this.#sql.exec("SELECT min(at_ms) AS at_ms FROM samples").one());
    return at_ms === null ? null : at_ms + this.#keptMs;
  }
}

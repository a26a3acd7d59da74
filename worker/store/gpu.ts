/** GPU samples of the last day: one row per batch, not per sample. */
import { z } from "zod";
import type { GpuSample } from "../../protocol/records.ts";

/** Samples are kept this long. */
export const GPU_KEPT_MS = 24 * 3_600_000;

const Oldest = z.object({ at_ms: z.number().nullable() });

export class GpuStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  put(box: string, atMs: number, samples: readonly GpuSample[]): void {
    this.#sql.exec("INSERT OR REPLACE INTO gpu (at_ms, box, samples) VALUES (?, ?, ?)", atMs, box, JSON.stringify(samples));
  }

  clear(): void {
    this.#sql.exec("DELETE FROM gpu");
  }

  deleteOld(nowMs: number): void {
    this.#sql.exec("DELETE FROM gpu WHERE at_ms < ?", nowMs - GPU_KEPT_MS);
  }

  /** When the oldest batch is due to be deleted, unix ms; null when there is none. */
  dueMs(): number | null {
    const { at_ms } = Oldest.parse(this.#sql.exec("SELECT min(at_ms) AS at_ms FROM gpu").one());
    return at_ms === null ? null : at_ms + GPU_KEPT_MS;
  }
}

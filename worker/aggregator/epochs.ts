/**
 * Epochs: the times when logs and metrics were last cleared.
 *
 * A request that finished before stays cleared, however late it is delivered: an agent may have
 * been
 * away for days with records in its spool.
 */
import type { Clearable } from "../../protocol/api/data.ts";
import { readMeta, writeMeta } from "../storage/meta.ts";

export class Epochs {
  readonly #sql: SqlStorage;
  #ms: Record<Clearable, number | null> = { logs: null, metrics: null };

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    this.read();
  }

  /** Returns when this kind of data was last cleared, unix ms; null if it never was. */
  clearedMs(kind: Clearable): number | null {
    return this.#ms[kind];
  }

  /** Returns whether a request that finished at this time is cleared. */
  isCleared(kind: Clearable, finishedMs: number): boolean {
    const clearedMs = this.#ms[kind];
    return clearedMs !== null && finishedMs <= clearedMs;
  }

  /**
   * Starts an epoch, in the transaction that deletes. Takes effect with {@link read} after it
   * commits.
   */
  begin(kind: Clearable, nowMs: number): void {
    writeMeta(this.#sql, keyOf(kind), nowMs);
  }

  read(): void {
    this.#ms = {
      logs: readMeta(this.#sql, keyOf("logs")),
      metrics: readMeta(this.#sql, keyOf("metrics")),
    };
  }
}

const keyOf = (kind: Clearable): string => `${kind}_cleared_ms`;

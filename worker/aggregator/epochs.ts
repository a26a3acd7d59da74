/**
 * Epochs: when logs and metrics were cleared last.
 *
 * What finished until then stays cleared, however late it is delivered: an agent may have been away
 * for days with records in its spool.
 */
import type { Clearable } from "../../protocol/api/data.ts";
import { readMeta, writeMeta } from "./schema.ts";

export class Epochs {
  readonly #sql: SqlStorage;
  #ms: Record<Clearable, number | null> = { logs: null, metrics: null };

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    this.read();
  }

  /** When it was cleared last, unix ms; null when it never was. */
  clearedMs(what: Clearable): number | null {
    return this.#ms[what];
  }

  /** Whether something that finished then is of what was cleared. */
  isCleared(what: Clearable, finishedMs: number): boolean {
    const clearedMs = this.#ms[what];
    return clearedMs !== null && finishedMs <= clearedMs;
  }

  /** Within the transaction that deletes. Holds once that is through, and {@link read}. */
  begin(what: Clearable, nowMs: number): void {
    writeMeta(this.#sql, keyOf(what), nowMs);
  }

  read(): void {
    this.#ms = {
      logs: readMeta(this.#sql, keyOf("logs")),
      metrics: readMeta(this.#sql, keyOf("metrics")),
    };
  }
}

const keyOf = (what: Clearable): string => `${what}_cleared_ms`;

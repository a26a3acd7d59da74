/**
 * The times that models take on boxes, learned from the newest records.
 *
 * In memory only. The first reader has them learned again from the newest rows of the ledger, and from
 * the counters, which remember rare loads for longer.
 */
import type { KeyedCell } from "../counting/cell.ts";
import { type BoxTimes, learn, learnLoad, loadMedianMs, Timed } from "../counting/model-times.ts";

/** Rows of the ledger that a start learns from. They take 2 ms. */
const ROWS = 1_000;

export class LearnedTimes {
  readonly #sql: SqlStorage;
  readonly #lifetime: () => readonly KeyedCell[];
  /** By box, then by model with its tag; null before the first reader. */
  #boxes: Map<string, BoxTimes> | null = null;

  constructor(sql: SqlStorage, lifetime: () => readonly KeyedCell[]) {
    this.#sql = sql;
    this.#lifetime = lifetime;
  }

  add(record: Timed): void {
    if (this.#boxes !== null) learn(this.#boxes, record);
  }

  of(box: string): BoxTimes {
    this.#boxes ??= this.#relearned();
    return this.#boxes.get(box) ?? new Map();
  }

  forgetBox(box: string): void {
    this.#boxes?.delete(box);
  }

  #relearned(): Map<string, BoxTimes> {
    const boxes = new Map<string, BoxTimes>();
    const rows = this.#sql
      .exec(
        `SELECT ${Object.keys(Timed.shape).join(", ")} FROM ledger ORDER BY request_id DESC LIMIT ?`,
        ROWS,
      )
      .toArray();
    for (const row of rows.reverse()) learn(boxes, Timed.parse(row));
    // The counters have buckets only, so rows go before.
    for (const { model, box, cell } of this.#lifetime()) {
      const loadMs = loadMedianMs(cell.loadSeconds);
      if (loadMs !== null) learnLoad(boxes, box, model, loadMs);
    }
    return boxes;
  }
}

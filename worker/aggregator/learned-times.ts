/**
 * The times that models take on boxes, learned from the newest records.
 *
 * In memory only. The first reader has them learned again from the newest rows of the ledger, and from
 * the counters, which remember rare loads for longer.
 */
import type { KeyedCell } from "../counting/cell.ts";
import { type BoxTimes, learn, learnLoad, loadMedianMs, Timed } from "../counting/model-times.ts";

/** Records that a start learns from, about. They take 2 ms. */
const ROWS = 1_000;

/** The part of the ledger that this reads. */
type NewestOfLedger = { newest(count: number): readonly unknown[] };

export class LearnedTimes {
  readonly #ledger: NewestOfLedger;
  readonly #lifetime: () => readonly KeyedCell[];
  /** By box, then by model with its tag; null before the first reader. */
  #boxes: Map<string, BoxTimes> | null = null;

  constructor(ledger: NewestOfLedger, lifetime: () => readonly KeyedCell[]) {
    this.#ledger = ledger;
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
    for (const row of this.#ledger.newest(ROWS)) learn(boxes, Timed.parse(row));
    // The counters have buckets only, so rows go before.
    for (const { model, box, cell } of this.#lifetime()) {
      const loadMs = loadMedianMs(cell.loadSeconds);
      if (loadMs !== null) learnLoad(boxes, box, model, loadMs);
    }
    return boxes;
  }
}

/**
 * The cells of a span of time: of everything, of one box or model, or of keys. Whole minutes come from
 * the stored sums, whole hours of keys from theirs, and everything finer from the ledger.
 *
 * Read in slices: the object has one thread, and everybody's records wait for it.
 */
import { cellsOf, endOf, type Span } from "../answers/history.ts";
import type { Cell } from "../counting/cell.ts";
import { NO_MODEL, shortName } from "../counting/model-key.ts";
import { HOUR_SECONDS, type KeyFilter, MINUTE_SECONDS } from "./cells.ts";
import type { AggregatorStores } from "./stores.ts";
import type { Finished } from "./uncounted.ts";

/** `at`: start, unix seconds. `box` is empty for requests that reached none. */
export type CountedCell = {
  at: number;
  model: string;
  box: string;
  key: string | null;
  cell: Cell;
};

/** Cells that are read together: 5 ms. */
const CELLS_PER_SLICE = 250;
const HOUR_MS = HOUR_SECONDS * 1_000;

type Stores = Pick<AggregatorStores, "cells" | "keyHours" | "ledger" | "epochs">;

export class CountedCells {
  readonly #stores: Stores;
  readonly #pause: () => Promise<void>;

  constructor(stores: Stores, pause: () => Promise<void>) {
    this.#stores = stores;
    this.#pause = pause;
  }

  /** Yields cells of any key. Their own keys are known only in buckets below a minute. */
  async *all(span: Span, { model, box }: KeyFilter): AsyncGenerator<CountedCell[]> {
    if (span.granularity < MINUTE_SECONDS) {
      yield* this.#fromLedger(span, { model, box });
      return;
    }
    const filter = { model: short(model), box };
    const end = endOf(span);
    let unpaused = 0;
    for (let from = span.from; from < end; from += HOUR_SECONDS) {
      const to = Math.min(end, from + HOUR_SECONDS);
      const cells = Array.from(this.#stores.cells.rollups(from, to, filter), (cell) => ({
        ...cell,
        key: null,
      }));
      if (cells.length > 0) yield cells;
      unpaused += cells.length;
      if (unpaused < CELLS_PER_SLICE) continue;
      unpaused = 0;
      await this.#pause();
    }
  }

  /** Yields cells with their keys, of all keys or of one. */
  async *byKey(span: Span, { model, box, key }: KeyFilter): AsyncGenerator<CountedCell[]> {
    if (span.granularity < HOUR_SECONDS) {
      yield* this.#fromLedger(span, { model, box, key });
      return;
    }
    const end = endOf(span);
    for (let from = span.from; from < end; from += 24 * HOUR_SECONDS) {
      const to = Math.min(end, from + 24 * HOUR_SECONDS);
      yield [...this.#stores.keyHours.cells(from, to, { model: short(model), box, key })];
      await this.#pause();
    }
  }

  /** Yields the requests that finished in a span of time, an hour at a time. */
  async *finished(fromMs: number, toMs: number, filter: KeyFilter): AsyncGenerator<Finished[]> {
    const { ledger, epochs } = this.#stores;
    const clearedMs = epochs.clearedMs("metrics") ?? 0;
    for (let at = Math.max(fromMs, clearedMs); at < toMs; at += HOUR_MS) {
      const rows = [...ledger.finishedIn(at, Math.min(toMs, at + HOUR_MS), filter)];
      if (rows.length > 0) yield rows;
      await this.#pause();
    }
  }

  async *#fromLedger(span: Span, filter: KeyFilter): AsyncGenerator<CountedCell[]> {
    const slices = this.finished(span.from * 1_000, endOf(span) * 1_000, filter);
    for await (const rows of slices)
      yield rows.flatMap((row) =>
        Array.from(cellsOf([row]), ({ at, cell }) => ({
          at,
          model: row.model === null ? NO_MODEL : shortName(row.model),
          box: row.box ?? "",
          key: row.key_id,
          cell,
        })),
      );
  }
}

const short = (model: string | undefined) => (model === undefined ? undefined : shortName(model));

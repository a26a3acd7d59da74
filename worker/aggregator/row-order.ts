/** The first of many rows in an order other than the newest first. Takes them in slices. Pure. */
import type { LogOrder, LogSort } from "../../protocol/log-order.ts";
import type { RowEntry } from "./row-filter.ts";

const FIGURES: Record<LogSort, (row: RowEntry) => number | null> = {
  time: () => 0, // ids are in order of time
  latency: ({ latency }) => latency,
  ttft: ({ ttft }) => ttft,
  tokens: ({ tokens }) => tokens,
  rate: ({ rate }) => rate,
  energy: ({ energy }) => energy,
};

export class FirstRows {
  readonly #count: number;
  readonly #compare: (a: RowEntry, b: RowEntry) => number;
  #first: RowEntry[] = [];

  constructor(count: number, { sort = "time", order = "desc" }: LogOrder) {
    this.#count = count;
    const figureOf = FIGURES[sort];
    const sign = order === "desc" ? -1 : 1;
    const older = (a: RowEntry, b: RowEntry) => (a.request_id < b.request_id ? -1 : 1);
    this.#compare = (a, b) => {
      const [one, other] = [figureOf(a), figureOf(b)];
      if (one === null || other === null)
        return one === other ? -older(a, b) : one === null ? 1 : -1;
      if (one !== other) return sign * (one - other);
      return sort === "time" ? sign * older(a, b) : -older(a, b);
    };
  }

  add(rows: readonly RowEntry[]): void {
    this.#first = [...this.#first, ...rows].sort(this.#compare).slice(0, this.#count);
  }

  /** Returns the ids, without the first `offset`. */
  ids(offset: number): string[] {
    return this.#first.slice(offset).map(({ request_id }) => request_id);
  }
}

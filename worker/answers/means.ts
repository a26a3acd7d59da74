/** Figures combined over the samples in which each is known: by mean, maximum or sum. */
import type { Combining } from "../../protocol/columns.ts";

export class Means<Name extends string> {
  readonly #combining: Readonly<Record<Name, Combining>>;
  readonly #figures = new Map<Name, { sum: number; count: number; max: number }>();

  constructor(combining: Readonly<Record<Name, Combining>>) {
    this.#combining = combining;
  }

  add(sample: Record<Name, number | null>): void {
    for (const name of this.#names) {
      const value = sample[name];
      if (value === null) continue;
      const { sum, count, max } = this.#figures.get(name) ?? {
        sum: 0,
        count: 0,
        max: Number.NEGATIVE_INFINITY,
      };
      this.#figures.set(name, { sum: sum + value, count: count + 1, max: Math.max(max, value) });
    }
  }

  values(): Record<Name, number | null> {
    const combined = (name: Name): number | null => {
      const figure = this.#figures.get(name);
      if (figure === undefined) return null;
      const { sum, count, max } = figure;
      return { mean: sum / count, max, sum }[this.#combining[name]];
    };
    return Object.fromEntries(this.#names.map((name) => [name, combined(name)])) as Record<
      Name,
      number | null
    >;
  }

  get #names(): Name[] {
    return Object.keys(this.#combining) as Name[];
  }
}

/** Means of some figures, each over the samples in which it is known. */
export class Means<Name extends string> {
  readonly #names: readonly Name[];
  readonly #sums = new Map<Name, { sum: number; count: number }>();

  constructor(names: readonly Name[]) {
    this.#names = names;
  }

  add(sample: Record<Name, number | null>): void {
    for (const name of this.#names) {
      const value = sample[name];
      if (value === null) continue;
      const { sum, count } = this.#sums.get(name) ?? { sum: 0, count: 0 };
      this.#sums.set(name, { sum: sum + value, count: count + 1 });
    }
  }

  values(): Record<Name, number | null> {
    const mean = (name: Name): number | null => {
      const figure = this.#sums.get(name);
      return figure === undefined ? null : figure.sum / figure.count;
    };
    return Object.fromEntries(this.#names.map((name) => [name, mean(name)])) as Record<
      Name,
      number | null
    >;
  }
}

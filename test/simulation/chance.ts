/** Seeded chance, in the forms that a world needs. */
import { seeded } from "../support/seeded.ts";

export class Chance {
  readonly random: () => number;

  constructor(seed: number) {
    this.random = seeded(seed);
  }

  /** Uniform in [from, to). */
  between(from: number, to: number): number {
    return from + this.random() * (to - from);
  }

  /** A whole number in [from, to]. */
  whole(from: number, to: number): number {
    return from + Math.floor(this.random() * (to - from + 1));
  }

  isLikely(probability: number): boolean {
    return this.random() < probability;
  }

  pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.random() * items.length)] as T;
  }

  /** A request id of that time. */
  id(ms: number): string {
    const time = Math.floor(ms).toString(16).padStart(12, "0");
    const hex = (digits: number) =>
      Math.floor(this.random() * 16 ** digits)
        .toString(16)
        .padStart(digits, "0");
    return `${time.slice(0, 8)}-${time.slice(8)}-7${hex(3)}-8${hex(3)}-${hex(12)}`;
  }
}

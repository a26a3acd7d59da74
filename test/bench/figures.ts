/** Figures: how the rounds become one value, and how much they differ. */

/** A bound that the figure should keep. */
export type Goal = { atMost: number } | { atLeast: number };

export type Figure = {
  id: string;
  name: string;
  value: number;
  unit: string;
  /** Minimum and maximum of the rounds; null for a figure that is counted once. */
  spread: [number, number] | null;
  /** The goal for now, and the final one. */
  goal_now: Goal | null;
  goal: Goal | null;
  detail: Record<string, number | string>;
};

export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const value = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))];
  if (value === undefined) throw new Error("a quantile needs at least one value");
  return value;
}

/** Returns the middle value, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  return (
    (quantile(values, 0.5) +
      -quantile(
        values.map((value) => -value),
        0.5,
      )) /
    2
  );
}

/** Returns the median of the rounds and their range. */
export const overRounds = (values: readonly number[]): Pick<Figure, "value" | "spread"> => ({
  value: round(median(values)),
  spread: [round(Math.min(...values)), round(Math.max(...values))],
});

/** Three significant digits are enough for every figure here. */
export const round = (value: number): number => Math.round(value * 1_000) / 1_000;

export const isReached = (value: number, goal: Goal): boolean =>
  "atMost" in goal ? value <= goal.atMost : value >= goal.atLeast;

export const wordsOf = (goal: Goal): string =>
  "atMost" in goal ? `<= ${goal.atMost}` : `>= ${goal.atLeast}`;

/**
 * Runs the parts in turns, and starts each round with another one, so that none is always the
 * first.
 */
export async function inTurns<Name extends string>(
  rounds: number,
  parts: Record<Name, (round: number) => Promise<void>>,
): Promise<void> {
  const names = Object.keys(parts) as Name[];
  for (let index = 0; index < rounds; index++) {
    for (let turn = 0; turn < names.length; turn++) {
      const name = names[(index + turn) % names.length];
      if (name !== undefined) await parts[name](index);
    }
  }
}

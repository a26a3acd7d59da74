/** What a figure is, how rounds become one, and how much they differed. */

/** A bound that the figure should keep. */
export type Goal = { atMost: number } | { atLeast: number };

export type Figure = {
  id: string;
  name: string;
  value: number;
  unit: string;
  /** Least and greatest of the rounds; null for what is counted once. */
  spread: [number, number] | null;
  /** To reach now, and in the end. */
  goal_now: Goal | null;
  goal: Goal | null;
  detail: Record<string, number | string>;
};

export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const value = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))];
  if (value === undefined) throw new Error("a quantile of nothing");
  return value;
}

/** The middle one, or the mean of the two in the middle. */
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

/** The median of what was measured in each round, and its range. */
export const overRounds = (values: readonly number[]): Pick<Figure, "value" | "spread"> => ({
  value: round(median(values)),
  spread: [round(Math.min(...values)), round(Math.max(...values))],
});

/** Three significant digits behind the point are more than any of this holds. */
export const round = (value: number): number => Math.round(value * 1_000) / 1_000;

export const isReached = (value: number, goal: Goal): boolean =>
  "atMost" in goal ? value <= goal.atMost : value >= goal.atLeast;

export const wordsOf = (goal: Goal): string =>
  "atMost" in goal ? `<= ${goal.atMost}` : `>= ${goal.atLeast}`;

/** Runs the parts in turns, and begins each round with another one: whoever goes first must not always be the same. */
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

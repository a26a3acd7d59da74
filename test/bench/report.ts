/** The report of a benchmark: a table for people and JSON for programs. */
import { type Figure, isReached, wordsOf } from "./figures.ts";

const mark = ({ value, goal_now }: Figure): string =>
  goal_now === null ? "" : isReached(value, goal_now) ? "reached" : "MISSED";

export function tableOf(figures: readonly Figure[]): string {
  const rows = figures.map((figure) => [
    figure.id,
    `${figure.value} ${figure.unit}`,
    figure.spread === null ? "" : `${figure.spread[0]} .. ${figure.spread[1]}`,
    figure.goal_now === null ? "" : wordsOf(figure.goal_now),
    mark(figure),
    figure.goal === null ? "" : wordsOf(figure.goal),
    figure.name,
  ]);
  const table = [["", "median", "over rounds", "now", "", "goal", ""], ...rows];
  const widths = (table[0] ?? []).map((_, column) =>
    Math.max(...table.map((row) => row[column]?.length ?? 0)),
  );
  return table
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

export const detailsOf = (figures: readonly Figure[]): string =>
  figures
    .map(
      ({ id, detail }) =>
        `${id.padEnd(10)}${Object.entries(detail)
          .map(([name, value]) => `${name} ${value}`)
          .join(", ")}`,
    )
    .join("\n");

/** Spread of the rounds of the noisiest figure, relative to its median. */
export function noiseOf(figures: readonly Figure[]): { worst: number; worst_id: string } {
  const spreads = figures.flatMap(({ id, value, spread }) =>
    spread === null ? [] : [{ id, width: (spread[1] - spread[0]) / value }],
  );
  const worst = spreads.reduce((a, b) => (b.width > a.width ? b : a), { id: "", width: 0 });
  return { worst: Math.round(worst.width * 100) / 100, worst_id: worst.id };
}

export const jsonOf = (figures: readonly Figure[], about: object): string =>
  `${JSON.stringify(
    {
      ...about,
      figures: figures.map(({ goal_now, goal, ...figure }) => ({
        ...figure,
        goal_now: goal_now === null ? null : wordsOf(goal_now),
        reached_now: goal_now === null ? null : isReached(figure.value, goal_now),
        goal: goal === null ? null : wordsOf(goal),
        reached: goal === null ? null : isReached(figure.value, goal),
      })),
    },
    null,
    2,
  )}\n`;

/** Counts which incidents of planted causes were right, wrong and missed, for each concern. */
import type { Concern } from "../../../../../protocol/concern.ts";
import { PLANTED } from "./planted-causes.ts";
import { incidentsOf } from "./watched-hour.ts";

export type Score = { right: number; wrong: number; missed: number };
export type JudgedTrace = {
  scores: Map<Concern["code"], Score>;
  /** One line for each wrong or missed incident. */
  mistakes: string[];
  hours: number;
};

/** @param seeds  hours for each cause */
export function judgedTrace(seeds: readonly number[]): JudgedTrace {
  const scores: JudgedTrace["scores"] = new Map();
  const mistakes: string[] = [];
  const scoreOf = (code: Concern["code"]): Score => {
    const score = scores.get(code) ?? { right: 0, wrong: 0, missed: 0 };
    scores.set(code, score);
    return score;
  };
  for (const [cause, planted] of Object.entries(PLANTED))
    for (const seed of seeds) {
      const { must, may = [], slowBy } = planted;
      const concerns = incidentsOf(planted, seed).map(({ concern }) => concern);
      const isRight = (concern: Concern) =>
        must.includes(concern.code) &&
        (concern.code !== "model_slow" || concern.params.cause === slowBy);
      for (const code of must)
        if (concerns.some((concern) => concern.code === code && isRight(concern)))
          scoreOf(code).right++;
        else {
          scoreOf(code).missed++;
          mistakes.push(`${cause}, seed ${seed}: no ${code}`);
        }
      const seen = new Set<Concern["code"]>();
      for (const concern of concerns) {
        // Two incidents of one cause are one too many.
        const isOne = isRight(concern) && !seen.has(concern.code);
        seen.add(concern.code);
        if (isOne || (may.includes(concern.code) && !must.includes(concern.code))) continue;
        scoreOf(concern.code).wrong++;
        mistakes.push(`${cause}, seed ${seed}: ${concern.code} ${JSON.stringify(concern.params)}`);
      }
    }
  return { scores, mistakes, hours: seeds.length * Object.keys(PLANTED).length };
}

export const precisionOf = ({ right, wrong }: Score): number => right / (right + wrong);
export const recallOf = ({ right, missed }: Score): number => right / (right + missed);

/** Returns the scores as a table of Markdown. */
export const scoreTable = ({ scores }: JudgedTrace): string =>
  [
    "| concern | planted | precision | recall |",
    "| --- | --- | --- | --- |",
    ...[...scores].map(
      ([code, score]) =>
        `| \`${code}\` | ${score.right + score.missed} | ${precisionOf(score).toFixed(2)} | ${recallOf(score).toFixed(2)} |`,
    ),
  ].join("\n");

/** The setting in which a suite runs. */
import { randomOf } from "../../simulated/text.ts";
import { SHAPES, type Shape } from "./answers.ts";
import type { Stage } from "./stage.ts";

export type Random = () => number;

export type Setting = {
  stage: Stage;
  random: Random;
  /** Prints a line of progress. */
  print(line: string): void;
};

export const seeded = (seed: number): Random => randomOf(seed);

/** Returns a whole number from `from` to `to`, both included. */
export const between = (random: Random, from: number, to: number): number =>
  from + Math.floor(random() * (to - from + 1));

export const anyShape = (random: Random): Shape =>
  SHAPES[between(random, 0, SHAPES.length - 1)] ?? "ndjson";

/** Returns calls of every shape, of 1 to `tokens` tokens at up to `tokenMs` each. */
export const anyCall = (random: Random, tokens: number, tokenMs: number) => () => ({
  shape: anyShape(random),
  tokens: between(random, 1, tokens),
  tokenMs: between(random, 0, tokenMs),
});

/**
 * Two edges that answer in short turns, so that what else the machine does meets both alike: P12, callers
 * that reach workerd through the front of `npm start`; P19, callers with a key that the edge made.
 */
import { SHORT_TOKENS } from "./answers.ts";
import { type Figure, type Goal, median, overRounds, quantile, round } from "./figures.ts";
import type { Chain, Stage } from "./stage.ts";

const CALLERS = 64;
const CALLS_EACH = 2;
/** Parts of a measurement. The figure is the median over them. */
const ROUNDS = 9;
const TURNS = { busy: 8, alone: 80 };
const ASK = { tokens: SHORT_TOKENS, tokenMs: 0, stream: false };

/** The two edges, and the figures that compare the second with the first. */
export type Sides = {
  id: string;
  plain: Chain;
  other: Chain;
  /** Names of the two in the report. */
  names: [plain: string, other: string];
  /** The goals of the calls a second and of the first byte. */
  goals: [rate: Goal, first: Goal];
};

export async function measureSides(stage: Stage, sides: Sides): Promise<Figure[]> {
  const { id, plain, other, names, goals } = sides;
  const duel = (callers: number, calls: number, rounds: number) =>
    stage.duel([plain, other], { ...ASK, callers, calls, rounds });
  // Both have compiled their hot code before the first round.
  await duel(CALLERS, CALLS_EACH, TURNS.busy);
  const rps: [number, number][] = [];
  const firstMs: [number, number][] = [];
  const allFirstMs: [number[], number[]] = [[], []];
  let cpuMs = 0;
  for (let index = 0; index < ROUNDS; index++) {
    const before = process.cpuUsage();
    const busy = await duel(CALLERS, CALLS_EACH, TURNS.busy);
    const { user, system } = process.cpuUsage(before);
    cpuMs += (user + system) / 1_000;
    const rate = (side: number) =>
      (CALLERS * CALLS_EACH * 1_000) / median(busy[side]?.turnMs ?? []);
    rps.push([rate(0), rate(1)]);
    const alone = await duel(1, 1, TURNS.alone);
    firstMs.push([median(alone[0]?.firstMs ?? []), median(alone[1]?.firstMs ?? [])]);
    for (const side of [0, 1] as const) allFirstMs[side].push(...(alone[side]?.firstMs ?? []));
  }
  const ratioOf = (pairs: [number, number][]) => overRounds(pairs.map(([a, b]) => b / a));
  const middle = (pairs: [number, number][], side: 0 | 1) =>
    median(pairs.map((pair) => pair[side]));
  const what = `${names[1]} / ${names[0]}`;
  return [
    {
      id,
      name: `calls a second ${what}, 64 callers`,
      ...ratioOf(rps),
      unit: "x",
      goal_now: goals[0],
      goal: goals[0],
      detail: {
        plain_rps: Math.round(middle(rps, 0)),
        other_rps: Math.round(middle(rps, 1)),
        bench_cpu_ms: round(cpuMs / (ROUNDS * TURNS.busy * 2 * CALLERS * CALLS_EACH)),
      },
    },
    {
      id: `${id}.first`,
      name: `first byte ${what}, p50, 1 caller`,
      ...ratioOf(firstMs),
      unit: "x",
      goal_now: goals[1],
      goal: goals[1],
      detail: {
        plain_ms: round(middle(firstMs, 0)),
        other_ms: round(middle(firstMs, 1)),
        plain_p99_ms: round(quantile(allFirstMs[0], 0.99)),
        other_p99_ms: round(quantile(allFirstMs[1], 0.99)),
        calls: ROUNDS * TURNS.alone * 2,
      },
    },
  ];
}

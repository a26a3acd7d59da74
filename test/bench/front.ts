/**
 * P12: the edge of `npm start`, whose callers reach workerd through the front, against one without
 * it. Both answer in short turns, so that what else the machine does meets both alike.
 */
import { SHORT_TOKENS } from "./answers.ts";
import { type Figure, median, overRounds, round } from "./figures.ts";
import type { Chain, Stage } from "./stage.ts";

const CALLERS = 64;
const CALLS_EACH = 2;
/** Parts of a measurement. The figure is the median over them. */
const ROUNDS = 9;
const TURNS = { busy: 8, alone: 80 };
const ASK = { tokens: SHORT_TOKENS, tokenMs: 0, stream: false };

export async function measureFront(stage: Stage, inner: Chain, front: Chain): Promise<Figure[]> {
  const duel = (callers: number, calls: number, rounds: number) =>
    stage.duel([inner, front], { ...ASK, callers, calls, rounds });
  // Both have compiled their hot code before the first round.
  await duel(CALLERS, CALLS_EACH, TURNS.busy);
  const rps: [number, number][] = [];
  const firstMs: [number, number][] = [];
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
  }
  const ratioOf = (pairs: [number, number][]) => overRounds(pairs.map(([a, b]) => b / a));
  const middle = (pairs: [number, number][], side: 0 | 1) =>
    median(pairs.map((pair) => pair[side]));
  return [
    {
      id: "P12",
      name: "calls a second at npm start / workerd alone, 64 callers",
      ...ratioOf(rps),
      unit: "x",
      goal_now: { atLeast: 0.95 },
      goal: { atLeast: 0.95 },
      detail: {
        inner_rps: Math.round(middle(rps, 0)),
        front_rps: Math.round(middle(rps, 1)),
        front_cpu_ms: round(cpuMs / (ROUNDS * TURNS.busy * 2 * CALLERS * CALLS_EACH)),
      },
    },
    {
      id: "P12.first",
      name: "first byte at npm start / workerd alone, p50, 1 caller",
      ...ratioOf(firstMs),
      unit: "x",
      goal_now: { atMost: 1.05 },
      goal: { atMost: 1.05 },
      detail: {
        inner_ms: round(middle(firstMs, 0)),
        front_ms: round(middle(firstMs, 1)),
        calls: ROUNDS * TURNS.alone * 2,
      },
    },
  ];
}

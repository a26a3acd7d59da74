/**
 * P7 and P8: 64 concurrent streams of 100 tokens: CPU time per stream, and how much longer they
 * take than direct calls. P17 and P18, at the pace of a real model: how smoothly tokens arrive, and how late
 * the first one is when all streams begin together, both also through the echo floor, which sends each token
 * in a message of its own.
 */
import { type Figure, type Goal, inTurns, median, overRounds, quantile, round } from "./figures.ts";
import type { Target } from "./load.ts";
import type { Chain, Stage } from "./stage.ts";

const ROUNDS = 5;
const CALLERS = 64;
const TOKENS = 100;
/** Streams that each caller reads one after another in one round. */
const CALLS = 8;
const FAST_MS = 1;
/** The pace of a real model, where every token is a chunk of its own. */
const REAL_MS = 20;

export async function measureStreams(stage: Stage, floor: Chain, chain: Chain): Promise<Figure[]> {
  const floorStream = { port: floor.port, path: "/stream" };
  const total: Record<"direct" | "chain", number[]> = { direct: [], chain: [] };
  const fast: Cost[] = [];
  const real: Cost[] = [];
  const directReal: Cost[] = [];
  const floorReal: Cost[] = [];
  const alone: Cost[] = [];
  await costOf(stage, chain, FAST_MS, CALLS);
  await inTurns(ROUNDS, {
    direct: async () =>
      void total.direct.push(
        median((await stage.run(stage.direct, loadOf(FAST_MS, CALLS))).totalMs),
      ),
    chain: async () => {
      const cost = await costOf(stage, chain, FAST_MS, CALLS);
      fast.push(cost);
      total.chain.push(cost.totalMs);
    },
    directReal: async () => void directReal.push(await costOf(stage, stage.direct, REAL_MS, 1)),
    floorReal: async () => void floorReal.push(await costOf(stage, floorStream, REAL_MS, 1)),
    real: async () => void real.push(await costOf(stage, chain, REAL_MS, 1)),
    alone: async () => void alone.push(await costOf(stage, chain, REAL_MS, 1, 1)),
  });
  return [
    { ...cpuFigure("P7", FAST_MS, fast), goal_now: { atMost: 2.9 }, goal: { atMost: 1.77 } },
    cpuFigure("P7.real", REAL_MS, real),
    {
      id: "P8",
      name: `chain / direct, whole stream of ${TOKENS} tokens at ${FAST_MS} ms p50, ${CALLERS} streams`,
      ...overRounds(total.chain.map((chainMs, index) => chainMs / (total.direct[index] ?? 0))),
      unit: "x",
      goal_now: { atMost: 1.5 },
      goal: { atMost: 1.1 },
      detail: { direct_ms: round(median(total.direct)), chain_ms: round(median(total.chain)) },
    },
    gapFigure("P17", alone, { directReal, floorReal }, 1, { atMost: 21 }),
    gapFigure("P17.64", real, { directReal, floorReal }, CALLERS, { atMost: 30 }),
    {
      id: "P18",
      name: `first token p50, ${CALLERS} streams that begin together, chain - direct`,
      ...overRounds(real.map(({ firstMs }, index) => firstMs - (directReal[index]?.firstMs ?? 0))),
      unit: "ms",
      goal_now: { atMost: 25 },
      goal: { atMost: 10 },
      detail: {
        direct_ms: round(median(directReal.map(({ firstMs }) => firstMs))),
        floor_ms: round(median(floorReal.map(({ firstMs }) => firstMs))),
        chain_ms: round(median(real.map(({ firstMs }) => firstMs))),
        direct_p99_ms: round(median(directReal.map(({ first99Ms }) => first99Ms))),
        floor_p99_ms: round(median(floorReal.map(({ first99Ms }) => first99Ms))),
        chain_p99_ms: round(median(real.map(({ first99Ms }) => first99Ms))),
      },
    },
  ];
}

type Cost = {
  workerdMs: number;
  agentMs: number;
  totalMs: number;
  firstMs: number;
  first99Ms: number;
  gapMs: number;
  gap99Ms: number;
};

const loadOf = (tokenMs: number, calls: number, callers = CALLERS) => ({
  tokens: TOKENS,
  tokenMs,
  stream: true,
  callers,
  until: { calls },
});

async function costOf(
  stage: Stage,
  target: Chain | Target,
  tokenMs: number,
  calls: number,
  callers = CALLERS,
): Promise<Cost> {
  const cpuMs = () => ("cpuMs" in target ? target.cpuMs() : { workerd: 0, agent: 0 });
  const before = cpuMs();
  const { totalMs, firstMs, gapsMs } = await stage.run(target, loadOf(tokenMs, calls, callers));
  const after = cpuMs();
  const count = totalMs.length;
  return {
    workerdMs: (after.workerd - before.workerd) / count,
    agentMs: (after.agent - before.agent) / count,
    totalMs: median(totalMs),
    firstMs: quantile(firstMs, 0.5),
    first99Ms: quantile(firstMs, 0.99),
    gapMs: quantile(gapsMs, 0.5),
    gap99Ms: quantile(gapsMs, 0.99),
  };
}

const gapFigure = (
  id: string,
  costs: readonly Cost[],
  beside: Record<"directReal" | "floorReal", readonly Cost[]>,
  streams: number,
  goal_now: Goal,
): Figure => ({
  id,
  name: `time between parts p50 at ${REAL_MS} ms a token, ${streams} at once`,
  ...overRounds(costs.map(({ gapMs }) => gapMs)),
  unit: "ms",
  goal_now,
  goal: { atMost: streams === 1 ? 21 : 22 },
  detail: {
    p99_ms: round(median(costs.map(({ gap99Ms }) => gap99Ms))),
    floor_64_ms: round(median(beside.floorReal.map(({ gapMs }) => gapMs))),
    floor_64_p99_ms: round(median(beside.floorReal.map(({ gap99Ms }) => gap99Ms))),
    direct_64_ms: round(median(beside.directReal.map(({ gapMs }) => gapMs))),
    direct_64_p99_ms: round(median(beside.directReal.map(({ gap99Ms }) => gap99Ms))),
  },
});

const cpuFigure = (id: string, tokenMs: number, costs: readonly Cost[]): Figure => ({
  id,
  name: `CPU per stream of ${TOKENS} tokens at ${tokenMs} ms, workerd + agent, ${CALLERS} streams`,
  ...overRounds(costs.map(({ workerdMs, agentMs }) => workerdMs + agentMs)),
  unit: "ms",
  goal_now: null,
  goal: null,
  detail: {
    workerd_ms: round(median(costs.map(({ workerdMs }) => workerdMs))),
    agent_ms: round(median(costs.map(({ agentMs }) => agentMs))),
    first_byte_ms: round(median(costs.map(({ firstMs }) => firstMs))),
  },
});

/**
 * P7 and P8: 64 concurrent streams of 100 tokens: CPU time per stream, and how much longer they
 * take than direct calls.
 */
import { type Figure, inTurns, median, overRounds, quantile, round } from "./figures.ts";
import type { Chain, Stage, Target } from "./stage.ts";

const ROUNDS = 5;
const CALLERS = 64;
const TOKENS = 100;
/** Streams that each caller reads one after another in one round. */
const CALLS = 8;
const FAST_MS = 1;
/** The pace of a real model, where every token is a chunk of its own. */
const REAL_MS = 20;

export async function measureStreams(stage: Stage, chain: Chain): Promise<Figure[]> {
  const total: Record<"direct" | "chain", number[]> = { direct: [], chain: [] };
  const fast: Cost[] = [];
  const real: Cost[] = [];
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
    real: async () => void real.push(await costOf(stage, chain, REAL_MS, 1)),
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
  ];
}

type Cost = { workerdMs: number; agentMs: number; totalMs: number; firstMs: number };

const loadOf = (tokenMs: number, calls: number) => ({
  tokens: TOKENS,
  tokenMs,
  stream: true,
  callers: CALLERS,
  until: { calls },
});

async function costOf(
  stage: Stage,
  target: Chain & Target,
  tokenMs: number,
  calls: number,
): Promise<Cost> {
  const before = target.cpuMs();
  const { totalMs, firstMs } = await stage.run(target, loadOf(tokenMs, calls));
  const after = target.cpuMs();
  const count = totalMs.length;
  return {
    workerdMs: (after.workerd - before.workerd) / count,
    agentMs: (after.agent - before.agent) / count,
    totalMs: median(totalMs),
    firstMs: quantile(firstMs, 0.5),
  };
}

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

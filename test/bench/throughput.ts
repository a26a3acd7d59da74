/**
 * P4 and P6: short answers at full speed with 64 callers: calls a second against the echo floor,
 * and CPU time per call.
 */
import { SHORT_TOKENS } from "./answers.ts";
import { type Figure, inTurns, median, overRounds, quantile, round } from "./figures.ts";
import type { Chain, Stage } from "./stage.ts";

const ROUNDS = 5;
const SECONDS = 2;
const CALLERS = 64;

export async function measureThroughput(
  stage: Stage,
  floor: Chain,
  chain: Chain,
): Promise<Figure[]> {
  const rps: Record<"floor" | "chain", number[]> = { floor: [], chain: [] };
  const cpu: Record<"workerd" | "agent", number[]> = { workerd: [], agent: [] };
  const floorMs: number[] = [];
  const p99: Record<"floor" | "chain", number[]> = { floor: [], chain: [] };
  const p50: Record<"floor" | "chain", number[]> = { floor: [], chain: [] };
  const take = (side: "floor" | "chain", totalMs: readonly number[]) => {
    p99[side].push(quantile(totalMs, 0.99));
    p50[side].push(quantile(totalMs, 0.5));
  };
  const runLoad = (target: Chain, seconds = SECONDS) =>
    stage.run(target, {
      tokens: SHORT_TOKENS,
      tokenMs: 0,
      stream: false,
      callers: CALLERS,
      until: { seconds },
    });
  // Both engines have compiled their hot code before the first round.
  await runLoad(floor, 1);
  await runLoad(chain, 2);
  await inTurns(ROUNDS, {
    floor: async () => {
      const before = floor.cpuMs();
      const { totalMs, seconds } = await runLoad(floor);
      const after = floor.cpuMs();
      floorMs.push((after.workerd + after.agent - before.workerd - before.agent) / totalMs.length);
      rps.floor.push(totalMs.length / seconds);
      take("floor", totalMs);
    },
    chain: async () => {
      const before = chain.cpuMs();
      const { totalMs, seconds } = await runLoad(chain);
      const after = chain.cpuMs();
      rps.chain.push(totalMs.length / seconds);
      take("chain", totalMs);
      for (const part of ["workerd", "agent"] as const)
        cpu[part].push((after[part] - before[part]) / totalMs.length);
    },
  });
  return [
    {
      id: "P4",
      name: "calls a second / echo floor, 64 callers",
      ...overRounds(rps.chain.map((chainRps, index) => chainRps / (rps.floor[index] ?? 0))),
      unit: "x",
      goal_now: null,
      goal: { atLeast: 0.95 },
      detail: {
        floor_rps: Math.round(median(rps.floor)),
        chain_rps: Math.round(median(rps.chain)),
      },
    },
    {
      id: "P4.p99",
      name: "p99 / p50 of short calls, 64 callers",
      ...overRounds(p99.chain.map((ms, index) => ms / (p50.chain[index] ?? 0))),
      unit: "x",
      goal_now: { atMost: 4 },
      goal: { atMost: 2.5 },
      detail: {
        p50_ms: round(median(p50.chain)),
        p99_ms: round(median(p99.chain)),
        floor_p50_ms: round(median(p50.floor)),
        floor_p99_ms: round(median(p99.floor)),
      },
    },
    {
      id: "P4.floor",
      name: "p99 of short calls / echo floor, 64 callers",
      ...overRounds(p99.chain.map((ms, index) => ms / (p99.floor[index] ?? 0))),
      unit: "x",
      goal_now: null,
      goal: null,
      detail: {},
    },
    {
      id: "P6",
      name: "CPU per call, workerd + agent, 64 callers",
      ...overRounds(cpu.workerd.map((workerdMs, index) => workerdMs + (cpu.agent[index] ?? 0))),
      unit: "ms",
      goal_now: null,
      goal: { atMost: 0.4 },
      detail: {
        workerd_ms: round(median(cpu.workerd)),
        agent_ms: round(median(cpu.agent)),
        floor_ms: round(median(floorMs)),
      },
    },
  ];
}

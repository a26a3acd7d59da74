/** P1: what the product adds to the first byte of a short answer, against what an echo over the same hops costs. One caller. */
import { SHORT_TOKENS } from "./answers.ts";
import { type Figure, inTurns, median, overRounds, round } from "./figures.ts";
import type { Chain, Stage, Target } from "./stage.ts";

const ROUNDS = 9;
const CALLS = 300;

export async function measureFirstByte(stage: Stage, floor: Target, chain: Chain): Promise<Figure[]> {
  const p50: Record<"direct" | "floor" | "chain", number[]> = { direct: [], floor: [], chain: [] };
  const ask = async (target: Target) => {
    const load = { tokens: SHORT_TOKENS, tokenMs: 0, stream: false, callers: 1, until: { calls: CALLS } };
    return median((await stage.run(target, load)).firstMs);
  };
  await inTurns(ROUNDS, {
    direct: async () => void p50.direct.push(await ask(stage.direct)),
    floor: async () => void p50.floor.push(await ask(floor)),
    chain: async () => void p50.chain.push(await ask(chain)),
  });
  const ratios = p50.chain.map((chainMs, index) => (chainMs - (p50.direct[index] ?? 0)) / (p50.floor[index] ?? 0));
  return [
    {
      id: "P1",
      name: "(chain - direct) / echo floor, first byte p50, 1 caller",
      ...overRounds(ratios),
      unit: "x",
      goal_now: { atMost: 1.31 },
      goal: { atMost: 1.1 },
      detail: { direct_ms: round(median(p50.direct)), floor_ms: round(median(p50.floor)), chain_ms: round(median(p50.chain)) },
    },
  ];
}

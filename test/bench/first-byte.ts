/**
 * P1: the delay of the first byte of a short answer, against an echo over the same hops. One
 * caller.
 */
import { bodyOf, expectedOf, SHORT_TOKENS } from "./answers.ts";
import { type Figure, inTurns, median, overRounds, round } from "./figures.ts";
import type { Target } from "./load.ts";
import type { Chain, Stage } from "./stage.ts";

const ROUNDS = 9;
const CALLS = 300;
const ASK = { tokens: SHORT_TOKENS, tokenMs: 0, stream: false };

/**
 * Measured twice: `P1` with a bare socket, which adds next to nothing, and `P1.fetch` with the
 * client that callers use, whose cost is part of all three times. The reference figures were taken
 * with a client like the second (direct: 0.29 ms).
 */
export async function measureFirstByte(
  stage: Stage,
  floor: Target,
  chain: Chain,
): Promise<Figure[]> {
  const bySocket = async (target: Target) =>
    median((await stage.run(target, { ...ASK, callers: 1, until: { calls: CALLS } })).firstMs);
  const byFetch = async (target: Target) => {
    const times = await fetchTimes(target);
    if (target === chain) chain.calls += times.length;
    return median(times);
  };
  return [
    await figureOf(
      "P1",
      "(chain - direct) / echo floor, first byte p50, 1 caller",
      stage,
      floor,
      chain,
      bySocket,
    ),
    await figureOf(
      "P1.fetch",
      "the same with Node's fetch as the caller",
      stage,
      floor,
      chain,
      byFetch,
    ),
  ];
}

async function figureOf(
  id: string,
  name: string,
  stage: Stage,
  floor: Target,
  chain: Chain,
  measureCall: (target: Target) => Promise<number>,
): Promise<Figure> {
  const p50: Record<"direct" | "floor" | "chain", number[]> = { direct: [], floor: [], chain: [] };
  await inTurns(ROUNDS, {
    direct: async () => void p50.direct.push(await measureCall(stage.direct)),
    floor: async () => void p50.floor.push(await measureCall(floor)),
    chain: async () => void p50.chain.push(await measureCall(chain)),
  });
  const ratios = p50.chain.map(
    (chainMs, index) => (chainMs - (p50.direct[index] ?? 0)) / (p50.floor[index] ?? 0),
  );
  return {
    id,
    name,
    ...overRounds(ratios),
    unit: "x",
    goal_now: { atMost: 1.31 },
    goal: { atMost: 1.1 },
    detail: {
      direct_ms: round(median(p50.direct)),
      floor_ms: round(median(p50.floor)),
      chain_ms: round(median(p50.chain)),
    },
  };
}

/**
 * Returns the milliseconds to the first byte of the body, for calls one after the other. @throws if
 * an answer is wrong
 */
async function fetchTimes({ port, path }: Target): Promise<number[]> {
  const body = bodyOf(ASK);
  const expected = expectedOf(ASK).toString();
  const times: number[] = [];
  for (let calls = 0; calls < CALLS; calls++) {
    const startMs = performance.now();
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, { method: "POST", body });
    const reader = answer.body?.getReader();
    const first = await reader?.read();
    times.push(performance.now() - startMs);
    let text = Buffer.from(first?.value ?? []).toString();
    for (let part = await reader?.read(); part && !part.done; part = await reader?.read())
      text += Buffer.from(part.value).toString();
    if (answer.status !== 200 || text !== expected)
      throw new Error(`a wrong answer: ${answer.status} ${text.slice(0, 200)}`);
  }
  return times;
}

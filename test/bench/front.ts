/**
 * P12: the edge of `npm start`, whose callers and agent reach workerd through the front, against one
 * without it.
 */
import { SHORT_TOKENS } from "./answers.ts";
import { type Figure, inTurns, median, overRounds, round } from "./figures.ts";
import type { Load } from "./load.ts";
import type { Chain, Stage } from "./stage.ts";

const ROUNDS = 9;
const SECONDS = 2;
const CALLERS = 64;
const CALLS = 300;
const ASK = { tokens: SHORT_TOKENS, tokenMs: 0, stream: false };

export async function measureFront(stage: Stage, inner: Chain, front: Chain): Promise<Figure[]> {
  const chains = { inner, front };
  const run = (chain: Chain, load: Pick<Load, "callers" | "until">) =>
    stage.run(chain, { ...ASK, ...load });
  const rps: Record<keyof typeof chains, number[]> = { inner: [], front: [] };
  const firstMs: Record<keyof typeof chains, number[]> = { inner: [], front: [] };
  const cpuMs: number[] = [];
  const measure = async (way: keyof typeof chains) => {
    const before = process.cpuUsage();
    const busy = await run(chains[way], { callers: CALLERS, until: { seconds: SECONDS } });
    const { user, system } = process.cpuUsage(before);
    if (way === "front") cpuMs.push((user + system) / 1_000 / busy.totalMs.length);
    rps[way].push(busy.totalMs.length / busy.seconds);
    const alone = await run(chains[way], { callers: 1, until: { calls: CALLS } });
    firstMs[way].push(median(alone.firstMs));
  };
  // Both have compiled their hot code before the first round.
  for (const chain of [inner, front])
    await run(chain, { callers: CALLERS, until: { seconds: SECONDS } });
  await inTurns(ROUNDS, { inner: () => measure("inner"), front: () => measure("front") });
  const ratioOf = (values: typeof rps) =>
    overRounds(values.front.map((value, index) => value / (values.inner[index] ?? 0)));
  return [
    {
      id: "P12",
      name: "calls a second at npm start / workerd alone, 64 callers",
      ...ratioOf(rps),
      unit: "x",
      goal_now: { atLeast: 0.95 },
      goal: { atLeast: 0.95 },
      detail: {
        inner_rps: Math.round(median(rps.inner)),
        front_rps: Math.round(median(rps.front)),
        front_cpu_ms: round(median(cpuMs)),
      },
    },
    {
      id: "P12.first",
      name: "first byte at npm start / workerd alone, p50, 1 caller",
      ...ratioOf(firstMs),
      unit: "x",
      goal_now: { atMost: 1.05 },
      goal: { atMost: 1.05 },
      detail: { inner_ms: round(median(firstMs.inner)), front_ms: round(median(firstMs.front)) },
    },
  ];
}

/** Callers of streamed answers while packets of the tunnel are lost. */
import { summaryOf } from "./accounts.ts";
import type { Chain } from "./chain.ts";
import { type Finding, promise, spreadOf } from "./figures.ts";
import type { Stage } from "./stage.ts";
import { anyShape, between, type Random } from "./suite.ts";
import { loadNow, until } from "./waiting.ts";

export type LossPlan = { streams: number; seconds: number };

/** Loses packets for this long. @returns a description of what was lost */
export type Lose = (chain: Chain, seconds: number, random: Random) => Promise<string>;

export async function lossyLoad(
  stage: Stage,
  random: Random,
  { streams, seconds }: LossPlan,
  by: string,
  lose: Lose,
): Promise<Finding> {
  await using chain = await stage.chain();
  const { callers, proxy } = chain;
  let isOver = false;
  const load = callers.load(
    streams,
    () => ({ shape: anyShape(random), tokens: between(random, 20, 150), tokenMs: 20 }),
    () => isOver,
  );
  await until(() => callers.open.size === streams, "all streams are open");
  const [dials, before] = [proxy.count, callers.entries.length];
  const lost = await lose(chain, seconds, random);
  const redials = proxy.count - dials;
  const late = spreadOf(
    callers.entries
      .slice(before)
      .map(({ callPlan, totalMs }) => totalMs - callPlan.tokens * callPlan.tokenMs),
  );
  isOver = true;
  await load;
  await chain.endWaiting();
  const failed = callers.entries.filter(({ outcome }) => outcome !== "whole");
  const accounts = await chain.accounts();
  return promise(
    "R10",
    `5 % of the tunnel's packets lost (${by}) for ${seconds} s, ${streams} streams`,
    "no failed stream, every byte right",
    `${lost}; ${redials} reconnects; answers later than Ollama by ${late.text}; ${summaryOf(accounts)}, ${loadNow()}`,
    [
      ...failed.map(
        ({ callPlan, outcome, why }) => `${callPlan.key} ended ${outcome}: ${why.slice(0, 200)}`,
      ),
      ...accounts.problems,
    ],
  );
}

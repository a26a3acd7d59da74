/** The network delays everything for seconds and then delivers it. */
import { setTimeout as sleep } from "node:timers/promises";
import { SILENCE_MS } from "../../protocol/limits.ts";
import { summaryOf } from "./accounts.ts";
import { type Finding, promise } from "./figures.ts";
import { anyShape, between, type Setting } from "./suite.ts";
import { loadNow, until } from "./waiting.ts";

export type StallPlan = { streams: number; outages: number };

export async function stall(
  { stage, random }: Setting,
  { streams, outages }: StallPlan,
): Promise<Finding[]> {
  await using chain = await stage.chain();
  const { callers, proxy } = chain;
  let isOver = false;
  const load = callers.load(
    streams,
    () => ({ shape: anyShape(random), tokens: between(random, 20, 150), tokenMs: 20 }),
    () => isOver,
  );
  await until(() => callers.open.size === streams, "all streams are open");
  for (let outage = 0; outage < outages; outage++) {
    // Outages around the silence limit of both sides. Some are noticed, and then the delayed bytes
    // arrive on sockets that have been replaced.
    proxy.hold();
    await sleep(between(random, SILENCE_MS - 1_000, SILENCE_MS + 2_500));
    proxy.release();
    await sleep(between(random, 500, 1_500));
  }
  isOver = true;
  await load;
  await chain.endWaiting();
  const failed = callers.entries.filter(
    ({ outcome }) => outcome !== "whole" && outcome !== "refused",
  );
  const accounts = await chain.accounts();
  const problems = failed.map(
    ({ callPlan, outcome, why }) => `${callPlan.key} ended ${outcome}: ${why.slice(0, 200)}`,
  );
  return [
    promise(
      "R10",
      `${outages} outages around ${SILENCE_MS} ms, ${streams} streams`,
      "no failed stream, every byte right",
      `${callers.count("refused")} calls refused in outages; ${summaryOf(accounts)}, ${loadNow()}`,
      [...problems, ...accounts.problems],
    ),
  ];
}

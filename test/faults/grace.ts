/** The agent stays away longer than the grace period. */
import { setTimeout as sleep } from "node:timers/promises";
import { GRACE_MS } from "../../protocol/limits.ts";
import { summaryOf } from "./accounts.ts";
import { SHAPES } from "./answers.ts";
import { streamed } from "./callers.ts";
import { type Finding, promise } from "./figures.ts";
import type { Setting } from "./suite.ts";
import { until } from "./waiting.ts";

/** The first byte of a call arrives within this time. */
const BEGIN_MS = 5_000;

/** Checks that each answer ends in its own format and leaves one error record. */
export async function grace({ stage }: Setting): Promise<Finding[]> {
  await using chain = await stage.chain();
  const { callers, proxy } = chain;
  const calls = SHAPES.map((shape) => callers.call(shape, 10_000, 20));
  await Promise.all(streamed(calls).map((call) => call.nextByte(BEGIN_MS)));
  proxy.isOpen = false;
  proxy.cut();
  const startMs = performance.now();
  const entries = await Promise.all(calls.map(({ ended }) => ended));
  const tookMs = performance.now() - startMs;
  proxy.isOpen = true;
  await until(
    async () => (await chain.boxes()).some(({ state }) => state === "up"),
    "the agent is connected again",
    2 * GRACE_MS,
  );
  // Records that the agent still has to deliver must not count again.
  await sleep(1_500);
  const problems = entries.flatMap(({ callPlan, outcome, why }) => {
    // A shape without room for an error breaks off. A call that had not begun is refused.
    const wanted =
      callPlan.shape === "plain" ? "broken" : callPlan.shape === "json" ? "refused" : "errored";
    return outcome === wanted
      ? []
      : [`the ${callPlan.shape} answer ended ${outcome} (${why.slice(0, 200)}), not ${wanted}`];
  });
  const accounts = await chain.accounts();
  const rows = await chain.rows();
  for (const { id, status, failed_at } of rows)
    if (status !== "error" || failed_at !== "tunnel")
      problems.push(`the record of ${id} has status ${status}, failed at ${failed_at}`);
  return [
    promise(
      "R9",
      `the agent is away for more than ${GRACE_MS / 1_000} s: ${SHAPES.join(", ")}`,
      "each answer ends in its own format and has one error record",
      `ended after ${(tookMs / 1_000).toFixed(1)} s; ${summaryOf(accounts)}`,
      [...problems, ...accounts.problems],
    ),
  ];
}

/** The tunnel is cut at any byte, in either direction, and the callers see a pause. */
import { setTimeout as sleep } from "node:timers/promises";
import { GRACE_MS } from "../../protocol/limits.ts";
import { saidOf } from "./accounts.ts";
import { SHAPES } from "./answers.ts";
import type { OpenCall } from "./callers.ts";
import { type Finding, measured, promise, spreadOf } from "./figures.ts";
import { type Chain, loadNow, until } from "./stage.ts";
import { anyShape, between, type Setting } from "./suite.ts";

export type ResumePlan = { cuts: number; streams: number; tokens: number; stormMs: number };

/** A stream that says nothing for so long after the path is back hangs. */
const HANG_MS = 5_000;
/** Between two cuts of the storm. */
const STORM_EVERY_MS = 50;
/** A cut that no byte brings comes all the same. */
const CUT_LATEST_MS = 400;

export async function resume({ stage, random, say }: Setting, { cuts, streams, tokens, stormMs }: ResumePlan): Promise<Finding[]> {
  await using chain = await stage.chain();
  const { callers, proxy } = chain;
  let isOver = false;
  const next = () => ({ shape: anyShape(random), tokens: between(random, tokens / 5, tokens), tokenMs: 30 });
  const load = callers.load(streams, next, () => isOver);
  await until(() => callers.open.size === streams, "all streams are open");

  const backMs: number[] = [];
  const problems: string[] = [];
  for (let cut = 1; cut <= cuts; cut++) {
    await cutOnce(chain, between(random, 0, 1) === 0 ? ["up", between(random, 1, 40_000)] : ["down", between(random, 1, 400)]);
    // Away for a while: what was on the way has arrived then, and the next byte is one of after.
    const awayMs = random() < 0.3 ? 0 : between(random, 60, 250);
    if (awayMs > 0) await sleep(awayMs);
    proxy.isOpen = true;
    const openMs = performance.now();
    const waits = await Promise.all([...callers.open].map(async (call) => ({ call, atMs: await call.nextByte(HANG_MS) })));
    for (const { call, atMs } of waits) {
      if (atMs === null) problems.push(`${call.ask.key} said nothing for ${HANG_MS} ms after cut ${cut}`);
      else if (awayMs > 0) backMs.push(atMs - openMs);
    }
    if (cut % 100 === 0) say(`${cut} cuts, ${callers.entries.length} streams ended`);
  }

  for (const endMs = performance.now() + stormMs; performance.now() < endMs; await sleep(STORM_EVERY_MS)) proxy.cut();
  isOver = true;
  await load;
  await chain.endWaiting();

  // Who calls while the tunnel is away is refused, and may come again: only what had begun must go on.
  const failed = callers.entries.filter(({ outcome }) => outcome !== "whole" && outcome !== "refused");
  problems.push(...callers.wrongs, ...failed.map(({ ask, outcome, why }) => `${ask.key} ended ${outcome}: ${why.slice(0, 200)}`));
  const accounts = await chain.accounts();
  const rows = await chain.rows();
  const resumed = rows.filter((row) => row.resumed > 0).length;
  if (resumed === 0) problems.push("no record says that its stream was resumed");
  const spread = spreadOf(backMs);
  return [
    promise(
      "R7",
      `the tunnel cut ${cuts} times at random bytes, ${streams} streams, then every ${STORM_EVERY_MS} ms for ${stormMs / 1_000} s`,
      "every byte right",
      `${callers.count("whole")} answers, ${problems.length} not right, ${callers.count("refused")} calls refused meanwhile; ${resumed} records say resumed; ${saidOf(accounts)}`,
      [...problems, ...accounts.problems],
    ),
    measured("R7", "from the path being back to the next byte", "p99 <= 250 ms", `${spread.said}, ${loadNow()}`, spread.p99 <= 250),
  ];
}

/** Cuts at a byte, or soon if no byte comes. The way stays closed. */
async function cutOnce({ proxy }: Chain, [direction, bytes]: ["up" | "down", number]): Promise<void> {
  await Promise.race([proxy.cutAfter(direction, bytes), sleep(CUT_LATEST_MS)]);
  proxy.isOpen = false;
  proxy.cut();
}

/** The agent stays away longer than the grace period: each answer ends in its own format, and leaves one error record. */
export async function grace({ stage }: Setting): Promise<Finding[]> {
  await using chain = await stage.chain();
  const { callers, proxy } = chain;
  const calls = SHAPES.map((shape) => callers.ask(shape, 10_000, 20));
  await Promise.all(calls.map((call) => call.nextByte(HANG_MS)));
  proxy.isOpen = false;
  proxy.cut();
  const startMs = performance.now();
  const entries = await Promise.all(calls.map(({ ended }: OpenCall) => ended));
  const tookMs = performance.now() - startMs;
  proxy.isOpen = true;
  await until(async () => (await chain.boxes()).some(({ state }) => state === "up"), "the agent is back", 2 * GRACE_MS);
  // What the agent still has to say of them must not count again.
  await sleep(1_500);
  const problems = entries.flatMap(({ ask, outcome, why }) => {
    const wanted = ask.shape === "plain" || ask.shape === "json" ? "broken" : "told";
    return outcome === wanted ? [] : [`the ${ask.shape} answer ended ${outcome} (${why.slice(0, 200)}), not ${wanted}`];
  });
  const accounts = await chain.accounts();
  const rows = await chain.rows();
  for (const { id, status, failed_at } of rows)
    if (status !== "error" || failed_at !== "tunnel") problems.push(`the record of ${id} says ${status}, failed at ${failed_at}`);
  return [
    promise(
      "R9",
      `the agent away for more than ${GRACE_MS / 1_000} s: ${SHAPES.join(", ")}`,
      "each ends in its own format, one error record each",
      `ended after ${(tookMs / 1_000).toFixed(1)} s; ${saidOf(accounts)}`,
      [...problems, ...accounts.problems],
    ),
  ];
}

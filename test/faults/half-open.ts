/**
 * The link is half-open: packets vanish, and neither side is notified. Both must notice the
 * silence.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { GRACE_MS } from "../../protocol/limits.ts";
import { summaryOf } from "./accounts.ts";
import { streamed } from "./callers.ts";
import { type Finding, measured, promise, spreadOf } from "./figures.ts";
import { anyShape, type Setting } from "./suite.ts";
import { loadNow, until } from "./waiting.ts";

export type HalfOpenPlan = { rounds: number; streams: number; tokens: number; edge: boolean };

const GOAL_MS = 3_000;
const NOTICED_LATEST_MS = 15_000;

export async function halfOpen(setting: Setting, plan: HalfOpenPlan): Promise<Finding[]> {
  return [...(await agentNotices(setting, plan)), ...(plan.edge ? await edgeNotices(setting) : [])];
}

/** A router lost its state: the old connection carries nothing any more, and a new one works. */
async function agentNotices(
  { stage, random, print }: Setting,
  { rounds, streams, tokens }: HalfOpenPlan,
): Promise<Finding[]> {
  await using chain = await stage.chain();
  const { callers, proxy } = chain;
  let isOver = false;
  const load = callers.load(
    streams,
    () => ({ shape: anyShape(random), tokens, tokenMs: 50 }),
    () => isOver,
  );
  await until(() => callers.open.size === streams, "all streams are open");
  const noticedMs: number[] = [];
  const nextByteMs: number[] = [];
  for (let round = 0; round < rounds; round++) {
    // A tunnel that was up for five seconds reconnects at once. Then wait for a random moment
    // between two heartbeats.
    await sleep((round === 0 ? 500 : 5_500) + random() * 1_000);
    const dials = proxy.count;
    proxy.swallow("up", "down");
    const startMs = performance.now();
    await until(() => proxy.count > dials, "the agent reconnects", NOTICED_LATEST_MS);
    noticedMs.push(performance.now() - startMs);
    const waits = await Promise.all(streamed(callers.open).map((call) => call.nextByte(5_000)));
    nextByteMs.push(...waits.map((atMs) => (atMs ?? Number.POSITIVE_INFINITY) - startMs));
    print(`round ${round + 1}: noticed after ${Math.round(noticedMs.at(-1) ?? 0)} ms`);
  }
  isOver = true;
  await load;
  const failed = callers.entries
    .filter(({ outcome }) => outcome !== "whole")
    .map(({ callPlan, outcome, why }) => `${callPlan.key} ended ${outcome}: ${why}`);
  const accounts = await chain.accounts();
  const noticed = spreadOf(noticedMs);
  const subject = "a half-open tunnel that drops both directions";
  return [
    promise(
      "R8",
      `${subject}, ${rounds} times, ${streams} streams`,
      "every stream continues",
      summaryOf(accounts),
      [...failed, ...accounts.problems],
    ),
    measured(
      "R8",
      `${subject}: the agent reconnects`,
      "<= 3 s",
      `${noticed.text}, ${loadNow()}`,
      noticed.max <= GOAL_MS,
    ),
    measured(
      "R8",
      `${subject}: the callers' next byte`,
      "",
      `${spreadOf(nextByteMs).text}, ${loadNow()}`,
      true,
    ),
  ];
}

/**
 * The same without a way back. The end of the grace period shows from outside when the edge
 * noticed: answers end with an error this long after the edge first missed its agent.
 */
async function edgeNotices({ stage }: Setting): Promise<Finding[]> {
  await using chain = await stage.chain();
  const { callers, proxy } = chain;
  const calls = Array.from({ length: 8 }, () => callers.call("ndjson", 10_000, 50));
  await Promise.all(calls.map((call) => call.nextByte(5_000)));
  proxy.swallow("up", "down");
  proxy.isOpen = false;
  const startMs = performance.now();
  const ends = await Promise.all(
    calls.map(async ({ ended }) => ({ entry: await ended, atMs: performance.now() })),
  );
  proxy.isOpen = true;
  await until(
    async () => (await chain.boxes()).some(({ state }) => state === "up"),
    "the agent is connected again",
    2 * GRACE_MS,
  );
  const noticed = spreadOf(ends.map(({ atMs }) => atMs - startMs - GRACE_MS));
  const problems = ends.flatMap(({ entry: { outcome, why } }) =>
    outcome === "errored" ? [] : [`an answer ended ${outcome}: ${why}`],
  );
  const accounts = await chain.accounts();
  return [
    promise(
      "R8",
      "a half-open tunnel that stays broken",
      "the answers end with an error",
      summaryOf(accounts),
      [...problems, ...accounts.problems],
    ),
    measured(
      "R8",
      "a half-open tunnel: the edge's streams notice that their agent is missing",
      "<= 3 s",
      `${noticed.text}, ${loadNow()}`,
      noticed.max <= GOAL_MS,
    ),
  ];
}

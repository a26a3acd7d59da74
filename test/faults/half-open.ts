/** The link is half-open: packets are swallowed, nobody is told. Both sides must notice by the silence. */
import { setTimeout as sleep } from "node:timers/promises";
import { GRACE_MS } from "../../protocol/limits.ts";
import { saidOf } from "./accounts.ts";
import { streamed } from "./callers.ts";
import { type Finding, measured, promise, spreadOf } from "./figures.ts";
import { loadNow, until } from "./stage.ts";
import { anyShape, type Setting } from "./suite.ts";

export type HalfOpenPlan = { rounds: number; streams: number; tokens: number; edge: boolean };

const GOAL_MS = 3_000;
const NOTICED_LATEST_MS = 15_000;

export async function halfOpen(setting: Setting, plan: HalfOpenPlan): Promise<Finding[]> {
  return [...(await agentNotices(setting, plan)), ...(plan.edge ? await edgeNotices(setting) : [])];
}

/** A router forgot the connection: the old one carries nothing any more, a new one works. */
async function agentNotices(
  { stage, random, say }: Setting,
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
    // A tunnel that held for five seconds is dialled again at once. Then any moment between two heartbeats.
    await sleep((round === 0 ? 500 : 5_500) + random() * 1_000);
    const dials = proxy.count;
    proxy.swallow("up", "down");
    const startMs = performance.now();
    await until(() => proxy.count > dials, "the agent dials again", NOTICED_LATEST_MS);
    noticedMs.push(performance.now() - startMs);
    const waits = await Promise.all(streamed(callers.open).map((call) => call.nextByte(5_000)));
    nextByteMs.push(...waits.map((atMs) => (atMs ?? Number.POSITIVE_INFINITY) - startMs));
    say(`round ${round + 1}: noticed after ${Math.round(noticedMs.at(-1) ?? 0)} ms`);
  }
  isOver = true;
  await load;
  const failed = callers.entries
    .filter(({ outcome }) => outcome !== "whole")
    .map(({ ask, outcome, why }) => `${ask.key} ended ${outcome}: ${why}`);
  const accounts = await chain.accounts();
  const noticed = spreadOf(noticedMs);
  const what = "a half-open tunnel, both directions swallowed";
  return [
    promise(
      "R8",
      `${what}, ${rounds} times, ${streams} streams`,
      "every stream goes on",
      saidOf(accounts),
      [...failed, ...accounts.problems],
    ),
    measured(
      "R8",
      `${what}: the agent dials again`,
      "<= 3 s",
      `${noticed.said}, ${loadNow()}`,
      noticed.max <= GOAL_MS,
    ),
    measured(
      "R8",
      `${what}: the callers' next byte`,
      "",
      `${spreadOf(nextByteMs).said}, ${loadNow()}`,
      true,
    ),
  ];
}

/**
 * The same, and no way back. When the edge noticed is seen from outside by when its grace period ends:
 * the answer ends with an error so long after the edge first missed its agent.
 */
async function edgeNotices({ stage }: Setting): Promise<Finding[]> {
  await using chain = await stage.chain();
  const { callers, proxy } = chain;
  const calls = Array.from({ length: 8 }, () => callers.ask("ndjson", 10_000, 50));
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
    "the agent is back",
    2 * GRACE_MS,
  );
  const noticed = spreadOf(ends.map(({ atMs }) => atMs - startMs - GRACE_MS));
  const problems = ends.flatMap(({ entry: { outcome, why } }) =>
    outcome === "told" ? [] : [`an answer ended ${outcome}: ${why}`],
  );
  const accounts = await chain.accounts();
  return [
    promise(
      "R8",
      "a half-open tunnel that does not come back",
      "the answers end with an error",
      saidOf(accounts),
      [...problems, ...accounts.problems],
    ),
    measured(
      "R8",
      "a half-open tunnel: the edge's streams miss their agent",
      "<= 3 s",
      `${noticed.said}, ${loadNow()}`,
      noticed.max <= GOAL_MS,
    ),
  ];
}

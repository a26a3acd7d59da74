/** Reads `/api/health`, and everything else that `/api/live` shows of the edge. */
import type { Health } from "../../protocol/api/fleet.ts";
import type { Live } from "../../protocol/api/live.ts";
import { aggregatorOf } from "../aggregator/stub.ts";
import { boxHealth } from "../answers/boxes.ts";
import { concernsOf, degrades, sentenceOf } from "../answers/concerns.ts";
import type { Bindings } from "../env.ts";
import { type BoxStatuses, upNames } from "../registered-box.ts";
import { VERSION } from "../version.ts";

/** Calls to the Aggregator, all at once: `/api/health` waits for one round trip. */
export const AGGREGATOR_CALLS = 4;

/** @param live  the current status of each box, from its own object */
export async function readHealth(
  env: Bindings,
  live: BoxStatuses,
): Promise<Pick<Live, "health" | "stats" | "recent" | "boxes">> {
  const aggregator = aggregatorOf(env);
  const [boxes, sinceMs, observed, now] = await Promise.all([
    aggregator.registry(),
    aggregator.since(),
    aggregator.observed(),
    aggregator.now(live),
  ]);
  const isUp = upNames(live);
  const nowMs = Date.now();
  const concerns = concernsOf({
    boxes: now.boxes,
    recent: now.recent,
    queueDepth: now.stats.queue_depth,
    ...observed,
    nowMs,
  });
  const degrading = concerns.filter(degrades);
  const health: Health = {
    // Never worse than degraded: an edge that is down cannot send this.
    status: degrading.length === 0 ? "healthy" : "degraded",
    uptime_seconds: Math.floor((nowMs - sinceMs) / 1_000),
    timestamp: new Date(nowMs).toISOString(),
    simulated: boxes.some(({ hello }) => hello.simulated),
    version: VERSION,
    problems: degrading.map(sentenceOf),
    concerns,
    boxes: boxes.map((box) => boxHealth(box, isUp.has(box.name))),
    sinks: observed.stores.map(({ health }) => health),
  };
  return { health, ...now };
}

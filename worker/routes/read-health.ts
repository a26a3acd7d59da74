/** Reads `/api/health`, and everything else that `/api/live` shows of the edge. */
import { BoxHealth, type Health } from "../../protocol/api/fleet.ts";
import type { Live } from "../../protocol/api/live.ts";
import { aggregatorOf } from "../aggregator/stub.ts";
import { concernsOf, degrades, sentenceOf } from "../answers/concerns.ts";
import type { Bindings } from "../env.ts";
import { VERSION } from "../version.ts";

export async function readHealth(env: Bindings): Promise<Live> {
  const { observed, sinceMs, ...now } = await aggregatorOf(env).watched();
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
    simulated: now.boxes.some(({ simulated }) => simulated),
    version: VERSION,
    problems: degrading.map(sentenceOf),
    concerns,
    boxes: now.boxes.map((box) => BoxHealth.parse(box)),
    sinks: observed.stores.map(({ health }) => health),
  };
  return { health, ...now, timestamp: health.timestamp };
}

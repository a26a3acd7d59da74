/** The answer of `/api/health`: which boxes there are, and what is wrong. */
import type { Health } from "../../protocol/api/fleet.ts";
import { aggregatorOf } from "../aggregator/stub.ts";
import { boxHealth, problemsOf } from "../answers/boxes.ts";
import type { Bindings } from "../env.ts";
import { type BoxStatuses, upNames } from "../registered-box.ts";
import { inForce, settingsOf } from "../settings.ts";
import { VERSION } from "../version.ts";

/** @param live  what the Boxes say of themselves now */
export async function healthOf(env: Bindings, live: BoxStatuses): Promise<Health> {
  const aggregator = aggregatorOf(env);
  const [{ boxes, settings }, sinceMs, stores] = await Promise.all([
    aggregator.fleet(),
    aggregator.since(),
    aggregator.sinks(),
  ]);
  const isUp = upNames(live);
  const problems: string[] = [];
  if (boxes.length === 0) problems.push("no box has ever connected");
  for (const box of boxes) problems.push(...problemsOf(box, isUp.has(box.name)));
  if (!inForce(settingsOf(env), settings).enableInstrumentation)
    problems.push("instrumentation is off: calls are served, and not recorded");
  problems.push(...stores.problems);
  return {
    // The edge itself answers, or nobody would read this: so never worse than degraded.
    status: problems.length === 0 ? "healthy" : "degraded",
    uptime_seconds: Math.floor((Date.now() - sinceMs) / 1_000),
    timestamp: new Date().toISOString(),
    simulated: boxes.some(({ hello }) => hello.simulated),
    version: VERSION,
    problems,
    boxes: boxes.map((box) => boxHealth(box, isUp.has(box.name))),
    sinks: stores.sinks,
  };
}

/** How the boxes are: health, models, GPUs, machines, metrics. */
import { Hono } from "hono";
import { FLEET_ROUTES, type Health } from "../../protocol/api/fleet.ts";
import { SYSTEM_RANGES, SYSTEM_ROUTES } from "../../protocol/api/system.ts";
import { theAggregator } from "../aggregator-stub.ts";
import { serveRoute } from "../api-route.ts";
import type { Env } from "../bindings.ts";
import { boxHealth } from "../boxes.ts";
import { GatewayError } from "../errors.ts";
import { forgetBoxes, look } from "../fleet.ts";
import { upNames } from "../registered.ts";
import { inForce, settingsOf } from "../settings.ts";
import { systemSpanOf } from "../system-history.ts";
import { VERSION } from "../version.ts";

export const fleetRoutes = new Hono<Env>();

serveRoute(fleetRoutes, FLEET_ROUTES.health, (_, c) => healthOf(c.env));

serveRoute(fleetRoutes, FLEET_ROUTES.gpu, async ({ query: { box } }, c) => {
  await look(c.env, box);
  return theAggregator(c.env).gpu(box);
});

serveRoute(fleetRoutes, FLEET_ROUTES.boxes, async ({ query: { box } }, c) => theAggregator(c.env).boxes(await look(c.env, box), box));

serveRoute(fleetRoutes, FLEET_ROUTES.forgetBox, async ({ params: { name: box } }, c) => {
  const [live] = await look(c.env, box);
  if (live?.up) throw new GatewayError({ reason: "box_connected", box });
  await theAggregator(c.env).forgetBox(box);
  forgetBoxes();
  return { status: "deleted" as const, box };
});

serveRoute(fleetRoutes, SYSTEM_ROUTES.system, async ({ query: { box } }, c) => theAggregator(c.env).system(await look(c.env, box), box));

serveRoute(fleetRoutes, SYSTEM_ROUTES.systemHistory, async ({ query: { time_range, max_points, box } }, c) => {
  await look(c.env, box);
  const data = await theAggregator(c.env).systemHistory(systemSpanOf(SYSTEM_RANGES[time_range], max_points, Date.now()), box);
  return { time_range, data_points: data.length, data };
});

serveRoute(fleetRoutes, FLEET_ROUTES.metrics, async (_, c) => {
  const isOpenMetrics = /application\/openmetrics-text/.test(c.req.header("accept") ?? "");
  const text = await theAggregator(c.env).exposition(await look(c.env), isOpenMetrics);
  const type = isOpenMetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8" : "text/plain; version=0.0.4; charset=utf-8";
  return c.body(text, 200, { "content-type": type });
});

async function healthOf(env: Env["Bindings"]): Promise<Health> {
  const aggregator = theAggregator(env);
  const live = await look(env);
  const [{ boxes, settings }, sinceMs, stores] = await Promise.all([aggregator.fleet(), aggregator.since(), aggregator.sinks()]);
  const isUp = upNames(live);
  const problems: string[] = [];
  if (boxes.length === 0) problems.push("no box has ever connected");
  for (const { name, readings } of boxes) {
    if (!isUp.has(name)) problems.push(`box ${name} is not connected`);
    else if (readings?.inventory.reachable === false)
      problems.push(`the Ollama of box ${name} does not answer: ${readings.inventory.error ?? "unknown"}`);
    const lost = readings?.records_lost ?? 0;
    if (lost > 0) problems.push(`the agent of box ${name} has lost ${lost} finished requests: its disk failed for too long`);
  }
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

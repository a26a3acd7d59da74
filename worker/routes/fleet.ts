/** How the boxes are: health, GPUs, metrics. */
import { Hono } from "hono";
import { FLEET_ROUTES, type Health } from "../../protocol/api/fleet.ts";
import { theAggregator } from "../aggregator-stub.ts";
import { serveRoute } from "../api-route.ts";
import type { Env } from "../bindings.ts";
import { GatewayError } from "../errors.ts";
import { look } from "../fleet.ts";
import { inForce, settingsOf } from "../settings.ts";
import { VERSION } from "../version.ts";

export const fleetRoutes = new Hono<Env>();

serveRoute(fleetRoutes, FLEET_ROUTES.health, (_, c) => healthOf(c.env));

serveRoute(fleetRoutes, FLEET_ROUTES.gpu, async ({ query: { box } }, c) => {
  const live = await look(c.env);
  if (box !== undefined && !live.some(({ name }) => name === box)) throw new GatewayError({ reason: "box_unknown", box });
  return theAggregator(c.env).gpu(box);
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
  const [{ boxes, settings }, sinceMs] = await Promise.all([aggregator.fleet(), aggregator.since()]);
  const isUp = new Set(live.filter(({ up }) => up).map(({ name }) => name));
  const problems: string[] = [];
  if (boxes.length === 0) problems.push("no box has ever connected");
  for (const { name, readings } of boxes) {
    if (!isUp.has(name)) problems.push(`box ${name} is not connected`);
    else if (readings?.inventory.reachable === false)
      problems.push(`the Ollama of box ${name} does not answer: ${readings.inventory.error ?? "unknown"}`);
  }
  const deployed = settingsOf(env);
  if (!inForce(deployed, settings).enableInstrumentation) problems.push("instrumentation is off: calls are served, and not recorded");
  if (deployed.exporterType !== "none") problems.push(`EXPORTER_TYPE is ${deployed.exporterType}, but this version writes to no store`);
  return {
    // The edge itself answers, or nobody would read this: so never worse than degraded.
    status: problems.length === 0 ? "healthy" : "degraded",
    uptime_seconds: Math.floor((Date.now() - sinceMs) / 1_000),
    timestamp: new Date().toISOString(),
    simulated: boxes.some(({ hello }) => hello.simulated),
    version: VERSION,
    problems,
    boxes: boxes.map(({ name, state, hello, last_seen_ms, readings }) => ({
      name,
      state: !isUp.has(name) ? "down" : state === "draining" ? "draining" : "up",
      simulated: hello.simulated,
      last_seen: isUp.has(name) ? null : new Date(last_seen_ms).toISOString(),
      ollama_version: readings?.inventory.ollama_version ?? null,
      ollama_reachable: readings?.inventory.reachable ?? null,
    })),
  };
}

/** The reading half of `/api`: health, statistics, models, GPUs, metrics. */
import { Hono, type MiddlewareHandler } from "hono";
import { GpuQuery, type Health, HistoryQuery, LogsQuery } from "../../protocol/api.ts";
import { theAggregator } from "../aggregator-stub.ts";
import { demand, principalOf } from "../auth.ts";
import type { Env } from "../bindings.ts";
import { GatewayError } from "../errors.ts";
import { look } from "../fleet.ts";
import { settingsOf } from "../settings.ts";
import { valid } from "../validate.ts";
import { VERSION } from "../version.ts";

const reads: MiddlewareHandler<Env> = async (c, next) => {
  demand(await principalOf(c.req.raw, settingsOf(c.env), null), "read");
  await next();
  c.header("cache-control", "no-store");
};

export const apiRoutes = new Hono<Env>()
  .get("/api/health", reads, async (c) => c.json(await healthOf(c.env)))
  .get("/api/stats/current", reads, async (c) => {
    return c.json(await theAggregator(c.env).current(await look(c.env)));
  })
  .get("/api/stats/history", reads, valid("query", HistoryQuery), async (c) =>
    c.json(await theAggregator(c.env).history(c.req.valid("query"))),
  )
  .get("/api/stats/logs", reads, valid("query", LogsQuery), async (c) => c.json(await theAggregator(c.env).logs(c.req.valid("query"))))
  .get("/api/models", reads, async (c) => c.json(await theAggregator(c.env).models()))
  .get("/api/gpu", reads, valid("query", GpuQuery), async (c) => {
    const { box } = c.req.valid("query");
    const live = await look(c.env);
    if (box !== undefined && !live.some(({ name }) => name === box)) throw new GatewayError({ reason: "box_unknown", box });
    return c.json(await theAggregator(c.env).gpu(box));
  })
  .get("/api/metrics", reads, async (c) => {
    const isOpenMetrics = /application\/openmetrics-text/.test(c.req.header("accept") ?? "");
    const text = await theAggregator(c.env).exposition(await look(c.env), isOpenMetrics);
    const type = isOpenMetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8" : "text/plain; version=0.0.4; charset=utf-8";
    return c.body(text, 200, { "content-type": type });
  });

async function healthOf(env: Env["Bindings"]): Promise<Health> {
  const aggregator = theAggregator(env);
  const live = await look(env);
  const [boxes, sinceMs] = await Promise.all([aggregator.registry(), aggregator.since()]);
  const isUp = new Set(live.filter(({ up }) => up).map(({ name }) => name));
  const problems: string[] = [];
  if (boxes.length === 0) problems.push("no box has ever connected");
  for (const { name, readings } of boxes) {
    if (!isUp.has(name)) problems.push(`box ${name} is not connected`);
    else if (readings?.inventory.reachable === false)
      problems.push(`the Ollama of box ${name} does not answer: ${readings.inventory.error ?? "unknown"}`);
  }
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

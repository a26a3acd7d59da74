/** Routes about the boxes: health, models, GPUs, machines, metrics. */
import { Hono } from "hono";
import { FLEET_ROUTES } from "../../protocol/api/fleet.ts";
import { SYSTEM_RANGES, SYSTEM_ROUTES } from "../../protocol/api/system.ts";
import { aggregatorOf } from "../aggregator/stub.ts";
import { systemSpanOf } from "../answers/system-history.ts";
import type { Env } from "../env.ts";
import { GatewayError } from "../errors.ts";
import { forgetBoxes } from "../gateway/known-fleet.ts";
import { isConnected, look } from "../gateway/look.ts";
import { demandUse } from "../principal.ts";
import { serveRoute } from "./api-route.ts";
import { endJoining } from "./joining.ts";
import { readHealth } from "./read-health.ts";
import { readGpuHistory, readSystemHistory } from "./read-older.ts";

export const fleetRoutes = new Hono<Env>();

serveRoute(fleetRoutes, FLEET_ROUTES.health, async (_, c) => {
  await look(c.env);
  return (await readHealth(c.env)).health;
});

serveRoute(fleetRoutes, FLEET_ROUTES.gpu, async ({ query: { box } }, c) => {
  await look(c.env, box);
  return aggregatorOf(c.env).gpu(box);
});

serveRoute(fleetRoutes, FLEET_ROUTES.boxes, async ({ query: { box } }, c) => {
  await look(c.env, box);
  return aggregatorOf(c.env).boxes(box);
});

serveRoute(fleetRoutes, FLEET_ROUTES.forgetBox, async ({ params: { name: box }, principal }, c) => {
  demandUse(principal, null, box);
  // With its certificate it would return.
  const [known] = (await aggregatorOf(c.env).boxes(box)).boxes;
  if (known?.admission === "certificate")
    await endJoining(c, { box, id: null, ended: "revoked", call: null });
  if (await isConnected(c.env, box)) throw new GatewayError({ reason: "box_connected", box });
  await aggregatorOf(c.env).forgetBox(box, c.get("requestId"));
  forgetBoxes();
  return { status: "deleted" as const, box };
});

serveRoute(fleetRoutes, SYSTEM_ROUTES.system, async ({ query: { box } }, c) => {
  await look(c.env, box);
  return aggregatorOf(c.env).system(box);
});

serveRoute(
  fleetRoutes,
  SYSTEM_ROUTES.systemHistory,
  async ({ query: { time_range, max_points, box } }, c) => {
    await look(c.env, box);
    const seconds = SYSTEM_RANGES[time_range];
    const { store, data } = await readSystemHistory(
      c.env,
      systemSpanOf(seconds, max_points, Date.now()),
      seconds,
      box,
    );
    return { time_range, data_points: data.length, data, store };
  },
);

serveRoute(
  fleetRoutes,
  SYSTEM_ROUTES.gpuHistory,
  async ({ query: { time_range, max_points, box } }, c) => {
    await look(c.env, box);
    const seconds = SYSTEM_RANGES[time_range];
    return {
      time_range,
      ...(await readGpuHistory(c.env, systemSpanOf(seconds, max_points, Date.now()), seconds, box)),
    };
  },
);

serveRoute(fleetRoutes, FLEET_ROUTES.metrics, async (_, c) => {
  const isOpenMetrics = /application\/openmetrics-text/.test(c.req.header("accept") ?? "");
  const text = await aggregatorOf(c.env).exposition(isOpenMetrics);
  const type = isOpenMetrics
    ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
    : "text/plain; version=0.0.4; charset=utf-8";
  return c.body(text, 200, { "content-type": type });
});

/** `/healthz` and `/readyz`, for load balancers and start scripts. Public, so they reveal nothing more. */
import { Hono } from "hono";
import type { Env } from "../env.ts";
import { fleetOf } from "../gateway/fleet.ts";

const NO_STORE = { "cache-control": "no-store" };

export const healthRoutes = new Hono<Env>()
  .get("/healthz", (c) => c.json({ alive: true }, 200, NO_STORE))
  // Ready means that a call could be served: at least one box is up.
  .get("/readyz", async (c) => {
    const ready = (await fleetOf(c.env)).boxes.some(({ state }) => state === "up");
    return c.json({ ready }, ready ? 200 : 503, NO_STORE);
  });

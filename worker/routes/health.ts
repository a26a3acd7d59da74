/** `/healthz` and `/readyz`: for load balancers and start scripts. Public, so they say nothing else. */
import { Hono } from "hono";
import type { Env } from "../env.ts";
import { fleetOf } from "../gateway/fleet.ts";

const NO_STORE = { "cache-control": "no-store" };

export const healthRoutes = new Hono<Env>()
  .get("/healthz", (c) => c.json({ alive: true }, 200, NO_STORE))
  // Ready: a call could be served, so some box is up.
  .get("/readyz", async (c) => {
    const ready = (await fleetOf(c.env)).boxes.some(({ state }) => state === "up");
    return c.json({ ready }, ready ? 200 : 503, NO_STORE);
  });

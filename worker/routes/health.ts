/**
 * `/healthz` and `/readyz`, for load balancers and start scripts. Public, so they reveal nothing
 * more.
 */
import { Hono } from "hono";
import { principalOf } from "../auth.ts";
import type { Env } from "../env.ts";
import { isReady, isReadyAsKnown } from "../gateway/fleet.ts";
import { invocationOf } from "../gateway/known-fleet.ts";
import { keysFor } from "../gateway/known-keys.ts";
import { settingsOf } from "../settings.ts";

const NO_STORE = { "cache-control": "no-store" };

export const healthRoutes = new Hono<Env>()
  .get("/healthz", (c) => c.json({ alive: true }, 200, NO_STORE))
  // Without a key the answer comes from the isolate's memory, so that a flood wakes no object.
  .get("/readyz", async (c) => {
    const hasKey = await principalOf(c.req.raw, settingsOf(c.env), null, keysFor(c)).then(
      () => true,
      () => false,
    );
    const ready = await (hasKey ? isReady : isReadyAsKnown)(invocationOf(c));
    return c.json({ ready }, ready ? 200 : 503, NO_STORE);
  });

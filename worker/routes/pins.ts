/** `/api/pins`: the models that boxes keep in memory. */
import { type Context, Hono } from "hono";
import { PIN_ROUTES } from "../../protocol/api/pins.ts";
import { isCloudModel } from "../../protocol/model-name.ts";
import type { PinsChange } from "../aggregator/changing-pins.ts";
import { aggregatorOf } from "../aggregator/stub.ts";
import type { Env } from "../env.ts";
import { GatewayError } from "../errors.ts";
import { settleBox } from "../gateway/fleet.ts";
import { look } from "../gateway/look.ts";
import { demandUse } from "../principal.ts";
import { serveRoute } from "./api-route.ts";

export const pinRoutes = new Hono<Env>();

serveRoute(pinRoutes, PIN_ROUTES.pins, async (_, c) => {
  await look(c.env); // whether they are loaded now
  const { boxes, timestamp } = await aggregatorOf(c.env).boxes();
  return {
    pins: boxes.flatMap(({ name, pins }) => pins.map((pin) => ({ ...pin, box: name }))),
    timestamp,
  };
});

serveRoute(pinRoutes, PIN_ROUTES.putPin, async ({ body, principal }, c) => {
  const { model, box } = body;
  demandUse(principal, model, box);
  if (isCloudModel(model)) throw new GatewayError({ reason: "cloud_model", model });
  const pin = await change(c, { act: "put", ...body });
  if (pin === null) throw new GatewayError({ reason: "internal" });
  return pin;
});

serveRoute(pinRoutes, PIN_ROUTES.removePin, async ({ query, principal }, c) => {
  demandUse(principal, query.model, query.box);
  await change(c, { act: "remove", ...query });
  return { status: "removed" as const, ...query };
});

/** Resolves when the agent has the pins, if it is connected. */
async function change(c: Context<Env>, wish: PinsChange) {
  const changed = await aggregatorOf(c.env).changePins(wish, c.get("requestId"));
  if (changed.refusal !== null) throw new GatewayError(changed.refusal);
  await settleBox(c.env, wish.box, changed.settings);
  return changed.pin;
}

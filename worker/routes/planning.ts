/** `/api/plan`: where a model would fit. */
import { Hono } from "hono";
import { PLANNING_ROUTES } from "../../protocol/api/planning.ts";
import { aggregatorOf } from "../aggregator/stub.ts";
import type { Env } from "../env.ts";
import { GatewayError } from "../errors.ts";
import { look } from "../gateway/look.ts";
import { serveRoute } from "./api-route.ts";

export const planningRoutes = new Hono<Env>();

serveRoute(planningRoutes, PLANNING_ROUTES.plan, async ({ query }, c) => {
  await look(c.env); // the free memory of now
  const plan = await aggregatorOf(c.env).plan(query);
  if (plan === null)
    throw new GatewayError({
      reason: "model_unknown",
      model: query.model,
      where: "on any registered box",
    });
  return plan;
});

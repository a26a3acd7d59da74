/** `/api/tariff` and `/api/costs`: what a kilowatt-hour costs, and what was spent. */
import { Hono } from "hono";
import { COST_ROUTES, type Costs, type CostsQuery } from "../../protocol/api/costs.ts";
import { TARIFF_ROUTES } from "../../protocol/api/tariff.ts";
import { aggregatorOf } from "../aggregator/stub.ts";
import { costsExport } from "../answers/export.ts";
import type { Env } from "../env.ts";
import { GatewayError } from "../errors.ts";
import { settingsOf } from "../settings.ts";
import { serveRoute } from "./api-route.ts";

export const costRoutes = new Hono<Env>();

serveRoute(costRoutes, TARIFF_ROUTES.tariff, async (_, c) => aggregatorOf(c.env).tariff());

serveRoute(costRoutes, TARIFF_ROUTES.putTariff, async ({ body }, c) => {
  const configured = [...settingsOf(c.env).boxSecrets.keys()];
  const failure = await aggregatorOf(c.env).putTariff(body, configured, c.get("requestId"));
  if (failure !== null) throw new GatewayError(failure);
  return aggregatorOf(c.env).tariff();
});

serveRoute(costRoutes, TARIFF_ROUTES.removeTariff, async (_, c) => {
  await aggregatorOf(c.env).putTariff(null, [], c.get("requestId"));
  return aggregatorOf(c.env).tariff();
});

// Before /api/costs, which has the same beginning.
serveRoute(costRoutes, COST_ROUTES.ownCosts, ({ query, principal: { keyId } }, c) =>
  answerOf(c.env, keyId === null ? query : { ...query, key: keyId }),
);

serveRoute(costRoutes, COST_ROUTES.costs, ({ query }, c) => answerOf(c.env, query));

async function answerOf(env: Env["Bindings"], query: CostsQuery): Promise<Costs | Response> {
  const answer = await aggregatorOf(env).costs(query);
  if ("invalid" in answer)
    throw new GatewayError({ reason: "bad_request", detail: answer.invalid });
  return query.format === "json" ? answer : costsExport(query.format, answer.rows);
}

/** `/api/tariff`: the price and the CO2 of a kilowatt-hour. */
import { Hono } from "hono";
import { TARIFF_ROUTES } from "../../protocol/api/tariff.ts";
import { aggregatorOf } from "../aggregator/stub.ts";
import type { Env } from "../env.ts";
import { GatewayError } from "../errors.ts";
import { settingsOf } from "../settings.ts";
import { serveRoute } from "./api-route.ts";

export const tariffRoutes = new Hono<Env>();

serveRoute(tariffRoutes, TARIFF_ROUTES.tariff, async (_, c) => aggregatorOf(c.env).tariff());

serveRoute(tariffRoutes, TARIFF_ROUTES.putTariff, async ({ body }, c) => {
  const configured = [...settingsOf(c.env).boxSecrets.keys()];
  const failure = await aggregatorOf(c.env).putTariff(body, configured);
  if (failure !== null) throw new GatewayError(failure);
  return aggregatorOf(c.env).tariff();
});

serveRoute(tariffRoutes, TARIFF_ROUTES.removeTariff, async (_, c) => {
  await aggregatorOf(c.env).putTariff(null, []);
  return aggregatorOf(c.env).tariff();
});

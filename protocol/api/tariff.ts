/** `/api/tariff`: what power costs, set by an administrator and read by everyone who may read. */
import * as z from "zod";
import { BoxName } from "../records.ts";
import { Tariff } from "../tariff.ts";
import type { ApiRoute } from "./route.ts";
import { Figure, Time } from "./shapes.ts";

/** The answers of `/api/tariff`. */
export const TariffState = z
  .object({
    tariff: Tariff.nullable().describe("null until one is set, and after it was removed"),
    now: z
      .array(z.object({ box: BoxName, price_per_kwh: Figure, co2_g_per_kwh: Figure }))
      .describe("price and CO2 of each box at this hour; null if unknown"),
    changed_at: Time.nullable().describe("when it was last changed; null if it never was"),
  })
  .meta({ id: "TariffState" });
export type TariffState = z.infer<typeof TariffState>;

export const TARIFF_ROUTES = {
  tariff: {
    method: "GET",
    path: "/api/tariff",
    scope: "stats",
    tag: "Costs",
    summary: "The price and the CO2 of a kilowatt-hour, by box and hour of day",
    answer: TariffState,
  },
  putTariff: {
    method: "PUT",
    audit: "tariff_set",
    path: "/api/tariff",
    scope: "admin",
    tag: "Costs",
    summary: "Set the tariff",
    description: [
      "It is in force from now on: what was recorded before keeps its cost, or has none.",
      "The hours of a day must be covered exactly once, and each box must be known: it has connected before, or",
      "BOX_SECRETS names it. The currency cannot change while the metrics contain costs: 409, code currency_in_use.",
    ].join(" "),
    body: Tariff,
    answer: TariffState,
  },
  removeTariff: {
    method: "DELETE",
    audit: "tariff_removed",
    path: "/api/tariff",
    scope: "admin",
    tag: "Costs",
    summary: "Remove the tariff: energy from now on has no cost",
    answer: TariffState,
  },
} as const satisfies Record<string, ApiRoute>;

/** `/api/costs`: what models and boxes cost, for requests and for standing by. */
import * as z from "zod";
import { COST_PERIODS } from "../cost-periods.ts";
import { TimeZone } from "../day-hours.ts";
import { Currency, Tariff } from "../tariff.ts";
import type { ApiRoute } from "./route.ts";
import {
  Count,
  EXPORT_MEDIA,
  ExportFormat,
  Figure,
  KeyNarrowing,
  Rate,
  Store,
  Time,
} from "./shapes.ts";

/** A year and a month. */
export const COSTS_KEPT_DAYS = 400;

const energy = (text: string) => Figure.describe(`${text}, in joules; null if unknown`);
const cost = (text: string) => Figure.describe(`${text}; null if no part of it has a known price`);
const co2 = (text: string) => Figure.describe(`grams of CO2 ${text}; null if unknown`);

/** One group of costs. Its parts add up: requests, unassigned, standing and idle are the whole. */
export const CostRow = z
  .object({
    group: z
      .string()
      .nullable()
      .describe(
        "model, box, id of a key, day (2026-11-26), Monday of a week or month (2026-11); null: belongs to no model or key",
      ),
    requests: Count,
    energy_requests: Count.describe("requests whose energy is known"),
    prompt_tokens: Count,
    completion_tokens: Count,
    energy_j: energy("energy of its requests and of standing by"),
    request_energy_j: energy("energy of its requests, where known"),
    standing_energy_j: energy("energy while models were in memory and no request was open"),
    idle_energy_j: energy("energy without a model in memory"),
    unassigned_energy_j: energy("energy while requests were open whose own energy is unknown"),
    cost: cost("cost of energy_j"),
    request_cost: cost("cost of request_energy_j"),
    standing_cost: cost("cost of standing_energy_j"),
    idle_cost: cost("cost of idle_energy_j"),
    unassigned_cost: cost("cost of unassigned_energy_j"),
    co2_g: co2("of energy_j"),
    unused_share: Rate.describe(
      "share of energy_j that was drawn while no request was open; null if unknown",
    ),
    priced_energy_j: energy("the part of energy_j that the cost covers"),
    co2_energy_j: energy("the part of energy_j that the CO2 covers"),
    cost_per_million_input: Figure.describe(
      "cost of the requests per million prompt tokens, divided by the time of prefill and decode; null if unknown",
    ),
    cost_per_million_output: Figure.describe("the same per million completion tokens"),
    compared_cost: Figure.describe(
      "cost of these tokens at the price of compared_with; null without one",
    ),
    key_name: z
      .string()
      .nullable()
      .describe("by=key: the name of the key now; null if it is gone, and in other answers"),
  })
  .meta({ id: "CostRow" });
export type CostRow = z.infer<typeof CostRow>;

/** The figures of a {@link CostRow} that a chart draws. */
const CostPart = CostRow.pick({
  group: true,
  requests: true,
  prompt_tokens: true,
  completion_tokens: true,
  energy_j: true,
  cost: true,
  co2_g: true,
}).extend({
  unused_energy_j: energy("the part of energy_j that was drawn while no request was open"),
  unused_cost: cost("cost of unused_energy_j"),
});
export type CostPart = z.infer<typeof CostPart>;

const CostPeriod = z
  .object({
    period: z.string().describe("a day, the Monday of a week (2026-11-23), or a month (2026-11)"),
    parts: z.array(CostPart).describe("the groups of the rows that have any part in it"),
  })
  .meta({ id: "CostPeriod" });
export type CostPeriod = z.infer<typeof CostPeriod>;

/** `GET /api/costs`. */
export const Costs = z
  .object({
    by: z.enum(["model", "box", "key", "day", "week", "month"]),
    from: Time.describe("start of the first hour"),
    to: Time.describe("end of the last hour"),
    time_zone: z.string().describe("time zone of days and months"),
    currency: Currency.nullable().describe("null until a tariff was set"),
    compared_with: Tariff.shape.compared_with.unwrap(),
    rows: z.array(CostRow).describe("models, boxes and keys by energy, times by time"),
    total: CostRow.describe("sum of the rows; its group is null"),
    periods: z
      .array(CostPeriod)
      .nullable()
      .describe("the rows over time, without empty periods; null unless over= names their length"),
    since: Time.describe("when counting began"),
    store: Store,
  })
  .meta({ id: "Costs" });
export type Costs = z.infer<typeof Costs>;

const Moment = z.union([z.iso.date(), Time], {
  error: "must be a date (2026-11-01) or a time in UTC (…T00:00:00Z)",
});

export const CostsQuery = z.strictObject({
  by: Costs.shape.by.default("model").describe("default model"),
  from: Moment.optional().describe(
    "a date in the time zone, or a time; default: the first day of this month",
  ),
  to: Moment.optional().describe("a date or a time that is not included; default: now"),
  over: z
    .enum(COST_PERIODS)
    .optional()
    .describe("also divides the rows by time; not for by=day, week or month"),
  time_zone: TimeZone.optional().describe("default: that of the tariff's default rate, or UTC"),
  ...KeyNarrowing.shape,
  format: ExportFormat,
});
export type CostsQuery = z.infer<typeof CostsQuery>;

const OwnCostsQuery = CostsQuery.omit({ key: true });

export const COST_ROUTES = {
  costs: {
    method: "GET",
    path: "/api/costs",
    scope: "stats",
    tag: "Costs",
    summary: "Energy, cost and CO2 by model, box, key, day or month, with the part that was idle",
    description: [
      "Sums of whole hours of UTC, kept for 13 months. A request counts in the hour in which it finished, at the",
      "cost that was fixed when it was recorded. The energy of unused models is divided equally among the models",
      "in memory. With model= only the parts of that model are counted, and with key= only requests. Costs by key are",
      "kept for 90 days; earlier requests belong to no key.",
    ].join(" "),
    query: CostsQuery,
    answer: Costs,
    media: EXPORT_MEDIA,
  },
  ownCosts: {
    method: "GET",
    path: "/api/costs/self",
    scope: "any",
    tag: "Costs",
    summary: "Energy, cost and CO2 of the requests of the key or the person that makes this call",
    description: [
      "The same as /api/costs?key=, for those who may not see the requests of others. Kept for 90 days. The power of an idle",
      "box belongs to nobody. If the edge is open and needs no key, everything.",
    ].join(" "),
    query: OwnCostsQuery,
    answer: Costs,
    media: EXPORT_MEDIA,
  },
} as const satisfies Record<string, ApiRoute>;

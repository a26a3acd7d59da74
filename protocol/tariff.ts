/**
 * The tariff: the price of a kilowatt-hour by box and hour of day, and the CO2 that it causes.
 *
 * Hours are those of a time zone that the tariff names. The clock of a box cannot decide: most boxes and
 * containers run in UTC, and the edge runs in no zone, but a contract for power follows local time.
 */
import * as z from "zod";
import { CURRENCY_CODES } from "./currencies.ts";
import {
  DAY_HOURS,
  HOURS_DIFFER,
  HOURS_PER_DAY,
  hoursDiffer,
  hoursOf,
  TimeZone,
} from "./day-hours.ts";
import { BoxName } from "./records.ts";

const currencies = new Set(CURRENCY_CODES);

export const Currency = z.string().refine((code) => currencies.has(code), {
  error: ({ input }) =>
    `${JSON.stringify(input)} is not a currency of ISO 4217, such as "EUR" or "USD"`,
});

/** Far above any price in any currency, so that sums stay finite. */
const PRICE_MAX = 1e9;
/** Ten times what the dirtiest coal plants emit. */
const CO2_G_PER_KWH_MAX = 20_000;

const Price = z.number().nonnegative("must be 0 or more").max(PRICE_MAX);

const HourPrice = z
  .strictObject({ ...DAY_HOURS, price_per_kwh: Price })
  .refine(hoursDiffer, HOURS_DIFFER);
type HourPrice = z.infer<typeof HourPrice>;

/** Null means unknown: no cost, or no CO2, is counted. */
export const TariffRate = z.strictObject({
  time_zone: TimeZone.default("UTC").describe("IANA time zone of the hours"),
  prices: z
    .array(HourPrice)
    .min(1, "must cover the day; use null if the price is unknown")
    .max(HOURS_PER_DAY)
    .superRefine(checkHours)
    .nullable()
    .describe("each hour of the day exactly once; null if unknown"),
  co2_g_per_kwh: z
    .number()
    .nonnegative("must be 0 or more")
    .max(CO2_G_PER_KWH_MAX)
    .nullable()
    .default(null)
    .describe("grams of CO2 per kWh; null if unknown"),
});
export type TariffRate = z.infer<typeof TariffRate>;

export const TARIFF_BOXES_MAX = 1_000;

/** The body of `PUT /api/tariff`. */
export const Tariff = z
  .strictObject({
    currency: Currency.describe("ISO 4217, of all prices"),
    default: TariffRate.describe("for boxes without a rate of their own"),
    boxes: z
      .record(BoxName, TariffRate)
      .refine((boxes) => Object.keys(boxes).length <= TARIFF_BOXES_MAX, {
        error: `at most ${TARIFF_BOXES_MAX} boxes`,
      })
      .default({})
      .describe("rates of single boxes; each replaces the default as a whole"),
    compared_with: z
      .strictObject({ input_per_million: Price, output_per_million: Price })
      .nullable()
      .default(null)
      .describe("a price per million tokens of prompts and answers to compare the cost with"),
  })
  .meta({ id: "Tariff" });
export type Tariff = z.infer<typeof Tariff>;

export const rateOf = ({ boxes, default: common }: Tariff, box: string): TariffRate =>
  Object.hasOwn(boxes, box) ? (boxes[box] ?? common) : common;

/** Returns the price of each hour of the day; null if unknown. */
export function pricesByHour({ prices }: Pick<TariffRate, "prices">): number[] | null {
  if (prices === null) return null;
  const byHour = new Array<number>(HOURS_PER_DAY).fill(0);
  for (const each of prices) for (const hour of hoursOf(each)) byHour[hour] = each.price_per_kwh;
  return byHour;
}

function checkHours(prices: readonly HourPrice[], context: z.RefinementCtx): void {
  const counts = new Array<number>(HOURS_PER_DAY).fill(0);
  for (const each of prices)
    for (const hour of hoursOf(each)) counts[hour] = (counts[hour] ?? 0) + 1;
  const hoursWith = (isFound: (count: number) => boolean) =>
    counts.flatMap((count, hour) => (isFound(count) ? [hour] : [])).join(", ");
  const missing = hoursWith((count) => count === 0);
  const twice = hoursWith((count) => count > 1);
  if (missing !== "") context.addIssue(`hours without a price: ${missing}`);
  if (twice !== "") context.addIssue(`hours with more than one price: ${twice}`);
}

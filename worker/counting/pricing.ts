/**
 * Pricing: the cost and the CO2 of energy, by the tariffs in force while it was drawn. Pure.
 *
 * Energy counts as drawn evenly over its time. Its part in each hour of the tariff has the price of that
 * hour, so a request that spans two hours pays both by the time spent in each. A later tariff changes
 * no earlier cost.
 */
import { pricesByHour, rateOf, type Tariff } from "../../protocol/tariff.ts";

/** `tariff` is null from when the tariff was removed. All versions have one currency. */
export type TariffVersion = { since_ms: number; tariff: Tariff | null };

export const JOULES_PER_KWH = 3.6e6;
/** Hours of every time zone, and changes of its clocks, begin at multiples of this. */
const QUARTER_MS = 900_000;

/** Means over a time. The parts are the shares of it with a known price or CO2, 0 to 1. */
type MeanRate = { price: number; priceKnown: number; co2G: number; co2Known: number };

/** Costs and CO2, and the energy that each of them covers. */
export type Pricing = { cost: number; costJ: number; co2G: number; co2J: number };

/** Prices energy; a part without a known price is not covered. @param versions  oldest first */
export function pricingOf(
  joules: number,
  box: string,
  fromMs: number,
  toMs: number,
  versions: readonly TariffVersion[],
): Pricing {
  const mean = meanRate(box, fromMs, toMs, versions);
  const kwh = joules / JOULES_PER_KWH;
  return {
    cost: kwh * mean.price,
    costJ: joules * mean.priceKnown,
    co2G: kwh * mean.co2G,
    co2J: joules * mean.co2Known,
  };
}

/** The cost of a request. Null if its energy, or a rate at any time of it, is unknown. */
export type RequestCost = {
  cost: number | null;
  cost_currency: string | null;
  co2_g: number | null;
};

const UNKNOWN: RequestCost = { cost: null, cost_currency: null, co2_g: null };

export function requestCost(
  record: {
    box: string | null;
    energy_j: number | null;
    started_at: string;
    latency_ms: number;
  },
  versions: readonly TariffVersion[],
): RequestCost {
  const { box, energy_j, latency_ms } = record;
  if (box === null || energy_j === null || versions.length === 0) return UNKNOWN;
  const fromMs = Date.parse(record.started_at);
  const mean = meanRate(box, fromMs, fromMs + latency_ms, versions);
  const kwh = energy_j / JOULES_PER_KWH;
  const isPriced = mean.priceKnown > ALL;
  return {
    cost: isPriced ? kwh * mean.price : null,
    cost_currency: isPriced ? currencyOf(versions) : null,
    co2_g: mean.co2Known > ALL ? kwh * mean.co2G : null,
  };
}

/** Shares are sums of fractions. */
const ALL = 1 - 1e-9;

/** Returns the currency of the newest tariff; null without any. */
export const currencyOf = (versions: readonly TariffVersion[]): string | null =>
  versions.findLast(({ tariff }) => tariff !== null)?.tariff?.currency ?? null;

function meanRate(
  box: string,
  fromMs: number,
  toMs: number,
  versions: readonly TariffVersion[],
): MeanRate {
  const mean: MeanRate = { price: 0, priceKnown: 0, co2G: 0, co2Known: 0 };
  const lengthMs = toMs - fromMs;
  for (const [index, { since_ms, tariff }] of versions.entries()) {
    const endMs = versions[index + 1]?.since_ms ?? Number.POSITIVE_INFINITY;
    const first = Math.max(fromMs, since_ms);
    const last = Math.min(toMs, endMs);
    // A moment belongs to the version that begins with it.
    const isIn = lengthMs > 0 ? first < last : since_ms <= fromMs && fromMs < endMs;
    if (!isIn || tariff === null) continue;
    const share = lengthMs > 0 ? (last - first) / lengthMs : 1;
    const rate = rateOf(tariff, box);
    const price = meanPrice(pricesByHour(rate), rate.time_zone, first, last);
    if (price !== null) {
      mean.price += share * price;
      mean.priceKnown += share;
    }
    if (rate.co2_g_per_kwh !== null) {
      mean.co2G += share * rate.co2_g_per_kwh;
      mean.co2Known += share;
    }
  }
  return mean;
}

function meanPrice(
  byHour: readonly number[] | null,
  timeZone: string,
  fromMs: number,
  toMs: number,
): number | null {
  if (byHour === null) return null;
  const priceAt = (ms: number) => byHour[hourOf(ms, timeZone)] ?? 0;
  if (byHour.every((price) => price === byHour[0])) return byHour[0] ?? 0;
  if (toMs <= fromMs) return priceAt(fromMs);
  let sum = 0;
  for (let ms = fromMs; ms < toMs; ) {
    const next = Math.min(toMs, (Math.floor(ms / QUARTER_MS) + 1) * QUARTER_MS);
    sum += priceAt(ms) * (next - ms);
    ms = next;
  }
  return sum / (toMs - fromMs);
}

/** The newest quarter of an hour, by zone: most requests of a batch ran within one. */
const clocks = new Map<string, { format: Intl.DateTimeFormat; quarter: number; hour: number }>();

/** Returns the local hour of the day, 0 to 23. */
function hourOf(ms: number, timeZone: string): number {
  const quarter = Math.floor(ms / QUARTER_MS);
  let clock = clocks.get(timeZone);
  if (clock === undefined) {
    const format = new Intl.DateTimeFormat("en", { timeZone, hour: "2-digit", hourCycle: "h23" });
    clock = { format, quarter: Number.NaN, hour: 0 };
    clocks.set(timeZone, clock);
  }
  if (clock.quarter !== quarter) {
    clock.quarter = quarter;
    clock.hour = Number(clock.format.format(ms));
  }
  return clock.hour;
}

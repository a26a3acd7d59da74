/** Usage and energy over a period: the query for it, and the bars and cards made of the answer. Pure. */
import type { CostPart, CostRow, Costs } from "../../protocol/api/costs.ts";
import type { CostPeriodLength } from "../../protocol/cost-periods.ts";
import { DAY_MS } from "../../protocol/day.ts";
import { type ComparedPrice, costAt } from "./compared-price.ts";
import { co2, compact, count, energy, money, percent, UNKNOWN } from "./format.ts";
import { sumKnown } from "./power.ts";
import type { PageScope, Period } from "./scope.ts";

export const USAGE_GROUPS = ["model", "box", "key"] as const;
export type UsageGroup = (typeof USAGE_GROUPS)[number];

/** The names of what belongs to no group. */
const NO_GROUP: Record<UsageGroup, string> = {
  model: "No model",
  box: "No box",
  key: "No key",
};
export const usageName = (
  { group, key_name }: Pick<CostRow, "group" | "key_name">,
  by: UsageGroup,
): string => key_name ?? group ?? NO_GROUP[by];

/** Few enough bars to see, and enough to compare. */
const BARS_MAX = 62;
const WEEK_BARS_MAX = 40;

/** Returns the shortest length of time that makes a readable number of bars. */
export function usualLength({ fromMs, untilMs }: Period): CostPeriodLength {
  const days = (untilMs - fromMs) / DAY_MS;
  if (days <= BARS_MAX) return "day";
  return days / 7 <= WEEK_BARS_MAX ? "week" : "month";
}

type Query = Record<string, string | undefined>;

/** @param zone  time zone of the viewer, whose days are shown */
export const usageQuery = (
  { box, model, key }: PageScope,
  { fromMs, untilMs }: Period,
  zone: string,
): Query => ({
  from: new Date(fromMs).toISOString(),
  to: new Date(untilMs).toISOString(),
  time_zone: zone,
  box: box ?? undefined,
  model: model ?? undefined,
  key: key ?? undefined,
});

export const USAGE_MEASURES = ["energy", "cost", "tokens", "requests"] as const;
export type UsageMeasure = (typeof USAGE_MEASURES)[number];

/** The amount of a part: what its requests took, and what was drawn while none was open. */
const AMOUNTS: Record<UsageMeasure, (part: CostPart) => [used: number | null, unused: number]> = {
  energy: ({ energy_j, unused_energy_j }) => usedOf(energy_j, unused_energy_j),
  cost: ({ cost, unused_cost }) => usedOf(cost, unused_cost),
  tokens: (part) => [part.prompt_tokens + part.completion_tokens, 0],
  requests: ({ requests }) => [requests, 0],
};
const usedOf = (all: number | null, unused: number | null): [number | null, number] =>
  all === null ? [null, 0] : [Math.max(0, all - (unused ?? 0)), unused ?? 0];

export type UsageStack = {
  /** The groups of the rows, those with the most first; then the unused part, if there is any. */
  stack: { group: string | null; isUnused: boolean; isRest: boolean; values: number[] }[];
  /** The days, weeks or months of the period, also those without anything. */
  names: string[];
  /** The highest bar. */
  most: number;
};

/** As many colours differ clearly. */
const GROUPS_MAX = 9;

export function usageStack(
  { rows, periods, from, to }: Pick<Costs, "rows" | "periods" | "from" | "to">,
  measure: UsageMeasure,
  length: CostPeriodLength,
): UsageStack {
  const names = namesBetween(Date.parse(from), Date.parse(to), length);
  const at = new Map(names.map((name, index) => [name, index]));
  const none = () => names.map(() => 0);
  const first = rows.slice(0, GROUPS_MAX).map(({ group }) => group);
  const used = new Map(first.map((group) => [group, none()]));
  const [rest, unused] = [none(), none()];
  for (const { period, parts } of periods ?? [])
    for (const part of parts) {
      const [amount, idle] = AMOUNTS[measure](part);
      const index = at.get(period) ?? 0;
      const line = used.get(part.group) ?? rest;
      line[index] = (line[index] ?? 0) + (amount ?? 0);
      unused[index] = (unused[index] ?? 0) + idle;
    }
  const isAny = (values: number[]) => values.some((value) => value > 0);
  const stack = [
    ...first.map((group) => ({
      group,
      isRest: false,
      isUnused: false,
      values: used.get(group) ?? [],
    })),
    { group: null, isRest: true, isUnused: false, values: rest },
    { group: null, isRest: false, isUnused: true, values: unused },
  ].filter(({ values }) => isAny(values));
  const sums = names.map((_, index) =>
    stack.reduce((sum, { values }) => sum + (values[index] ?? 0), 0),
  );
  return { stack, names, most: Math.max(0, ...sums) };
}

/** The names of all days, weeks or months of the viewer's zone that have a part between two times. */
function namesBetween(fromMs: number, toMs: number, length: CostPeriodLength): string[] {
  const names: string[] = [];
  for (let ms = fromMs; ms < toMs; ) {
    const name = nameAt(ms, length);
    names.push(name);
    ms = timeOfName(name, length).untilMs;
  }
  return names;
}

function nameAt(ms: number, length: CostPeriodLength): string {
  const at = new Date(ms);
  const sinceMonday = (at.getDay() + 6) % 7;
  const back = { day: 0, week: sinceMonday, month: at.getDate() - 1 }[length];
  const first = new Date(at.getFullYear(), at.getMonth(), at.getDate() - back);
  const two = (value: number) => String(value).padStart(2, "0");
  const month = `${first.getFullYear()}-${two(first.getMonth() + 1)}`;
  return length === "month" ? month : `${month}-${two(first.getDate())}`;
}

/** Returns the time of a day, week or month in the viewer's zone, for the requests in it. */
export function timeOfName(name: string, length: CostPeriodLength): Period {
  const [year = 0, month = 1, day = 1] = name.split("-").map(Number);
  const days = { day: 1, week: 7, month: 0 }[length];
  const months = length === "month" ? 1 : 0;
  return {
    fromMs: new Date(year, month - 1, day).getTime(),
    untilMs: new Date(year, month - 1 + months, day + days).getTime(),
  };
}

export function labelOfName(name: string, length: CostPeriodLength): string {
  const options: Intl.DateTimeFormatOptions =
    length === "month" ? { month: "short", year: "numeric" } : { day: "numeric", month: "short" };
  return new Date(timeOfName(name, length).fromMs).toLocaleDateString("en-GB", options);
}

export type UsageCard = { name: string; value: string; fact: string };

/** @param price  null without one to compare with */
export function usageCards(
  { total, currency }: Pick<Costs, "total" | "currency">,
  price: ComparedPrice | null,
): UsageCard[] {
  const moneyOf = (amount: number | null) => moneyText(amount, currency);
  const unusedCost = unusedCostOf(total);
  const known = total.energy_requests < total.requests && total.energy_requests > 0;
  return [
    {
      name: "Energy",
      value: energy(total.energy_j),
      fact: total.unused_share === null ? "" : `${percent(total.unused_share)} unused`,
    },
    {
      name: "Cost",
      value: moneyOf(total.cost),
      fact: unusedCost === null ? "" : `${moneyOf(unusedCost)} unused`,
    },
    { name: "CO₂", value: co2(total.co2_g).replace(" CO₂", ""), fact: "" },
    {
      name: "Requests",
      value: compact(total.requests),
      fact: known ? `energy known of ${count(total.energy_requests)}` : "",
    },
    {
      name: "Tokens",
      value: compact(total.prompt_tokens + total.completion_tokens),
      fact: `${compact(total.prompt_tokens)} in, ${compact(total.completion_tokens)} out`,
    },
    {
      name: "Cost per 1M out",
      value: moneyOf(total.cost_per_million_output),
      fact: price === null ? "" : `${moneyOf(costAt(total, price))} for all at your price`,
    },
  ];
}

/** Without a price for the rest, that of nothing unused is no figure. */
export const unusedCostOf = ({ cost, standing_cost, idle_cost }: CostRow): number | null =>
  cost === null ? null : sumKnown([standing_cost, idle_cost]);

export const moneyText = (amount: number | null, currency: string | null): string =>
  amount === null || currency === null ? UNKNOWN : money(amount, currency);

/** Answers the question that most people come with, in a sentence; null without energy. */
export function mostText({ rows, total, by }: Pick<Costs, "rows" | "total" | "by">): string | null {
  const [first] = rows;
  if (first?.group == null || !first.energy_j || !total.energy_j || rows.length < 2) return null;
  const unused = first.unused_share === null ? "" : `, ${percent(first.unused_share)} of it unused`;
  return `${usageName(first, by as UsageGroup)} used the most energy: ${energy(first.energy_j)}, ${percent(first.energy_j / total.energy_j)} of all${unused}.`;
}

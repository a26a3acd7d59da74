import { expect, test } from "vitest";
import { comparedPriceIn, costAt } from "../../../../dashboard/shape/compared-price.ts";
import { EVERYTHING } from "../../../../dashboard/shape/scope.ts";
import {
  labelOfName,
  mostText,
  timeOfName,
  usageCards,
  usageName,
  usageQuery,
  usageStack,
  usualLength,
} from "../../../../dashboard/shape/usage.ts";
import type { CostPart, CostRow } from "../../../../protocol/api/costs.ts";
import { DAY_MS } from "../../../../protocol/day.ts";

const at = (text: string) => new Date(text).getTime();
const row = (rest: Partial<CostRow>) => rest as CostRow;
const part = (group: string | null, energy_j: number | null, rest: Partial<CostPart> = {}) =>
  ({
    ...{ group, energy_j, requests: 1, prompt_tokens: 10, completion_tokens: 5 },
    ...{ cost: null, unused_cost: null, unused_energy_j: null, co2_g: null },
    ...rest,
  }) satisfies CostPart;

test("requests whole periods in the viewer's zone, narrowed by the scope", () => {
  const period = { fromMs: Date.UTC(2026, 10, 1), untilMs: Date.UTC(2026, 10, 27, 15) };
  expect(usageQuery({ ...EVERYTHING, box: "atlas" }, period, "Europe/Berlin")).toEqual({
    from: "2026-11-01T00:00:00.000Z",
    to: "2026-11-27T15:00:00.000Z",
    time_zone: "Europe/Berlin",
    box: "atlas",
  });
});

test.each([
  [1, "day"],
  [62, "day"],
  [90, "week"],
  [365, "month"],
])("divides %i days by the %s", (days, length) =>
  expect(usualLength({ fromMs: 0, untilMs: days * DAY_MS })).toBe(length),
);

test("stacks what requests used by group, then the rest, and what was unused on top", () => {
  const costs = {
    from: new Date("2026-11-25T00:00").toISOString(),
    to: new Date("2026-11-27T12:00").toISOString(),
    rows: [..."abcdefghij"].map((group) => row({ group })),
    periods: [
      {
        period: "2026-11-25",
        parts: [part("a", 100, { unused_energy_j: 40 }), part("j", 7), part("b", null)],
      },
      { period: "2026-11-27", parts: [part("a", 10)] },
    ],
  };
  const { stack, names, most } = usageStack(costs, "energy", "day");
  expect(names).toEqual(["2026-11-25", "2026-11-26", "2026-11-27"]);
  expect(most).toBe(107);
  expect(stack).toEqual([
    { group: "a", isRest: false, isUnused: false, values: [60, 0, 10] },
    { group: null, isRest: true, isUnused: false, values: [7, 0, 0] },
    { group: null, isRest: false, isUnused: true, values: [40, 0, 0] },
  ]);
  expect(usageStack(costs, "tokens", "day").stack[0]?.values).toEqual([15, 0, 15]);
  expect(usageStack(costs, "cost", "day")).toMatchObject({ stack: [], most: 0 });
  expect(usageStack(costs, "requests", "week").names).toEqual(["2026-11-23"]);
  expect(usageStack(costs, "requests", "month").names).toEqual(["2026-11"]);
});

test("finds the days of the viewer behind the name of a bar", () => {
  const period = (from: string, until: string) => ({ fromMs: at(from), untilMs: at(until) });
  expect(timeOfName("2026-11-23", "week")).toEqual(period("2026-11-23T00:00", "2026-11-30T00:00"));
  expect(timeOfName("2026-12", "month")).toEqual(period("2026-12-01T00:00", "2027-01-01T00:00"));
  expect(labelOfName("2026-11-23", "day")).toBe("23 Nov");
  expect(labelOfName("2026-12", "month")).toBe("Dec 2026");
});

const TOTAL = {
  ...{ energy_j: 7.2e6, cost: 0.64, standing_cost: 0.1, idle_cost: 0.06, co2_g: 760 },
  ...{ unused_share: 0.25, requests: 20, energy_requests: 18 },
  ...{ prompt_tokens: 2e6, completion_tokens: 1e6, cost_per_million_output: 0.31 },
} as CostRow;

test("sums up a period, beside a price to compare with", () => {
  const cards = usageCards({ total: TOTAL, currency: "EUR" }, { input: 0.15, output: 0.6 });
  expect(cards.map(({ name, value, fact }) => [name, value, fact])).toEqual([
    ["Energy", "2\u202fkWh", "25\u202f% unused"],
    ["Cost", "€0.64", "€0.16 unused"],
    ["CO₂", "760\u202fg", ""],
    ["Requests", "20", "energy known of 18"],
    ["Tokens", "3\u202fM", "2\u202fM in, 1\u202fM out"],
    ["Cost per 1M out", "€0.31", "€0.90 for all at your price"],
  ]);
  const unpriced = { ...TOTAL, cost: null, standing_cost: null, idle_cost: 0 };
  expect(usageCards({ total: unpriced, currency: "EUR" }, null)[1]).toMatchObject({
    value: "–",
    fact: "",
  });
});

test("answers who used the most energy, and how much of it was unused", () => {
  const first = row({ group: "a1", key_name: "Ada", energy_j: 1.8e6, unused_share: null });
  const rows = [first, row({ group: "b2" })];
  expect(mostText({ rows, total: TOTAL, by: "key" })).toBe(
    "Ada used the most energy: 500\u202fWh, 25\u202f% of all.",
  );
  expect(mostText({ rows: [first], total: TOTAL, by: "key" })).toBeNull();
  expect(mostText({ rows: [row({ group: null })], total: TOTAL, by: "key" })).toBeNull();
});

test("names keys, and what belongs to no model, box or key", () => {
  expect(usageName({ group: "a1", key_name: "Ada" }, "key")).toBe("Ada");
  expect(usageName({ group: "a1", key_name: null }, "key")).toBe("a1");
  expect(usageName({ group: null, key_name: null }, "box")).toBe("No box");
});

test("compares with a typed price, and reads only a valid one from storage", () => {
  const price = { input: 0.15, output: 0.6 };
  expect(costAt(TOTAL, price)).toBeCloseTo(0.9, 9);
  expect(comparedPriceIn(price)).toEqual(price);
  for (const value of [null, 7, {}, { input: "1", output: 2 }, { input: -1, output: 2 }])
    expect(comparedPriceIn(value)).toBeNull();
});

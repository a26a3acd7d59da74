import { expect, test } from "vitest";
import { Tariff } from "../../../../protocol/tariff.ts";
import { pricingOf, requestCost, type TariffVersion } from "../../../../worker/counting/pricing.ts";
import { recordOf } from "../../../support/records.ts";
import { seeded } from "../../../support/seeded.ts";

const KWH = 3.6e6;
const HOUR_MS = 3_600_000;

type Hours = [from: number, to: number, price: number][];
const tariffOf = (time_zone: string, hours: Hours | null, rest: object = {}): Tariff =>
  Tariff.parse({
    currency: "EUR",
    default: {
      time_zone,
      prices: hours?.map(([from, to, price_per_kwh]) => ({ from, to, price_per_kwh })) ?? null,
    },
    ...rest,
  });
const always = (tariff: Tariff): TariffVersion[] => [{ since_ms: 0, tariff }];
const at = (iso: string) => Date.parse(iso);

/** Prices one kWh that is drawn between two times. */
const costOf = (from: string, to: string, versions: readonly TariffVersion[], box = "atlas") =>
  pricingOf(KWH, box, at(from), at(to), versions);

test.each([
  ["within one hour", "2026-01-05T10:00:00Z", "2026-01-05T10:30:00Z", 10],
  ["over two hours", "2026-01-05T10:30:00Z", "2026-01-05T11:30:00Z", 10.5],
  ["unevenly over two hours", "2026-01-05T10:45:00Z", "2026-01-05T11:45:00Z", 10.75],
  ["across midnight", "2026-01-05T23:30:00Z", "2026-01-06T00:30:00Z", 11.5],
  ["over a whole day", "2026-01-05T00:00:00Z", "2026-01-06T00:00:00Z", 11.5],
  ["at one moment", "2026-01-05T11:00:00Z", "2026-01-05T11:00:00Z", 11],
])("prices energy %s by the time in each hour", (_name, from, to, cost) => {
  const byHour: Hours = Array.from({ length: 24 }, (_, hour) => [hour, hour + 1, hour]);
  expect(costOf(from, to, always(tariffOf("UTC", byHour))).cost).toBeCloseTo(cost, 9);
});

test.each([
  // Clocks go from 02:00 to 03:00: the day has no hour 2.
  ["2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z", (1 + 3) / 2],
  ["2026-03-28T23:00:00Z", "2026-03-29T02:00:00Z", (0 + 1 + 3) / 3],
  // Clocks go from 03:00 to 02:00: hour 2 occurs twice.
  ["2026-10-25T00:00:00Z", "2026-10-25T02:00:00Z", 2],
  ["2026-10-24T23:00:00Z", "2026-10-25T02:00:00Z", (1 + 2 + 2) / 3],
])("follows the clocks of the time zone when they change: %s", (from, to, cost) => {
  const byHour: Hours = Array.from({ length: 24 }, (_, hour) => [hour, hour + 1, hour]);
  const versions = always(tariffOf("Europe/Berlin", byHour));
  expect(costOf(from, to, versions).cost).toBeCloseTo(cost, 9);
});

test("knows the hours of a zone that is off by a quarter of an hour", () => {
  const versions = always(
    tariffOf("Asia/Kathmandu", [
      [0, 12, 1],
      [12, 24, 2],
    ]),
  );
  // Noon there is 06:15 UTC.
  expect(costOf("2026-01-05T06:00:00Z", "2026-01-05T06:30:00Z", versions).cost).toBeCloseTo(1.5, 9);
});

test("counts a price of 0 as a cost of 0, and an unknown price as no cost", () => {
  const free = always(tariffOf("UTC", [[0, 24, 0]]));
  expect(costOf("2026-01-05T10:00:00Z", "2026-01-05T10:30:00Z", free)).toEqual({
    cost: 0,
    costJ: KWH,
    co2G: 0,
    co2J: 0,
  });
  const record = recordOf(at("2026-01-05T10:00:00Z"), { energy_j: 360 });
  expect(requestCost(record, free)).toEqual({ cost: 0, cost_currency: "EUR", co2_g: null });
  const unknown = always(tariffOf("UTC", null, { default: { prices: null, co2_g_per_kwh: 400 } }));
  expect(requestCost(record, unknown)).toEqual({ cost: null, cost_currency: null, co2_g: 0.04 });
});

test.each([
  ["energy", { energy_j: null }],
  ["box", { energy_j: 5, box: null }],
])("leaves the cost of a request without %s unknown", (_name, rest) => {
  const record = recordOf(at("2026-01-05T10:00:00Z"), rest);
  const versions = always(tariffOf("UTC", [[0, 24, 1]]));
  expect(requestCost(record, versions)).toEqual({ cost: null, cost_currency: null, co2_g: null });
});

test("prices a late record by the tariff of the time in which it ran", () => {
  const versions = [
    { since_ms: at("2026-01-05T10:00:00Z"), tariff: tariffOf("UTC", [[0, 24, 1]]) },
    { since_ms: at("2026-01-05T12:00:00Z"), tariff: tariffOf("UTC", [[0, 24, 3]]) },
    { since_ms: at("2026-01-05T14:00:00Z"), tariff: null },
  ];
  const costAt = (iso: string) =>
    requestCost(recordOf(at(iso), { energy_j: KWH, latency_ms: HOUR_MS }), versions).cost;
  expect(costAt("2026-01-05T10:00:00Z")).toBeCloseTo(1, 9);
  expect(costAt("2026-01-05T11:30:00Z")).toBeCloseTo(2, 9); // half under each
  expect(costAt("2026-01-05T12:30:00Z")).toBeCloseTo(3, 9);
  expect(costAt("2026-01-05T09:30:00Z")).toBeNull(); // half before the first
  expect(costAt("2026-01-05T13:30:00Z")).toBeNull(); // half after the removal
  expect(costAt("2026-01-05T15:00:00Z")).toBeNull();
});

test("takes the rate of the box, as a whole, before the default", () => {
  const versions = always(
    tariffOf("UTC", [[0, 24, 1]], {
      boxes: { zeus: { prices: [{ from: 0, to: 24, price_per_kwh: 5 }], co2_g_per_kwh: 30 } },
    }),
  );
  const [from, to] = ["2026-01-05T10:00:00Z", "2026-01-05T11:00:00Z"];
  expect(costOf(from, to, versions)).toMatchObject({ cost: 1, co2J: 0 });
  expect(costOf(from, to, versions, "zeus")).toMatchObject({ cost: 5, co2G: 30, co2J: KWH });
});

test("the costs of the pieces of a time add up to the cost of the whole", () => {
  for (let seed = 1; seed <= 200; seed++) {
    const random = seeded(seed);
    const zone = [
      "UTC",
      "Europe/Berlin",
      "America/New_York",
      "Asia/Kolkata",
      "Australia/Lord_Howe",
    ];
    const hours: Hours = Array.from({ length: 24 }, (_, hour) => [hour, hour + 1, random()]);
    const start = at("2026-01-01T00:00:00Z") + random() * 365 * 24 * HOUR_MS;
    const length = random() * 72 * HOUR_MS;
    const versions: TariffVersion[] = [0, 0.4, 0.8].map((part, index) => ({
      since_ms: start + part * length,
      tariff:
        index === 1 ? null : tariffOf(zone[Math.floor(random() * zone.length)] ?? "UTC", hours),
    }));
    const joules = random() * 1e7;
    const whole = pricingOf(joules, "atlas", start, start + length, versions);
    const cuts = [0, ...Array.from({ length: 5 }, random).sort((a, b) => a - b), 1];
    const sum = { cost: 0, costJ: 0, co2G: 0, co2J: 0 };
    for (const [index, to] of cuts.slice(1).entries()) {
      const from = cuts[index] ?? 0;
      const [fromMs, toMs] = [start + from * length, start + to * length];
      const piece = pricingOf(joules * (to - from), "atlas", fromMs, toMs, versions);
      sum.cost += piece.cost;
      sum.costJ += piece.costJ;
    }
    expect(sum.cost, `seed ${seed}`).toBeCloseTo(whole.cost, 6);
    expect(sum.costJ / joules, `seed ${seed}`).toBeCloseTo(whole.costJ / joules, 9);
    expect(whole.costJ / joules, `seed ${seed}`).toBeCloseTo(0.6, 6); // none while it was removed
  }
});

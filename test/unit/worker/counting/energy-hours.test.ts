import { expect, test } from "vitest";
import { NO_ENERGY } from "../../../../protocol/gpu-energy.ts";
import { Tariff } from "../../../../protocol/tariff.ts";
import {
  addSums,
  EnergyHour,
  EnergySums,
  hoursOfGrowth,
  mergedHours,
  NO_SUMS,
} from "../../../../worker/counting/energy-hours.ts";
import type { TariffVersion } from "../../../../worker/counting/pricing.ts";
import { seeded } from "../../../support/seeded.ts";

const KWH = 3.6e6;
const HOUR_MS = 3_600_000;
const NOON = Date.parse("2026-01-05T12:00:00Z");

const flat = (price_per_kwh: number): TariffVersion[] => [
  {
    since_ms: 0,
    tariff: Tariff.parse({
      currency: "EUR",
      default: { prices: [{ from: 0, to: 24, price_per_kwh }], co2_g_per_kwh: 100 },
    }),
  },
];
const loaded = (joules: number) => ({ ...NO_ENERGY, loaded: { joules, seconds: 1 } });

test("energy of one hour stays in it, divided equally among the models in memory", () => {
  const growth = { energy: loaded(KWH), seconds: 1_800, endMs: NOON - 1 };
  const hours = hoursOfGrowth(growth, "atlas", ["a", "b"], flat(0.5));
  expect(hours).toHaveLength(1);
  const half = { j: KWH / 2, cost: 0.25, cost_j: KWH / 2, co2_g: 50, co2_j: KWH / 2 };
  expect(hours[0]).toMatchObject({
    at: (NOON - HOUR_MS) / 1_000,
    loaded: { j: KWH, cost: 0.5, co2_g: 100 },
    active: { j: 0, cost: 0 },
    standing: [
      { model: "a", ...half },
      { model: "b", ...half },
    ],
  });
});

test("energy that was drawn over several hours is divided by time", () => {
  const energy = {
    ...NO_ENERGY,
    active: { joules: 400, seconds: 1 },
    idle: { joules: 40, seconds: 1 },
  };
  const hours = hoursOfGrowth(
    { energy, seconds: 4 * 1_800, endMs: NOON + HOUR_MS / 4 },
    "atlas",
    [],
    [],
  );
  expect(hours.map(({ at, active, idle }) => [at - NOON / 1_000, active.j, idle.j])).toEqual([
    [-7_200, 150, 15],
    [-3_600, 200, 20],
    [0, 50, 5],
  ]);
});

test("energy without a time, or with an absurd one, is counted too", () => {
  const now = hoursOfGrowth({ energy: loaded(10), seconds: 0, endMs: NOON }, "atlas", [], []);
  expect(now.map(({ at, loaded: { j } }) => [at, j])).toEqual([[NOON / 1_000, 10]]);
  const ages = hoursOfGrowth({ energy: loaded(7_440), seconds: 4e7, endMs: NOON }, "atlas", [], []);
  expect(ages).toHaveLength(31 * 24);
  expect(ages[0]?.loaded.j).toBeCloseTo(10, 9);
});

test("standing energy without a known model is kept apart", () => {
  const [hour] = hoursOfGrowth({ energy: loaded(10), seconds: 1, endMs: NOON }, "atlas", [], []);
  expect(hour?.standing).toMatchObject([{ model: "other", j: 10, cost: 0, cost_j: 0 }]);
});

test("a box that invents names of models has a bounded number of them", () => {
  let sums = NO_SUMS;
  for (let n = 0; n < 1_000; n++) {
    const growth = { energy: loaded(1), seconds: 1, endMs: NOON };
    for (const hour of hoursOfGrowth(growth, "atlas", [`invented-${n}`], flat(1)))
      sums = addSums(sums, hour);
  }
  expect(sums.standing).toHaveLength(201);
  expect(sums.standing.at(-1)).toMatchObject({ model: "other", j: 800 });
  expect(sums.loaded.j).toBe(1_000);
});

test.each(["__proto__", "constructor", "toString"])("a model may be named %s", (model) => {
  const growth = { energy: loaded(KWH), seconds: 1, endMs: NOON };
  const hours = hoursOfGrowth(growth, "atlas", [model], flat(1));
  const sums = [...hours, ...hours].reduce<EnergySums>(addSums, NO_SUMS);
  expect(EnergySums.parse(JSON.parse(JSON.stringify(sums))).standing).toMatchObject([
    { model, j: 2 * KWH, cost: 2 },
  ]);
});

test("whatever grows, and whenever, the parts add up to the whole", () => {
  for (let seed = 1; seed <= 100; seed++) {
    const random = seeded(seed);
    const versions = flat(random());
    let hours: EnergyHour[] = [];
    let sums: EnergySums = NO_SUMS;
    let joules = 0;
    let endMs = NOON;
    for (let n = 0; n < 20; n++) {
      const seconds = random() * 20_000;
      endMs += seconds * 1_000;
      const amount = () => ({ joules: random() < 0.3 ? 0 : random() * 1e6, seconds: 1 });
      const energy = { active: amount(), loaded: amount(), idle: amount() };
      joules += energy.active.joules + energy.loaded.joules + energy.idle.joules;
      const models = ["a", "b", "c"].filter(() => random() < 0.5);
      const grown = hoursOfGrowth({ energy, seconds, endMs }, "atlas", models, versions);
      hours = mergedHours([...hours, ...grown]);
      sums = grown.reduce<EnergySums>(addSums, sums);
    }
    const ofHours = hours.reduce<EnergySums>(addSums, NO_SUMS);
    const wholeOf = ({ active, loaded: unused, idle }: EnergySums) => active.j + unused.j + idle.j;
    expect(wholeOf(sums) / joules, `seed ${seed}`).toBeCloseTo(1, 9);
    expect(wholeOf(ofHours) / joules, `seed ${seed}`).toBeCloseTo(1, 9);
    for (const each of [sums, ofHours]) {
      const standing = each.standing.reduce((sum, { j }) => sum + j, 0);
      expect(standing / each.loaded.j, `seed ${seed}`).toBeCloseTo(1, 9);
      const cost = each.active.cost + each.loaded.cost + each.idle.cost;
      const price = versions[0]?.tariff?.default.prices?.[0]?.price_per_kwh ?? 0;
      expect(cost, `seed ${seed}`).toBeCloseTo((joules / KWH) * price, 9);
    }
    expect(hours.map(({ at }) => at)).toEqual(
      [...new Set(hours.map(({ at }) => at))].sort((a, b) => a - b),
    );
    expect(EnergyHour.array().parse(JSON.parse(JSON.stringify(hours)))).toEqual(hours);
  }
});

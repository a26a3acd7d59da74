import { expect, test } from "vitest";
import { costPerDay, energySpent, sumKnown } from "../../../../dashboard/shape/power.ts";

test("leaves unknown power out of the sum", () => {
  expect([sumKnown([100, null, 50]), sumKnown([null])]).toEqual([150, null]);
});

test("converts the power and the price of each box to the cost of a day", () => {
  const now = [
    { box: "atlas", price_per_kwh: 0.3, co2_g_per_kwh: null },
    { box: "basil", price_per_kwh: 0, co2_g_per_kwh: null },
    { box: "zeus", price_per_kwh: null, co2_g_per_kwh: null },
  ];
  const gpu = (box: string, power_draw_w: number | null) => ({ box, power_draw_w });
  expect(
    costPerDay([gpu("atlas", 400), gpu("atlas", 600), gpu("basil", 500)], { now }),
  ).toBeCloseTo(7.2);
  expect(costPerDay([gpu("basil", 500)], { now })).toBe(0);
  for (const unknown of [gpu("zeus", 1), gpu("nowhere", 1), gpu("atlas", null)])
    expect(costPerDay([gpu("atlas", 400), unknown], { now })).toBeNull();
});

test("divides the energy of all boxes into requests, unused models and idle time", () => {
  const energy = (active: number, standing_w: number | null) => ({
    active: { joules: active, seconds: 1 },
    loaded: { joules: 30, seconds: 1 },
    idle: { joules: 20, seconds: 1 },
    standing_w,
  });
  const boxes = [{ energy: energy(50, 49) }, { energy: null }, { energy: energy(50, null) }];
  expect(energySpent(boxes)).toEqual({
    joules: 200,
    active: 0.5,
    loaded: 0.3,
    idle: 0.2,
    standingWatts: 49,
  });
  expect(energySpent([{ energy: null }])).toBeNull();
});

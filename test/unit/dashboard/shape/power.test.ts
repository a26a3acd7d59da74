import { expect, test } from "vitest";
import { costOf, costPerDay, energySpent, sumKnown } from "../../../../dashboard/shape/power.ts";

test("leaves unknown power out of the sum and converts power to cost per kWh", () => {
  expect([sumKnown([100, null, 50]), sumKnown([null])]).toEqual([150, null]);
  expect(costPerDay(1_000, 0.3)).toBeCloseTo(7.2);
  expect(costOf(3_600_000, 0.3)).toBeCloseTo(0.3);
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

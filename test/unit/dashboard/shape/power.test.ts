import { expect, test } from "vitest";
import { costOf, costPerDay, sumKnown } from "../../../../dashboard/shape/power.ts";

test("leaves unknown power out of the sum and converts power to cost per kWh", () => {
  expect([sumKnown([100, null, 50]), sumKnown([null])]).toEqual([150, null]);
  expect(costPerDay(1_000, 0.3)).toBeCloseTo(7.2);
  expect(costOf(3_600_000, 0.3)).toBeCloseTo(0.3);
});

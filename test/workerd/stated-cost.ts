/** Compares a sum of the bill with the one that docs/cost.md states. */
import { expect } from "vitest";
import COST_PAGE from "../../docs/cost.md?raw";
import { dollarsOf, scaled, type Units } from "../support/cost/bill.ts";
import type { Meter } from "./meter.ts";

export const MILLION = 1_000_000;

/** The page rounds its figures. */
const ROUNDING = 1.02;
/** A figure that fell by more than this belongs on the page. */
const OUTDATED = 0.95;

/**
 * Compares a sum with the page. Without the time that objects are awake: it depends on the machine, and
 * is a hundredth of the sum.
 */
export function expectStated(meter: Meter, name: string, units: Units): void {
  const dollars = dollarsOf({ ...units, awakeMs: 0 });
  const row = COST_PAGE.split("\n").find((line) => line.startsWith(`| ${name} |`)) ?? "";
  const stated = Number(/\*\*\$([\d.]+)\*\*/.exec(row)?.[1]);
  const written = JSON.stringify(Object.fromEntries(meter.written));
  const sum = `${name}: $${dollars.toFixed(4)}, ${JSON.stringify(units)}, written ${written}`;
  console.log(sum);
  expect(dollars, `docs/cost.md states less. ${sum}`).toBeLessThanOrEqual(stated * ROUNDING);
  expect(dollars, `docs/cost.md states more. ${sum}`).toBeGreaterThan(stated * OUTDATED);
}

/** Compares the cost of a million with the page. */
export const expectMillionStated = (meter: Meter, name: string, units: Units): void =>
  expectStated(meter, name, scaled(units, MILLION));

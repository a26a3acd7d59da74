/**
 * The energy of GPUs, and its cost. Pure. Covers the GPU boards only; power supplies, fans and the rest add to it.
 */
import type { EnergyTotal } from "../../protocol/api/fleet.ts";
import type { TariffState } from "../../protocol/api/tariff.ts";
import type { GpuEnergy } from "../../protocol/gpu-energy.ts";

/** Returns the sum of the known values, or null if none is known. */
export function sumKnown(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0);
}

/**
 * Returns what the GPUs cost in a day at the power and the prices of now; null if any is unknown.
 */
export function costPerDay(
  gpus: readonly { box: string; power_draw_w: number | null }[],
  { now }: Pick<TariffState, "now">,
): number | null {
  const prices = new Map(now.map(({ box, price_per_kwh }) => [box, price_per_kwh]));
  let cost = 0;
  for (const { box, power_draw_w } of gpus) {
    const price = prices.get(box) ?? null;
    if (price === null || power_draw_w === null) return null;
    cost += (power_draw_w / 1_000) * 24 * price;
  }
  return cost;
}

/** The energy that boxes have drawn, and the shares of it, 0 to 1. */
export type EnergySpentParts = Record<keyof GpuEnergy | "joules", number> & {
  standingWatts: number | null;
};

/** Returns null if no energy was measured. */
export function energySpent(
  boxes: readonly { energy: EnergyTotal | null }[],
): EnergySpentParts | null {
  const known = boxes.flatMap(({ energy }) => energy ?? []);
  const joulesOf = (state: keyof GpuEnergy) =>
    known.reduce((sum, box) => sum + box[state].joules, 0);
  const joules = joulesOf("active") + joulesOf("loaded") + joulesOf("idle");
  if (joules === 0) return null;
  return {
    joules,
    active: joulesOf("active") / joules,
    loaded: joulesOf("loaded") / joules,
    idle: joulesOf("idle") / joules,
    standingWatts: sumKnown(known.map(({ standing_w }) => standing_w)),
  };
}

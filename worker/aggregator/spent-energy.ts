/**
 * The energy that a box has spent: its sums by hour and altogether, with each growth of its meter.
 * Pure.
 */
import type { LoadedModel, Readings } from "../../protocol/inventory.ts";
import {
  addSums,
  type EnergyHour,
  type EnergySums,
  type Growth,
  hoursOfGrowth,
  mergedHours,
} from "../counting/energy-hours.ts";
import { shortName } from "../counting/model-key.ts";
import type { TariffVersion } from "../counting/pricing.ts";

type Spending = { energySpent: EnergySums; energyHour: EnergyHour | null };
type Circumstances = {
  /** The models that were in memory. */
  loaded: readonly LoadedModel[];
  versions: readonly TariffVersion[];
};

/** @returns the new sums, and the hours that are over */
export function spentWith(
  box: string,
  { energySpent, energyHour }: Spending,
  growth: Growth,
  { loaded, versions }: Circumstances,
): Spending & { closed: EnergyHour[] } {
  const { active, loaded: unused, idle } = growth.energy;
  if (active.joules + unused.joules + idle.joules === 0)
    return { energySpent, energyHour, closed: [] };
  const models = [...new Set(loaded.map((model) => shortName(model.name)))];
  const grown = hoursOfGrowth(growth, box, models, versions);
  const hours = mergedHours([...(energyHour === null ? [] : [energyHour]), ...grown]);
  return {
    energySpent: grown.reduce(addSums, energySpent),
    energyHour: hours.at(-1) ?? null,
    closed: hours.slice(0, -1),
  };
}

/**
 * Returns the models that were in memory between two readings. Readings are sent as soon as these change,
 * so until then they were the earlier ones.
 */
export function heldModels(
  earlier: Pick<Readings, "inventory"> | null,
  later: Pick<Readings, "inventory">,
): LoadedModel[] {
  const before = earlier?.inventory.loaded ?? [];
  return before.length > 0 ? before : later.inventory.loaded;
}

/**
 * The energy of the GPUs of a box over all starts of its agent. Pure.
 *
 * An agent reports totals since it started, so readings that are lost, or arrive twice or late,
 * change nothing.
 */
import {
  addEnergy,
  energySince,
  type GpuEnergy,
  type MeteredEnergy,
  NO_ENERGY,
} from "../../protocol/gpu-energy.ts";
import type { Growth } from "../counting/energy-hours.ts";
import type { CountedGpu } from "../registered-box.ts";

/** Bounds what one report can add, so that a wrong one cannot overflow a sum: 30 MW for a year. */
const GROWTH_J_MAX = 1e15;
const GROWTH_SECONDS_MAX = 4e7;

/** More GPUs than any box has. The ones that were reported least recently are forgotten. */
const COUNTED_GPUS_MAX = 64;

const keyOf = ({ uuid, index }: { uuid: string | null; index: number }): string =>
  uuid ?? `index ${index}`;

export function countedWith(
  counted: readonly CountedGpu[],
  metered: MeteredEnergy | null,
): CountedGpu[] {
  const gpus = new Map(counted.map((gpu) => [keyOf(gpu), gpu]));
  for (const { energy, ...gpu } of metered?.gpus ?? []) {
    const key = keyOf(gpu);
    const known = gpus.get(key);
    const meter_id = metered?.meter_id ?? "";
    const before = known?.meter_id === meter_id ? known.reported : NO_ENERGY;
    const growth = energySince(before, energy);
    gpus.delete(key);
    gpus.set(key, {
      ...gpu,
      meter_id,
      total: addEnergy(known?.total ?? NO_ENERGY, bounded(growth)),
      reported: addEnergy(before, growth),
    });
  }
  return [...gpus.values()].slice(-COUNTED_GPUS_MAX);
}

/** Returns what all GPUs of a box have grown by, and over how much time. */
export function growthOf(
  before: readonly CountedGpu[],
  after: readonly CountedGpu[],
  endMs: number,
): Growth {
  const known = new Map(before.map((gpu) => [keyOf(gpu), gpu.total]));
  let energy = NO_ENERGY;
  let seconds = 0;
  for (const gpu of after) {
    const growth = energySince(known.get(keyOf(gpu)) ?? NO_ENERGY, gpu.total);
    energy = addEnergy(energy, growth);
    const { active, loaded, idle } = growth;
    // The GPUs of a box are measured side by side.
    seconds = Math.max(seconds, active.seconds + loaded.seconds + idle.seconds);
  }
  return { energy, seconds, endMs };
}

function bounded({ active, loaded, idle }: GpuEnergy): GpuEnergy {
  const amount = ({ joules, seconds }: GpuEnergy["active"]) => ({
    joules: Math.min(joules, GROWTH_J_MAX),
    seconds: Math.min(seconds, GROWTH_SECONDS_MAX),
  });
  return { active: amount(active), loaded: amount(loaded), idle: amount(idle) };
}

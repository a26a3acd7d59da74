/**
 * The energy of the GPUs of a box over all starts of its agent. Pure.
 *
 * An agent reports totals since it started, so readings that are lost, or arrive twice or late,
 * change nothing.
 */
import {
  addEnergy,
  energySince,
  type MeteredEnergy,
  NO_ENERGY,
} from "../../protocol/gpu-energy.ts";
import type { CountedGpu } from "../registered-box.ts";

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
      total: addEnergy(known?.total ?? NO_ENERGY, growth),
      reported: addEnergy(before, growth),
    });
  }
  return [...gpus.values()].slice(-COUNTED_GPUS_MAX);
}

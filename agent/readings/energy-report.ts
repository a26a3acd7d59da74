/**
 * The energy of the GPUs as the readings report it: the totals of the meter, with the GPUs' names.
 */
import { randomUUID } from "node:crypto";
import type { GpuEnergy, MeteredEnergy } from "../../protocol/gpu-energy.ts";
import type { GpuSource } from "./gpu-source.ts";

export class EnergyReport {
  readonly #meterId = randomUUID();
  readonly #totals: ReadonlyMap<number, GpuEnergy>;
  /** The last known identity of each GPU: it stays when the GPU is lost. */
  readonly #gpus = new Map<number, { uuid: string | null; name: string }>();

  /** @param totals  by index of the GPU; they grow */
  constructor(totals: ReadonlyMap<number, GpuEnergy>) {
    this.#totals = totals;
  }

  of(gpus: Pick<GpuSource, "latest">): MeteredEnergy {
    for (const { index, uuid, name } of gpus.latest()) this.#gpus.set(index, { uuid, name });
    return {
      meter_id: this.#meterId,
      gpus: [...this.#totals].flatMap(([index, energy]) => {
        const gpu = this.#gpus.get(index);
        return gpu === undefined ? [] : [{ index, ...gpu, energy: rounded(energy) }];
      }),
    };
  }
}

/** Whole millijoules and milliseconds: more digits would only lengthen the message. */
function rounded({ active, loaded, idle }: GpuEnergy): GpuEnergy {
  const short = (value: number) => Math.round(value * 1_000) / 1_000;
  const amount = ({ joules, seconds }: GpuEnergy["active"]) => ({
    joules: short(joules),
    seconds: short(seconds),
  });
  return { active: amount(active), loaded: amount(loaded), idle: amount(idle) };
}

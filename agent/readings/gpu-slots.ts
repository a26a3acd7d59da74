/**
 * The history of one GPU: the readings of each ten seconds as one sample. Pure.
 *
 * A single reading is no measure of the ten seconds around it: the power of a GPU that serves
 * short requests differs by half of its range. A sample therefore has the means, the maxima, every
 * throttle reason, and the energy.
 */
import { SAMPLE_EVERY_MS } from "../../protocol/limits.ts";
import type { GpuSample } from "../../protocol/records.ts";

type Slot = {
  number: number;
  samples: GpuSample[];
  /** Running total of the GPU's energy when the slot began; null if unknown. */
  fromJoules: number | null;
};

export class HistorySlots {
  #slot: Slot | null = null;

  /**
   * Adds a reading. Returns the sample of the slot that it ends, if it ends one.
   * @param joules  running total of the GPU's energy; null if unknown
   */
  add(sample: GpuSample, joules: number | null): GpuSample | null {
    const number = Math.floor(Date.parse(sample.at) / SAMPLE_EVERY_MS);
    const slot = this.#slot;
    if (slot !== null && slot.number === number) {
      slot.samples.push(sample);
      return null;
    }
    this.#slot = { number, samples: [sample], fromJoules: joules };
    return slot === null ? null : summaryOf(slot, joules);
  }
}

function summaryOf({ samples, fromJoules }: Slot, joules: number | null): GpuSample | null {
  const [first, last] = [samples[0], samples.at(-1)];
  if (first === undefined || last === undefined) return null;
  const known = (figure: keyof GpuSample): number[] =>
    samples.map((sample) => sample[figure]).filter((value) => typeof value === "number");
  const mean = (figure: keyof GpuSample): number | null => {
    const values = known(figure);
    return values.length === 0
      ? null
      : rounded(values.reduce((sum, value) => sum + value, 0) / values.length);
  };
  const max = (figure: keyof GpuSample): number | null => {
    const values = known(figure);
    return values.length === 0 ? null : Math.max(...values);
  };
  const reasons = samples.flatMap(({ throttle_reasons }) => throttle_reasons ?? []);
  return {
    ...last,
    at: first.at,
    utilization_percent: mean("utilization_percent"),
    utilization_max_percent: max("utilization_percent"),
    memory_used_mb: mean("memory_used_mb"),
    memory_used_max_mb: max("memory_used_mb"),
    temperature_c: mean("temperature_c"),
    temperature_max_c: max("temperature_c"),
    power_draw_w: mean("power_draw_w"),
    sm_clock_mhz: mean("sm_clock_mhz"),
    energy_j: joules === null || fromJoules === null ? null : rounded(joules - fromJoules),
    throttle_reasons: samples.every((sample) => sample.throttle_reasons === null)
      ? null
      : [...new Set(reasons)],
  };
}

const rounded = (value: number): number => Math.round(value * 1_000) / 1_000;

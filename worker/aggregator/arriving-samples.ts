/**
 * Samples on their way into storage: on the edge's clock, and no more of them than a history shows.
 */
import type { Readings } from "../../protocol/inventory.ts";
import { SAMPLE_EVERY_MS } from "../../protocol/limits.ts";
import type { GpuSample, SystemSample } from "../../protocol/records.ts";

/** Samples are kept this long. */
export const SAMPLES_KEPT_MS = 24 * 3_600_000;

/** What a box says of its GPUs and its machine, oldest first. */
export type Samples = { gpu: readonly GpuSample[]; system: readonly SystemSample[] };

/**
 * The readings with the times of their samples on the edge's clock: moved by what the agent's clock
 * said when they left. By that, and not by the hello's, since a clock may be set right under a tunnel
 * that stays up for weeks. They are late by the time that the message took, never early.
 *
 * What is still in the future, or older than anything that is kept, was sampled while the clock was being
 * set: it counts at the edge of what is possible, so that no time that a box says can harm storage.
 */
export function onEdgeClock(readings: Readings, nowMs: number): Readings {
  const skewMs = readings.now_ms === null ? 0 : readings.now_ms - nowMs;
  const moved = <Sample extends { at: string }>(sample: Sample): Sample => {
    const atMs = Math.min(nowMs, Math.max(nowMs - SAMPLES_KEPT_MS, Date.parse(sample.at) - skewMs));
    return { ...sample, at: new Date(atMs).toISOString() };
  };
  return {
    ...readings,
    gpu: { ...readings.gpu, samples: readings.gpu.samples.map(moved) },
    system: readings.system.map(moved),
  };
}

/** The slot of {@link SAMPLE_EVERY_MS} that each GPU, by index, was last stored in. */
export type GpuSlots = Map<number, number>;

/**
 * The first sample of each GPU in each slot. nvidia-smi gives one every two seconds, and a history
 * has no use for five.
 * @param slots  brought up to date
 */
export function thinned(samples: readonly GpuSample[], slots: GpuSlots): GpuSample[] {
  return samples.filter(({ index, at }) => {
    const slot = Math.floor(Date.parse(at) / SAMPLE_EVERY_MS);
    if (slots.get(index) === slot) return false;
    slots.set(index, slot);
    return true;
  });
}

/**
 * Samples on their way into storage: moved to the edge's clock, and thinned to what a history
 * shows.
 */
import { DAY_MS } from "../../protocol/day.ts";
import type { Readings } from "../../protocol/inventory.ts";
import { SAMPLE_EVERY_MS } from "../../protocol/limits.ts";
import type { GpuSample, SystemSample } from "../../protocol/records.ts";

/** An agent keeps its samples for less than this while the tunnel is away. */
export const SAMPLES_LATE_MAX_MS = DAY_MS;

/** Samples of the GPUs and the machine of a box, oldest first. */
export type Samples = { gpu: readonly GpuSample[]; system: readonly SystemSample[] };

/**
 * Moves the times of readings from the agent's clock to the edge's.
 *
 * The offset is the difference between the clocks when the readings left. The clock that the hello
 * reported is too old for this: a clock may be corrected under a tunnel that stays up for weeks.
 * The
 * moved times are late by the transit time of the message, never early.
 *
 * A sample that is still in the future, or older than a day, was taken while the clock was
 * being set. It is moved to the nearest possible time, so a wrong clock cannot harm storage.
 */
export function onEdgeClock(readings: Readings, nowMs: number): Readings {
  const skewMs = readings.now_ms === null ? 0 : readings.now_ms - nowMs;
  const moved = <Sample extends { at: string }>(sample: Sample): Sample => {
    const atMs = Math.min(
      nowMs,
      Math.max(nowMs - SAMPLES_LATE_MAX_MS, Date.parse(sample.at) - skewMs),
    );
    return { ...sample, at: new Date(atMs).toISOString() };
  };
  return {
    ...readings,
    gpu: {
      ...readings.gpu,
      samples: readings.gpu.samples.map(moved),
      history: readings.gpu.history?.map(moved) ?? null,
    },
    system: readings.system.map(moved),
  };
}

/** The slot of {@link SAMPLE_EVERY_MS} in which each GPU, by index, was last stored. */
export type GpuSlots = Map<number, number>;

/**
 * Keeps the first sample of each GPU in each slot. For older agents, which send a sample every two
 * seconds; others send one that covers the slot.
 * @param slots  is updated
 */
export function thinned(samples: readonly GpuSample[], slots: GpuSlots): GpuSample[] {
  return samples.filter(({ index, at }) => {
    const slot = Math.floor(Date.parse(at) / SAMPLE_EVERY_MS);
    if (slots.get(index) === slot) return false;
    slots.set(index, slot);
    return true;
  });
}

import { expect, test } from "vitest";
import { HistorySlots } from "../../../../agent/readings/gpu-slots.ts";
import type { GpuSample } from "../../../../protocol/records.ts";
import { gpuOf } from "../../../support/records.ts";

const START = 1_800_000_000_000;

/** Adds a reading each second. Returns the samples of the slots that ended. */
function summaries(
  seconds: number,
  readingAt: (second: number) => Partial<GpuSample>,
  joulesAt: (second: number) => number | null = () => null,
): GpuSample[] {
  const slots = new HistorySlots();
  return Array.from({ length: seconds }, (_, second) =>
    slots.add(gpuOf("b", START + second * 1_000, readingAt(second)), joulesAt(second)),
  ).filter((summary) => summary !== null);
}

test("a slot of ten seconds has means, maxima, every throttle reason, and the energy", () => {
  const [first, ...rest] = summaries(
    21,
    (second) => ({
      power_draw_w: second === 3 ? 600 : 100,
      utilization_percent: second === 3 ? 100 : 0,
      memory_used_mb: 1_000 + second,
      temperature_c: 50 + second,
      sm_clock_mhz: second < 5 ? 1_000 : 2_000,
      throttle_reasons: second === 3 ? ["sw_power_cap"] : second === 4 ? ["gpu_idle"] : [],
    }),
    (second) => 100 * second + (second > 3 ? 500 : 0),
  );
  expect(first).toMatchObject({
    at: new Date(START).toISOString(),
    power_draw_w: 150,
    utilization_percent: 10,
    utilization_max_percent: 100,
    memory_used_mb: 1_004.5,
    memory_used_max_mb: 1_009,
    temperature_c: 54.5,
    temperature_max_c: 59,
    sm_clock_mhz: 1_500,
    throttle_reasons: ["sw_power_cap", "gpu_idle"],
    energy_j: 1_500,
  });
  expect(rest).toMatchObject([{ at: new Date(START + 10_000).toISOString(), energy_j: 1_000 }]);
});

test("unknown figures are left out of a slot, and unknown in it if all are", () => {
  const [slot] = summaries(11, (second) => ({
    power_draw_w: second % 2 === 0 ? null : 80,
    utilization_percent: null,
    throttle_reasons: null,
  }));
  expect(slot).toMatchObject({
    power_draw_w: 80,
    utilization_percent: null,
    utilization_max_percent: null,
    throttle_reasons: null,
    energy_j: null,
  });
});

test("a clock that jumps back ends a slot", () => {
  const slots = new HistorySlots();
  expect(slots.add(gpuOf("b", START), 10)).toBeNull();
  expect(slots.add(gpuOf("b", START - 3_600_000), 30)?.energy_j).toBe(20);
});

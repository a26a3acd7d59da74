import { expect, test } from "vitest";
import type { Readings } from "../../../../protocol/inventory.ts";
import { SystemSample } from "../../../../protocol/records.ts";
import {
  onEdgeClock,
  SAMPLES_LATE_MAX_MS,
  thinned,
} from "../../../../worker/aggregator/arriving-samples.ts";
import { gpuOf, readingsOf, systemOf } from "../../../support/records.ts";

const NOW = 1_800_000_000_000;
const HOUR_MS = 3_600_000;

const agesMs = ({ gpu, system }: Readings) => ({
  gpu: gpu.samples.map(({ at }) => NOW - Date.parse(at)),
  system: system.map(({ at }) => NOW - Date.parse(at)),
});

/** Readings from an agent whose clock is this far ahead, sampled 12 s and 2 s before they left. */
const readingsAhead = (aheadMs: number): Readings => {
  const [early, late] = [NOW + aheadMs - 12_000, NOW + aheadMs - 2_000];
  return {
    ...readingsOf(
      NOW,
      [],
      [gpuOf("atlas", early), gpuOf("atlas", late)],
      [],
      [systemOf(early), systemOf(late)],
    ),
    now_ms: NOW + aheadMs,
  };
};

test.each<[clock: string, aheadMs: number]>([
  ["correct", 0],
  ["an hour ahead", HOUR_MS],
  ["an hour behind", -HOUR_MS],
  ["in 1970", -NOW + 60_000],
  ["a century ahead", 876_000 * HOUR_MS],
])("samples of a box whose clock is %s get their true time", (_clock, aheadMs) => {
  const moved = onEdgeClock(readingsAhead(aheadMs), NOW);
  expect(agesMs(moved)).toEqual({ gpu: [12_000, 2_000], system: [12_000, 2_000] });
  for (const sample of moved.system) expect(SystemSample.safeParse(sample).success).toBe(true);
});

test("a clock that was set between two samples moves only the older one, and keeps it within the retention", () => {
  const set = {
    ...readingsOf(NOW, [], [], [], [systemOf(NOW - 90 * 24 * HOUR_MS), systemOf(NOW - 1_000)]),
    now_ms: NOW,
  };
  expect(agesMs(onEdgeClock(set, NOW)).system).toEqual([SAMPLES_LATE_MAX_MS, 1_000]);
});

test.each([Number.MAX_VALUE, -Number.MAX_VALUE, 8.64e15])(
  "a clock of %s harms nothing",
  (now_ms) => {
    const moved = onEdgeClock({ ...readingsOf(NOW, [], [], [], [systemOf(NOW)]), now_ms }, NOW);
    expect(agesMs(moved).system[0]).toBeGreaterThanOrEqual(0);
    expect(agesMs(moved).system[0]).toBeLessThanOrEqual(SAMPLES_LATE_MAX_MS);
  },
);

test("samples of an agent that does not send its clock keep their time, unless it is in the future", () => {
  const { gpu } = agesMs(
    onEdgeClock(
      readingsOf(NOW, [], [gpuOf("atlas", NOW - 5_000), gpuOf("atlas", NOW + HOUR_MS)]),
      NOW,
    ),
  );
  expect(gpu).toEqual([5_000, 0]);
});

test("the first sample of each GPU in ten seconds is stored, even across readings", () => {
  const start = NOW - (NOW % 10_000);
  const samples = Array.from({ length: 30 }, (_, n) => [
    gpuOf("atlas", start + n * 2_000),
    gpuOf("atlas", start + n * 2_000, { index: 1 }),
  ]).flat();
  const slots = new Map();
  const kept = [...thinned(samples.slice(0, 25), slots), ...thinned(samples.slice(25), slots)];
  for (const index of [0, 1]) {
    const times = kept
      .filter((sample) => sample.index === index)
      .map(({ at }) => Date.parse(at) - start);
    expect(times).toEqual([0, 10_000, 20_000, 30_000, 40_000, 50_000]);
  }
});

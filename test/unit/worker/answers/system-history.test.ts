import { expect, test } from "vitest";
import { SYSTEM_RANGES, SystemPoint } from "../../../../protocol/api/system.ts";
import type { Samples } from "../../../../worker/aggregator/arriving-samples.ts";
import { systemHistoryOf, systemSpanOf } from "../../../../worker/answers/system-history.ts";
import { gpuOf, systemOf } from "../../../support/records.ts";

const GIB = 2 ** 30;
/** Start of the first of three buckets of 20 s. */
const FROM = 1_800_000_000;
const SPAN = { from: FROM, granularity: 20, buckets: 3 };
const at = (seconds: number) => (FROM + seconds) * 1_000;

type Batch = Samples & { box: string };
const historyOf = (...batches: Batch[]) =>
  systemHistoryOf(SPAN, batches).map((point) => SystemPoint.parse(point));
const firstOf = (...batches: Batch[]) => historyOf(...batches)[0];

test("a history without samples has every bucket, with unknown figures", () => {
  const points = historyOf();
  expect(points.map(({ timestamp }) => Date.parse(timestamp))).toEqual([at(0), at(20), at(40)]);
  for (const { timestamp: _, ...figures } of points)
    expect(new Set(Object.values(figures))).toEqual(new Set([null]));
});

test("a sample counts in its own bucket, and outside the span in no bucket", () => {
  const system = [-0.001, 0, 19.999, 20, 59.999, 60].map((seconds) =>
    systemOf(at(seconds), { queued: 10 + seconds }),
  );
  expect(
    historyOf({ box: "atlas", gpu: [], system }).map(({ queue_depth }) => queue_depth),
  ).toEqual([20, 30, 70]);
});

test("a bucket holds means, in which an unknown figure is not a 0", () => {
  const system = [
    systemOf(at(1), { cpu_percent: null, memory_used_bytes: 10 * GIB, queued: 0, in_flight: 1 }),
    systemOf(at(11), { cpu_percent: 40, memory_used_bytes: 30 * GIB, queued: 3, in_flight: 4 }),
  ];
  expect(firstOf({ box: "atlas", gpu: [], system })).toMatchObject({
    cpu_percent: 40,
    memory_used_gb: 20,
    memory_percent: 31.25,
    queue_depth: 1.5,
    in_flight: 2.5,
    gpu_available: false,
    gpu_utilization_percent: null,
    vram_used_gb: null,
    power_draw_w: null,
  });
});

test("boxes are combined by sums and a weighted CPU, however often each was sampled", () => {
  const often = [1, 5, 9, 13].map((seconds) =>
    systemOf(at(seconds), { cpu_percent: 10, cpu_count_logical: 30 }),
  );
  const once = [
    systemOf(at(2), {
      cpu_percent: 90,
      cpu_count_logical: 10,
      memory_total_bytes: 16 * GIB,
      queued: 5,
    }),
  ];
  expect(
    firstOf({ box: "atlas", gpu: [], system: often }, { box: "basil", gpu: [], system: once }),
  ).toMatchObject({
    cpu_percent: 30,
    memory_total_gb: 80,
    memory_used_gb: 32,
    memory_percent: 40,
    disk_total_gb: 2_000,
    disk_used_gb: 800,
    queue_depth: 6,
    in_flight: 4,
  });
});

test("GPUs of all boxes are combined: sums of memory and power, mean utilization, hottest temperature", () => {
  const gpu = (
    box: string,
    index: number,
    utilization_percent: number | null,
    temperature_c: number | null,
  ) => [
    gpuOf(box, at(1), { index, utilization_percent, temperature_c }),
    gpuOf(box, at(11), {
      index,
      utilization_percent,
      temperature_c: temperature_c && temperature_c + 2,
    }),
  ];
  const atlas = {
    box: "atlas",
    gpu: [...gpu("atlas", 0, 100, 70), ...gpu("atlas", 1, 50, null)],
    system: [],
  };
  const basil = { box: "basil", gpu: gpu("basil", 0, null, 40), system: [] };
  expect(firstOf(atlas, basil)).toMatchObject({
    gpu_available: true,
    gpu_utilization_percent: 75,
    gpu_temperature_celsius: 71,
    vram_used_gb: 24,
    vram_total_gb: 72,
    power_draw_w: 840,
    cpu_percent: null,
    queue_depth: null,
  });
});

test("samples of one bucket can come in several batches", () => {
  const batch = (seconds: number, queued: number) => ({
    box: "atlas",
    gpu: [],
    system: [systemOf(at(seconds), { queued })],
  });
  expect(firstOf(batch(11, 4), batch(1, 2))?.queue_depth).toBe(3);
});

test.each<[range: keyof typeof SYSTEM_RANGES, maxPoints: number, seconds: number, points: number]>([
  ["5m", 500, 20, 15],
  ["5m", 120, 20, 15],
  ["5m", 10, 30, 10],
  ["15m", 120, 20, 45],
  ["1h", 120, 30, 120],
  ["1h", 500, 20, 180],
  ["6h", 500, 50, 432],
  ["24h", 500, 180, 480],
  ["24h", 10, 8_640, 10],
])(
  "%s in at most %i points: buckets of %i s, %i of them",
  (range, maxPoints, granularity, buckets) => {
    const nowMs = 1_800_000_123_456;
    const span = systemSpanOf(SYSTEM_RANGES[range], maxPoints, nowMs);
    expect(span).toMatchObject({ granularity, buckets });
    expect(span.from % granularity).toBe(0);
    const newest = span.from + (buckets - 1) * granularity;
    expect(newest).toBeLessThanOrEqual(nowMs / 1_000);
    expect(newest + granularity).toBeGreaterThan(nowMs / 1_000);
  },
);

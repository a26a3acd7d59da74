import { expect, test } from "vitest";
import {
  gpuCourse,
  memoryParts,
  wattsOf,
  workMarks,
} from "../../../../dashboard/shape/fleet-row.ts";
import type { GpuHistory } from "../../../../protocol/api/system.ts";
import { boxOf, gpuOf } from "../live.ts";

const GIB = 2 ** 30;
const loaded = (name: string, gib: number) =>
  ({ name, size_bytes: gib * GIB, size_vram_bytes: gib * GIB }) as never;
const vram = (gib: number | null) => ({
  total_bytes: gib === null ? null : gib * GIB,
  free_bytes: null,
  free_after_unload_bytes: null,
});

test("cuts the memory of a box by model, and shows what is used by nothing known", () => {
  const memory = memoryParts(
    boxOf({
      loaded: [loaded("a", 6), loaded("b", 3)],
      gpus: [gpuOf({ memory_used_mb: 12 * 1_024 })],
      vram: vram(24),
    }),
  );
  expect(memory?.parts).toEqual([
    { model: "a", part: 0.25 },
    { model: "b", part: 0.125 },
    { model: null, part: 0.125 },
  ]);
  expect(memory?.usedBytes).toBe(12 * GIB);
});

test("knows no memory of a box that does not report it", () => {
  expect(memoryParts(boxOf({ vram: vram(null) }))).toBe(null);
  const unread = memoryParts(boxOf({ gpus: [gpuOf({ memory_used_mb: null })], vram: vram(24) }));
  expect(unread).toMatchObject({ usedBytes: null, parts: [] });
});

test("averages the GPUs of a box over time; a measured 0 is 0 and a gap is unknown", () => {
  const gpu = (box: string, utilization_percent: (number | null)[]) =>
    ({ box, utilization_percent }) as GpuHistory["gpus"][number];
  const history = {
    timestamps: ["a", "b", "c"],
    gpus: [gpu("atlas", [0, 50, null]), gpu("atlas", [0, 100, null]), gpu("cinder", [9, 9, 9])],
  } as unknown as GpuHistory;
  expect(gpuCourse(history, "atlas")).toEqual([0, 0.75, null]);
});

test("sums the power of GPUs only if it is known of all", () => {
  const gpus = (...watts: (number | null)[]) => ({
    gpus: watts.map((power_draw_w) => gpuOf({ power_draw_w })),
  });
  expect(wattsOf(gpus(100, 0))).toBe(100);
  expect(wattsOf(gpus(100, null))).toBe(null);
  expect(wattsOf(gpus())).toBe(null);
});

test.each([
  [3, 1, [2, 1, 2, 1]],
  [0, 0, [0, 0, 0, 0]],
  [null, null, [0, 0, 0, 0]],
  [30, 20, [10, 20, 4, 4]],
  [20, 0, [20, 0, 8, 0]],
])("marks %s in flight, of which %s wait", (in_flight, queue_depth, marks) => {
  const { running, waiting, drawnRunning, drawnWaiting } = workMarks({ in_flight, queue_depth });
  expect([running, waiting, drawnRunning, drawnWaiting]).toEqual(marks);
});

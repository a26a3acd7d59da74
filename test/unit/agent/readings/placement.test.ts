import { expect, test } from "vitest";
import type { GpuProcess } from "../../../../agent/readings/gpu-source.ts";
import { Placements, placementsOf } from "../../../../agent/readings/placement.ts";
import { gpuOf } from "../../../support/records.ts";

const INDEX = new Map([
  ["GPU-a", 0],
  ["GPU-b", 1],
  ["GPU-c", 2],
]);
const GIB = 2 ** 30;
const model = (name: string, gib: number | null) => ({
  name,
  size_vram_bytes: gib === null ? null : gib * GIB,
});
const runner = (pid: number, gpu: string, gib: number | null): GpuProcess => ({
  gpuUuid: `GPU-${gpu}`,
  pid,
  usedMb: gib === null ? null : gib * 1_024,
  name: "/usr/local/bin/ollama",
});

type Case = [
  name: string,
  loaded: ReturnType<typeof model>[],
  processes: GpuProcess[],
  expected: Record<string, number[]>,
];

const CASES: Case[] = [
  ["one model on one of three GPUs", [model("m:1b", 4)], [runner(7, "b", 4.6)], { "m:1b": [1] }],
  [
    "one model over two GPUs",
    [model("m", 40)],
    [runner(7, "a", 21), runner(7, "c", 20)],
    { "m:latest": [0, 2] },
  ],
  [
    "two models of different size",
    [model("small:1b", 2), model("large:70b", 40)],
    [runner(8, "b", 20.5), runner(8, "c", 20.5), runner(9, "a", 2.4)],
    { "small:1b": [0], "large:70b": [1, 2] },
  ],
  [
    "two models of about the same size, which may be on either GPU",
    [model("a:1b", 4), model("b:1b", 4.2)],
    [runner(8, "a", 4.7), runner(9, "b", 4.5)],
    { "a:1b": [0, 1], "b:1b": [0, 1] },
  ],
  [
    "more runners than models, while one is being unloaded",
    [model("a:1b", 4)],
    [runner(8, "a", 4.7), runner(9, "c", 9)],
    { "a:1b": [0, 2] },
  ],
  [
    "runners whose memory the driver does not report",
    [model("a:1b", 4), model("b:8b", 9)],
    [runner(8, "a", null), runner(9, "b", null)],
    { "a:1b": [0, 1], "b:8b": [0, 1] },
  ],
  [
    "a model on the CPU beside one on a GPU",
    [model("cpu:1b", 0), model("gpu:8b", 9)],
    [runner(9, "b", 9.5)],
    { "gpu:8b": [1] },
  ],
  [
    "other programs on the GPUs",
    [model("m:1b", 4)],
    [runner(7, "b", 4.6), { ...runner(1, "a", 9), name: "/usr/bin/kwin_wayland" }],
    { "m:1b": [1] },
  ],
  [
    "a runner in an instance of MIG, whose uuid is that of no GPU",
    [model("m:1b", 4)],
    [{ ...runner(7, "b", 4.6), gpuUuid: "MIG-5ae0c8ba-0000-5000-8000-000000000000" }],
    {},
  ],
  ["no runner, as in another container", [model("m:1b", 4)], [], {}],
  ["no model", [], [runner(7, "b", 4.6)], {}],
];

test.each(CASES)("places %s", (_name, loaded, processes, expected) => {
  const placed = [...placementsOf(loaded, processes, INDEX)];
  expect(Object.fromEntries(placed.map(([name, gpus]) => [name, [...gpus].sort()]))).toEqual(
    expected,
  );
});

function scene(gpus: number) {
  let queries = 0;
  let processes: GpuProcess[] | null = [runner(7, "b", 4.6)];
  const placements = new Placements({
    latest: () =>
      ["GPU-a", "GPU-b"].slice(0, gpus).map((uuid, index) => gpuOf("b", 0, { uuid, index })),
    processes: async () => {
      queries += 1;
      return processes;
    },
  });
  return {
    placements,
    count: () => queries,
    report: (next: GpuProcess[] | null) => (processes = next),
  };
}

test("queries the driver again only when the loaded models change", async () => {
  const { placements, count, report } = scene(2);
  await placements.update([model("m", 4)]);
  await placements.update([model("m", 4)]);
  expect([...(placements.gpusOf("m") ?? [])]).toEqual([1]);
  expect(placements.gpusOf("other")).toBeNull();
  expect(count()).toBe(1);
  report(null);
  await placements.update([model("m", 4), model("n", 9)]);
  expect(placements.gpusOf("m")).toBeNull();
});

test("starts nothing on a box with one GPU", async () => {
  const { placements, count } = scene(1);
  await placements.update([model("m", 4)]);
  expect(placements.gpusOf("m")).toBeNull();
  expect(count()).toBe(0);
});

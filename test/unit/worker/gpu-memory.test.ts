/** The memory that the GPUs of a box have for another model. */
import { expect, test } from "vitest";
import type { GpuSample } from "../../../protocol/records.ts";
import { freeAfterUnload, freeMibOf, gpuMemoryOf } from "../../../worker/gpu-memory.ts";
import type { RegisteredBox } from "../../../worker/registered-box.ts";
import { gpuOf, helloOf, readingsOf } from "../../support/records.ts";

const NOW = 1_800_000_000_000;
const GIB = 2 ** 30;
type Gpu = Pick<GpuSample, "memory_total_mb" | "memory_used_mb">;
const gpu = (total: number | null, used: number | null): Gpu => ({
  memory_total_mb: total,
  memory_used_mb: used,
});

type Scene = {
  gpus?: Gpu[];
  loaded?: [name: string, bytes: number | null][];
  open?: Record<string, number> | null;
  rest?: Partial<RegisteredBox>;
};

function boxOf({ gpus = [gpu(24_576, 20_480)], loaded = [], open = {}, rest }: Scene) {
  const samples = gpus.map((each, index) => ({ ...gpuOf("atlas", NOW), index, ...each }));
  const readings = readingsOf(
    NOW,
    [],
    samples,
    loaded.map(([name]) => name),
  );
  for (const [index, [, bytes]] of loaded.entries())
    Object.assign(readings.inventory.loaded[index] ?? {}, { size_vram_bytes: bytes });
  readings.serving =
    open === null
      ? null
      : Object.entries(open).map(([model, count]) => ({ model, open: count, local: 0, slots: 1 }));
  const box: RegisteredBox = {
    name: "atlas",
    hello: helloOf("atlas"),
    state: "up",
    connected_at_ms: NOW,
    last_seen_ms: NOW,
    readings,
    readings_at_ms: NOW,
    gpus_at_ms: NOW,
    gpu_energy: [],
  };
  return { ...box, ...rest };
}

test.each<[what: string, scene: Scene, total: number | null, free: number | null]>([
  ["one GPU", {}, 24, 4],
  ["two GPUs", { gpus: [gpu(24_576, 20_480), gpu(24_576, 0)] }, 48, 28],
  ["no GPU", { gpus: [] }, null, null],
  ["a GPU that reports no memory", { gpus: [gpu(24_576, 0), gpu(null, null)] }, null, null],
  ["a GPU that reports no use", { gpus: [gpu(24_576, null)] }, 24, null],
  ["a GPU that reports more use than it has", { gpus: [gpu(1_024, 1_100)] }, 1, 0],
  ["old readings", { rest: { gpus_at_ms: NOW - 600_000 } }, null, null],
  ["a box that is down", { rest: { state: "down" } }, null, null],
])("adds up the memory of %s", (_, scene, total, free) => {
  const gib = (bytes: number | null) => (bytes === null ? null : bytes / GIB);
  const memory = gpuMemoryOf(boxOf(scene), NOW);
  expect([gib(memory.total_bytes), gib(memory.free_bytes)]).toEqual([total, free]);
});

const TWO: Scene["loaded"] = [
  ["idle:1b", 6 * GIB],
  ["busy", 8 * GIB],
];

test.each<[what: string, scene: Scene, gib: number | null]>([
  ["models in use", { loaded: TWO, open: { "busy:latest": 1 } }, 10],
  ["no model in use", { loaded: TWO }, 18],
  ["a model whose requests have ended", { loaded: TWO, open: { "busy:latest": 0 } }, 18],
  ["models that took more than the GPUs have", { loaded: [["a", 30 * GIB]] }, 24],
  ["a model of unknown size", { loaded: [["a", null]] }, null],
  ["an agent that does not report what is in use", { loaded: TWO, open: null }, null],
  ["GPUs that report no use", { loaded: TWO, gpus: [gpu(24_576, null)] }, null],
])("knows what is free once idle models are unloaded, with %s", (_, scene, gib) => {
  const free = freeAfterUnload(boxOf(scene), () => false, NOW);
  expect(free === null ? null : free / GIB).toBe(gib);
});

test("leaves the models that stay", () => {
  const box = boxOf({ loaded: TWO });
  expect(freeAfterUnload(box, (model) => model === "busy:latest", NOW)).toBe(10 * GIB);
});

test("the free memory of a GPU is unknown if a part of it is", () => {
  expect([gpu(8, 3), gpu(null, 3), gpu(8, null)].map(freeMibOf)).toEqual([5, null, null]);
});

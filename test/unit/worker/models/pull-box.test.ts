import { expect, test } from "vitest";
import { pullBox } from "../../../../worker/models/pull-box.ts";
import type { RegisteredBox } from "../../../../worker/registered-box.ts";
import { gpuOf, helloOf, readingsOf, systemOf } from "../../../support/records.ts";

const NOW = 1_800_000_000_000;
const GB = 1e9;

type Plan = { models?: string[]; freeGb?: number | null; vramMb?: number | null };

function boxOf(
  name: string,
  { models = [], freeGb = 500, vramMb = 24_576 }: Plan,
  state: RegisteredBox["state"] = "up",
): RegisteredBox {
  const system =
    freeGb === null
      ? []
      : [systemOf(NOW, { disk_total_bytes: 1_000 * GB, disk_used_bytes: (1_000 - freeGb) * GB })];
  const gpus = vramMb === null ? [] : [gpuOf(name, NOW, { memory_total_mb: vramMb })];
  return {
    name,
    hello: helloOf(name),
    state,
    connected_at_ms: NOW,
    last_seen_ms: NOW,
    readings: readingsOf(NOW, models, gpus, [], system),
    readings_at_ms: NOW,
    gpus_at_ms: NOW,
    gpu_energy: [],
  };
}

/** The client's other operations are on the first box of those that could take it. */
const boxFor = (model: string, boxes: RegisteredBox[]) =>
  pullBox(boxes, model, (names) => names[0] ?? null, NOW);

test.each<[what: string, model: string, boxes: RegisteredBox[], box: string | null]>([
  [
    "the home, if all have room",
    "llama3.3",
    [boxOf("a", { vramMb: 81_559 }), boxOf("b", { vramMb: 81_559 })],
    "a",
  ],
  ["a disk with room for 43 GB", "llama3.3", [boxOf("a", { freeGb: 40 }), boxOf("b", {})], "b"],
  [
    "GPUs with room for 43 GB and a fifth",
    "llama3.3",
    [boxOf("a", {}), boxOf("b", { vramMb: 81_559 })],
    "b",
  ],
  [
    "room on the disk before room on the GPUs",
    "llama3.3",
    [boxOf("a", { freeGb: 40, vramMb: 81_559 }), boxOf("b", {})],
    "b",
  ],
  [
    "the home, if none has room",
    "llama3.3",
    [boxOf("a", { freeGb: 1 }), boxOf("b", { freeGb: 2 })],
    "a",
  ],
  [
    "the home, if the room is unknown",
    "llama3.3",
    [boxOf("a", { freeGb: null, vramMb: null }), boxOf("b", {})],
    "a",
  ],
  ["the home, if the size is unknown", "mine:1b", [boxOf("a", { freeGb: 1 }), boxOf("b", {})], "a"],
  ["the box that has the model", "m", [boxOf("a", {}), boxOf("b", { models: ["m:latest"] })], "b"],
  [
    "a box that is up",
    "m",
    [boxOf("a", {}, "down"), boxOf("b", {}, "draining"), boxOf("c", {})],
    "c",
  ],
  ["nothing, if no box is up", "m", [boxOf("a", {}, "down")], null],
])("pulls to %s", (_what, model, boxes, box) => {
  expect(boxFor(model, boxes)).toBe(box);
});

import { expect, test } from "vitest";
import { type Candidate, chooseBoxes } from "../../../../worker/gateway/choose.ts";

const NOW_MS = 1_800_000_000_000;

const model = (name: string) => ({
  name,
  size_bytes: null,
  digest: null,
  family: null,
  parameter_size: null,
  quantization: null,
  modified_at: null,
});
const box = (
  name: string,
  installed: string[],
  loaded: string[] = [],
  more: { state?: Candidate["state"]; reachable?: boolean; lostMs?: number } = {},
): Candidate => ({
  name,
  state: more.state ?? "up",
  last_seen_ms: NOW_MS - (more.lostMs ?? 60_000),
  readings: {
    inventory: {
      at: "2026-01-01T00:00:00.000Z",
      reachable: more.reachable ?? true,
      error: null,
      ollama_version: null,
      models: installed.map(model),
      loaded: loaded.map((each) => ({
        name: each,
        size_bytes: null,
        size_vram_bytes: null,
        context_length: null,
        expires_at: null,
      })),
    },
    now_ms: null,
    system: [],
    gpu_energy: null,
    gpu: {
      available: false,
      error: null,
      driver_version: null,
      samples: [],
      history: null,
      failed: false,
      lost: [],
    },
    in_flight: 0,
    local_in_flight: 0,
    requests: [],
    queued: 0,
    tunnel_ms: null,
    spooled: 0,
    lost: null,
  },
});
const choose = (boxes: Candidate[], wanted: string | null, open: Record<string, number> = {}) =>
  chooseBoxes(
    boxes,
    wanted,
    (name) => open[name] ?? 0,
    () => 0.5,
    NOW_MS,
  );

test("ranks a box with the model in memory before one with it on disk, and that before one without it", () => {
  const boxes = [
    box("none", []),
    box("disk", ["llama3.2:latest"]),
    box("warm", ["llama3.2:latest"], ["llama3.2:latest"]),
  ];
  expect(choose(boxes, "llama3.2")).toEqual(["warm", "disk", "none"]);
});

test("ranks equal boxes by their open requests, fewest first", () => {
  expect(choose([box("a", ["m:1b"]), box("b", ["m:1b"])], "m:1b", { a: 3, b: 1 })).toEqual([
    "b",
    "a",
  ]);
});

test("ranks a box whose Ollama does not answer last", () => {
  expect(
    choose([box("sick", ["m:1b"], ["m:1b"], { reachable: false }), box("well", [])], "m:1b"),
  ).toEqual(["well", "sick"]);
});

test("ranks a box whose GPU is lost after the others with the model, and before those without it", () => {
  const lost = box("lost", ["m:1b"], ["m:1b"]);
  if (lost.readings !== null) lost.readings.gpu.failed = true;
  expect(choose([lost, box("none", []), box("disk", ["m:1b"])], "m:1b")).toEqual([
    "disk",
    "lost",
    "none",
  ]);
});

test("leaves out boxes that are down or draining", () => {
  expect(
    choose(
      [box("down", [], [], { state: "down" }), box("draining", [], [], { state: "draining" })],
      null,
    ),
  ).toEqual([]);
});

test("chooses a box that has not sent readings yet", () => {
  expect(choose([{ name: "new", state: "up", readings: null, last_seen_ms: NOW_MS }], "m")).toEqual(
    ["new"],
  );
});

test("ranks a box lost a moment ago after boxes that are up, but before boxes without the model", () => {
  const lost = box("lost", ["m:1b"], ["m:1b"], { state: "down", lostMs: 500 });
  expect(choose([lost, box("without", []), box("disk", ["m:1b"])], "m:1b")).toEqual([
    "disk",
    "lost",
    "without",
  ]);
  expect(choose([lost, box("up", [])], null)).toEqual(["up", "lost"]);
  expect(choose([lost], "m:1b")).toEqual(["lost"]);
  expect(choose([box("long", ["m:1b"], [], { state: "down", lostMs: 3_000 })], "m:1b")).toEqual([]);
  expect(
    choose([box("draining", ["m:1b"], [], { state: "draining", lostMs: 500 })], "m:1b"),
  ).toEqual([]);
});

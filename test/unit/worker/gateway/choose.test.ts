import { expect, test } from "vitest";
import type { FleetBox } from "../../../../worker/aggregator/fleet.ts";
import { canServe, chooseBoxes } from "../../../../worker/gateway/choose.ts";

const NOW_MS = 1_800_000_000_000;

const box = (
  name: string,
  installed: string[],
  loaded: string[] = [],
  more: Partial<FleetBox> & { lostMs?: number } = {},
): FleetBox => {
  const { lostMs = 60_000, ...rest } = more;
  return {
    name,
    state: "up",
    last_seen_ms: NOW_MS - lostMs,
    simulated: false,
    is_reachable: true,
    has_gpus: true,
    loaded,
    installed,
    embedders: [],
    ...rest,
  };
};
const choose = (boxes: FleetBox[], wanted: string | null, open: Record<string, number> = {}) =>
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
    choose([box("sick", ["m:1b"], ["m:1b"], { is_reachable: false }), box("well", [])], "m:1b"),
  ).toEqual(["well", "sick"]);
});

test("ranks a box whose GPU is lost after the others with the model, and before those without it", () => {
  const lost = box("lost", ["m:1b"], ["m:1b"], { has_gpus: false });
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

test("chooses a box without models, which may not have sent readings yet", () => {
  expect(choose([box("new", [])], "m")).toEqual(["new"]);
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

const HOUR_MS = 3_600_000;
const twins = [box("a", ["m:1b"]), box("b", ["m:1b"])];

test.each<[string, FleetBox[], { box?: string; model?: string }, number, boolean]>([
  ["serves a model of its only box", [box("a", ["m"])], { model: "m:latest" }, HOUR_MS - 1, true],
  ["serves any call without a model", [box("a", [])], {}, HOUR_MS - 1, true],
  ["is too old after an hour", [box("a", ["m"])], { model: "m" }, HOUR_MS, false],
  ["serves a call that has a choice for a minute", twins, { model: "m:1b" }, 59_999, true],
  ["is too old for a choice after a minute", twins, { model: "m:1b" }, 60_000, false],
  ["leaves no choice if the caller chose", twins, { box: "b", model: "m:1b" }, HOUR_MS - 1, true],
  ["lacks a box that may have come", twins, { box: "c" }, 0, false],
  ["lacks a model that may have been pulled", twins, { model: "other" }, 0, false],
  ["has no box up", [box("a", ["m"], [], { state: "down" })], { model: "m" }, 0, false],
  ["has only a draining box", [box("a", ["m"], [], { state: "draining" })], {}, 0, false],
])("a known fleet %s", (_name, boxes, { box: wanted = null, model = null }, ageMs, serves) => {
  expect(canServe(boxes, wanted, model, ageMs)).toBe(serves);
});

import { expect, test } from "vitest";
import { withTag } from "../../../../protocol/inventory.ts";
import { ONLY_HOLDER_MS, RECONNECT_MS } from "../../../../protocol/limits.ts";
import type { RouteReason } from "../../../../protocol/route.ts";
import type { FleetBox } from "../../../../worker/aggregator/fleet-box.ts";
import { wantedPrompt } from "../../../../worker/gateway/choice/estimate.ts";
import { canServe, chooseBoxes, holdersOf } from "../../../../worker/gateway/choose.ts";
import { knownBoxOf, knownModelOf, presentOf } from "../../../support/fleet-boxes.ts";

const NOW_MS = 1_800_000_000_000;

const box = (
  name: string,
  installed: string[],
  loaded: string[] = [],
  more: Partial<FleetBox> & { lostMs?: number } = {},
): FleetBox => {
  const { lostMs = 60_000, ...rest } = more;
  return knownBoxOf(name, { last_seen_ms: NOW_MS - lostMs, loaded, installed, ...rest });
};
const chosen = (boxes: FleetBox[], model: string | null, open: Record<string, number> = {}) =>
  chooseBoxes(
    boxes,
    model === null ? null : { model: withTag(model), ...wantedPrompt(null) },
    presentOf(open, NOW_MS),
  );
const choose = (...call: Parameters<typeof chosen>) => chosen(...call).map(({ box }) => box);

test("ranks a box with the model in memory before one with it on disk, and never one without it", () => {
  const boxes = [
    box("none", []),
    box("disk", ["llama3.2:latest"]),
    box("warm", ["llama3.2:latest"], ["llama3.2:latest"]),
  ];
  expect(choose(boxes, "llama3.2")).toEqual(["warm", "disk"]);
});

test("ranks equal boxes by their open requests, fewest first", () => {
  expect(choose([box("a", ["m:1b"]), box("b", ["m:1b"])], "m:1b", { a: 3, b: 1 })).toEqual([
    "b",
    "a",
  ]);
});

test("ranks a box whose Ollama does not answer after the others with the model", () => {
  const sick = box("sick", ["m:1b"], ["m:1b"], { is_reachable: false });
  expect(choose([sick, box("without", []), box("disk", ["m:1b"])], "m:1b")).toEqual([
    "disk",
    "sick",
  ]);
  expect(choose([sick, box("without", [])], "m:1b")).toEqual(["sick"]);
});

test("ranks a box whose GPU is lost after the others with the model", () => {
  const lost = box("lost", ["m:1b"], ["m:1b"], { has_gpus: false });
  expect(choose([lost, box("none", []), box("disk", ["m:1b"])], "m:1b")).toEqual(["disk", "lost"]);
});

const GB = 1e9;
const withGpu = { vram: { total_bytes: 24 * GB, free_bytes: 24 * GB } };
const onCpu = { "m:1b": knownModelOf(null, { loaded_bytes: 4 * GB, vram_bytes: 0 }) };

test.each<[string, Partial<FleetBox>, boolean]>([
  ["lost a GPU", { has_gpus: false }, true],
  ["lost a GPU, for a model that only embeds", { has_gpus: false, embedders: ["m:1b"] }, false],
  ["runs the model on the CPU beside its GPU", { ...withGpu, models: onCpu }, true],
  ["never had a GPU", { models: onCpu }, false],
])("a warm box that %s", (_state, more, isLast) => {
  const unwell = box("unwell", ["m:1b"], ["m:1b"], more);
  const order = choose([unwell, box("disk", ["m:1b"])], "m:1b");
  expect(order).toEqual(isLast ? ["disk", "unwell"] : ["unwell", "disk"]);
  expect(choose([unwell, box("without", [])], "m:1b")).toEqual(["unwell"]);
});

test("chooses any box if none has the model: one may not have sent readings yet", () => {
  expect(choose([box("new", []), box("other", ["n"])], "m")).toEqual(["new", "other"]);
});

test.each<[string, Partial<FleetBox> & { lostMs?: number }, boolean]>([
  ["drains", { state: "draining" }, true],
  ["was lost a moment ago", { state: "down", lostMs: RECONNECT_MS - 1 }, true],
  ["was lost before that", { state: "down", lostMs: RECONNECT_MS }, false],
])("a box that %s comes last, if at all", (_state, away, isCandidate) => {
  const holder = box("away", ["m:1b"], ["m:1b"], away);
  const last = isCandidate ? ["away"] : [];
  expect(choose([holder, box("disk", ["m:1b"])], "m:1b")).toEqual(["disk", ...last]);
  expect(choose([holder, box("up", [])], null)).toEqual(["up", ...last]);
});

test.each([
  [ONLY_HOLDER_MS - 1, ["away"]],
  [ONLY_HOLDER_MS, []],
])(
  "waits longer for the only box with a model, and never chooses one without it",
  (lostMs, chosen) => {
    const holder = box("away", ["m:1b"], [], { state: "down", lostMs });
    expect(choose([holder, box("without", [])], "m:1b")).toEqual(chosen);
  },
);

test.each<[reason: RouteReason, boxes: FleetBox[], model: string | null]>([
  ["only-holder", [box("a", ["m"], ["m"]), box("b", [])], "m"],
  ["warm", [box("a", ["m"], ["m"]), box("b", ["m"])], "m"],
  ["on-disk", [box("a", ["m"]), box("b", ["m"])], "m"],
  ["any", [box("a", ["n"]), box("b", [])], "m"],
  ["any", [box("a", ["n"]), box("b", [])], null],
])("gives a reason: %s", (reason, boxes, model) => {
  expect(chosen(boxes, model)[0]).toMatchObject({ box: "a", reason });
});

test("finds the boxes that have a model in whatever state they are", () => {
  const boxes = [box("a", ["m"], [], { state: "down" }), box("b", []), box("c", ["m:latest"])];
  expect(holdersOf(boxes, "m")).toEqual(["a", "c"]);
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

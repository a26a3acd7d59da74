/** The terms of the choice, computed by hand. A prompt of 500 tokens takes 500 ms, an answer 2 s. */
import { expect, test } from "vitest";
import type { FleetBox, FleetModel } from "../../../../worker/aggregator/fleet-box.ts";
import {
  type Estimate,
  EVICTION_SHARE,
  EXPECTED,
  estimatesOf,
  MEMORY_PER_SIZE,
  ON_CPU_FACTOR,
  PINNED_LOAD_SHARE,
  SLOWED_FACTOR,
  type WantedModel,
} from "../../../../worker/gateway/choice/estimate.ts";
import { chooseBoxes } from "../../../../worker/gateway/choose.ts";
import { knownBoxOf, knownModelOf, presentOf } from "../../../support/fleet-boxes.ts";

const MODEL = "m:1b";
const TIMES = { load_ms: 10_000, token_ms: 1, decode_ms: 2_000 };
const WANTED: WantedModel = { model: MODEL, promptTokens: 500, numCtx: null, kept: null };
const SLOTS = 2;
const GB = 1e9;

const boxWith = (
  name: string,
  loaded: string[],
  model: FleetModel = knownModelOf(TIMES),
  rest: Partial<FleetBox> = {},
) => {
  const models = { [MODEL]: model, ...rest.models };
  return knownBoxOf(name, { installed: [MODEL], loaded, ...rest, models });
};
const warm = boxWith("warm", [MODEL]);
const cold = boxWith("cold", []);

function estimateOf(
  box: FleetBox,
  open = 0,
  others: FleetBox[] = [],
  wanted: Partial<WantedModel> = {},
): Estimate {
  const { loadOf } = presentOf({ [box.name]: open }, 0, SLOTS);
  const [estimate] = estimatesOf([box, ...others], { ...WANTED, ...wanted }, loadOf);
  if (estimate === undefined) throw new Error("no estimate");
  return estimate;
}

test.each([
  ["free", 1, 0],
  ["full", 2, 1_250],
  ["full with one more waiting", 3, 2_500],
])("a call waits for one of two slots that are %s", (_name, open, waitMs) => {
  expect(estimateOf(warm, open)).toMatchObject({ waitMs, totalMs: waitMs + 2_500 });
});

test("a call for a model on disk waits for its load too", () => {
  expect(estimateOf(cold)).toMatchObject({ loadMs: 10_000, totalMs: 12_500, isLoaded: false });
});

test.each([
  ["5 GB", { size_bytes: 5 * GB }, EXPECTED.loadMs + 5 * EXPECTED.loadMsPerGb],
  ["unknown size", {}, EXPECTED.loadUnknownMs],
])("the load of a model of %s has a default", (_name, model, loadMs) => {
  expect(estimateOf(boxWith("a", [], knownModelOf(null, model)))).toMatchObject({ loadMs });
});

test("an unknown box is expected to be as fast as the others, and at last as a default one", () => {
  const unknown = boxWith("unknown", [MODEL], knownModelOf());
  const slow = boxWith("slow", [MODEL], knownModelOf({ token_ms: 3, decode_ms: 4_000 }));
  expect(estimateOf(unknown, 0, [warm, slow])).toMatchObject({
    prefillMs: 1_000,
    decodeMs: 3_000,
  });
  expect(estimateOf(unknown)).toMatchObject({
    prefillMs: 500 * EXPECTED.tokenMs,
    decodeMs: EXPECTED.decodeMs,
  });
});

const small = { total_bytes: 8 * GB, free_bytes: 1 * GB };
const victim = (more: Partial<FleetModel>) => ({
  loaded: ["old:1b"],
  models: {
    "old:1b": knownModelOf(
      { load_ms: 8_000, decode_ms: 3_000 },
      { vram_bytes: 6 * GB, slots: 1, ...more },
    ),
  },
});

test.each([
  ["is idle", 0, 0],
  ["works on two requests", 2, 6_000],
])("a model makes room that %s", (_name, open, waitMs) => {
  const { models } = victim({ open });
  const box = boxWith("a", ["old:1b"], knownModelOf(TIMES, { size_bytes: 4 * GB }), {
    vram: small,
    models,
  });
  expect(estimateOf(box)).toMatchObject({ evictionMs: EVICTION_SHARE * 8_000, waitMs });
});

test("no model makes room for one that fits", () => {
  const { models } = victim({ open: 2 });
  const fits = { size_bytes: (0.9 * GB) / MEMORY_PER_SIZE };
  const box = boxWith("a", ["old:1b"], knownModelOf(TIMES, fits), { vram: small, models });
  expect(estimateOf(box)).toMatchObject({ evictionMs: 0, waitMs: 0 });
});

test("a hot or throttled box is slower than it was", () => {
  expect(estimateOf({ ...warm, is_slowed: true })).toMatchObject({
    prefillMs: SLOWED_FACTOR * 500,
    decodeMs: SLOWED_FACTOR * 2_000,
    loadMs: 0,
  });
});

test("a model that does not fit on the GPUs is slower than elsewhere, until its times are known", () => {
  const size = { size_bytes: 20 * GB };
  const tooSmall = (times: typeof TIMES | null) =>
    boxWith("small", [], knownModelOf(times, size), { vram: { ...small, free_bytes: 8 * GB } });
  expect(estimateOf(tooSmall(null), 0, [warm]).decodeMs).toBe(ON_CPU_FACTOR * 2_000);
  expect(estimateOf(tooSmall(TIMES), 0, [warm]).decodeMs).toBe(2_000);
});

test("a call for another context waits for the open requests and the load", () => {
  const loaded = boxWith("a", [MODEL], knownModelOf(TIMES, { context_length: 4_096 }));
  const at = (numCtx: number | null) => estimateOf(loaded, 2, [], { numCtx });
  expect(at(4_096)).toEqual(at(null));
  expect(at(8_192)).toMatchObject({ isLoaded: false, waitMs: 1_250 + 2_500, loadMs: 10_000 });
});

test("a box that keeps a part of the prompt reads only the rest", () => {
  const kept = { box: "warm", tokens: 400 };
  expect(estimateOf(warm, 0, [], { kept })).toMatchObject({ prefillMs: 100, isKept: true });
  expect(estimateOf(warm, 0, [], { kept: { ...kept, tokens: 900 } }).prefillMs).toBe(0);
  expect(estimateOf({ ...warm, name: "b" }, 0, [], { kept })).toMatchObject({ isKept: false });
  expect(estimateOf({ ...warm, loaded: [] }, 0, [], { kept })).toMatchObject({ isKept: false });
});

const choose = (open: Record<string, number>, boxes = [warm, cold]) =>
  chooseBoxes(boxes, WANTED, presentOf(open, 0, SLOTS))[0];

test("a queue spills to a cold box when waiting takes longer than loading", () => {
  // With 9 open requests the wait is 8 x 1,250 ms = 10 s, as long as the load.
  expect(choose({ warm: 8 })).toEqual({ box: "warm", reason: "warm", openMost: 9 });
  expect(choose({ warm: 10 })).toMatchObject({ box: "cold", reason: "spill" });
});

test("a busy box is refused only with more requests than its choice allows", () => {
  const slower = boxWith("slower", [MODEL], knownModelOf({ token_ms: 1, decode_ms: 4_500 }));
  // 2,500 ms against 5,000 ms: two more requests than slots, at 1,250 ms each.
  expect(choose({}, [slower, warm])).toEqual({ box: "warm", reason: "warm", openMost: 3 });
});

test("a model that is in no memory is loaded where that is fastest", () => {
  const disk = boxWith("disk", [], knownModelOf({ ...TIMES, load_ms: 4_000 }));
  expect(choose({}, [cold, disk])).toMatchObject({ box: "disk", reason: "on-disk" });
});

test("30 calls at once go to the warm box until its queue is as long as a load, and then to both", () => {
  const open: Record<string, number> = { warm: 0, cold: 0 };
  const order = Array.from({ length: 30 }, () => {
    const box = choose(open)?.box ?? "";
    open[box] = (open[box] ?? 0) + 1;
    return box;
  });
  expect(order.slice(0, 9)).toEqual(Array(9).fill("warm"));
  expect(open).toEqual({ warm: 19, cold: 11 });
});

test("a conversation stays on its box while that takes less time than to read its prompt again", () => {
  const other = boxWith("other", [MODEL]);
  const wanted = { ...WANTED, promptTokens: 4_000, kept: { box: "warm", tokens: 3_600 } };
  const at = (open: number) =>
    chooseBoxes([other, warm], wanted, presentOf({ warm: open }, 0, SLOTS))[0];
  // There 0.4 s + 2 s, and half of the 6 s of another request; elsewhere 4 s + 2 s.
  expect(at(0)).toMatchObject({ box: "warm", reason: "sticky" });
  expect(at(2)).toMatchObject({ box: "warm", reason: "sticky" });
  expect(at(3)).toMatchObject({ box: "other", reason: "warm" });
});

test("a pinned model that its agent is loading is expected sooner, and makes room for itself", () => {
  const vram = { total_bytes: 24 * GB, free_bytes: 0 };
  const other = knownModelOf({ load_ms: 8_000 }, { vram_bytes: 20 * GB, loaded_bytes: 20 * GB });
  const model = knownModelOf(TIMES, { size_bytes: 10 * GB });
  const rest = { vram, models: { "other:1b": other } };
  const pinned = boxWith("a", ["other:1b"], model, { ...rest, pinned: [MODEL] });
  expect(estimateOf(pinned)).toMatchObject({
    loadMs: PINNED_LOAD_SHARE * TIMES.load_ms,
    evictionMs: 0,
    isLoaded: false,
  });
  const evicting = boxWith("a", ["other:1b"], model, { ...rest, pinned: ["other:1b"] });
  expect(estimateOf(evicting)).toMatchObject({ loadMs: TIMES.load_ms, evictionMs: 8_000 });
});

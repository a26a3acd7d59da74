import { expect, test } from "vitest";
import { KnownLoads } from "../../../../worker/gateway/choice/known-load.ts";

const NOW_MS = 1_800_000_000_000;
const MODEL = "m:1b";

/** The open requests of the model on box `a`. */
const openOf = (
  loads: KnownLoads,
  reported: { open: number; atMs: number } | null = null,
  serviceMs: number | null = null,
  nowMs = NOW_MS,
) => loads.of("a", MODEL, reported && { slots: 2, ...reported }, serviceMs, nowMs).open;

test("counts the streams of this isolate from the choice to their end", () => {
  const loads = new KnownLoads();
  const [first, second] = [loads.enter("a", MODEL), loads.enter("a", MODEL)];
  loads.enter("a", "other:1b");
  expect(openOf(loads)).toBe(2);
  first.left();
  first.left();
  second.taken(null, NOW_MS);
  expect(openOf(loads)).toBe(1);
  second.left();
  expect(openOf(loads)).toBe(0);
});

test("adds the streams of other isolates that the Box has counted", () => {
  const loads = new KnownLoads();
  const streams = [loads.enter("a", MODEL), loads.enter("a", MODEL)];
  streams[0]?.taken({ open: 11, slots: 4 }, NOW_MS);
  expect(loads.of("a", MODEL, null, null, NOW_MS)).toEqual({ open: 12, slots: 4 });
  streams[1]?.taken({ open: 12, slots: 4 }, NOW_MS);
  expect(loads.of("a", MODEL, null, null, NOW_MS)).toEqual({ open: 12, slots: 4 });
});

test("learns from a refusal, without a stream", () => {
  const loads = new KnownLoads();
  loads.learn("a", MODEL, { open: 9, slots: 1 }, NOW_MS);
  expect(openOf(loads)).toBe(9);
});

test("uses the newest of the reports of the agent and the Box", () => {
  const loads = new KnownLoads();
  expect(openOf(loads, { open: 5, atMs: NOW_MS })).toBe(5);
  loads.learn("a", MODEL, { open: 9, slots: 2 }, NOW_MS - 1);
  expect(openOf(loads, { open: 5, atMs: NOW_MS - 2 })).toBe(9);
  expect(openOf(loads, { open: 5, atMs: NOW_MS })).toBe(5);
});

test.each([
  ["at the pace of the model: 2 slots, 4 s each", 4_000, [10, 8, 6, 0]],
  ["after a while if that is unknown", null, [10, 10, 10, 0]],
])("expects the streams of others to end %s", (_how, serviceMs, open) => {
  const loads = new KnownLoads();
  const at = [0, 4_000, 8_000, 20_000];
  expect(at.map((ms) => openOf(loads, { open: 10, atMs: NOW_MS }, serviceMs, NOW_MS + ms))).toEqual(
    open,
  );
});

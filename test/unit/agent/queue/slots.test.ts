import { expect, test } from "vitest";
import { PROBES_MAX, Slots } from "../../../../agent/queue/slots.ts";

test("given slots hold, and nothing is tried", () => {
  const slots = new Slots(3);
  expect([slots.of("m"), slots.admitted("m", 0)]).toEqual([3, 3]);
});

test("without a setting there is one slot, and one request more is tried", () => {
  const slots = new Slots(null);
  expect([slots.of("m"), slots.admitted("m", 0)]).toEqual([1, 2]);
});

test("each slot found doubles what is tried, up to a bound", () => {
  const slots = new Slots(null);
  const admitted = [2, 4, 8, 16, 32, 64].map((working) => {
    slots.saw("m", working);
    return slots.admitted("m", 0) - working;
  });
  expect(admitted).toEqual([2, 4, 8, 16, PROBES_MAX, PROBES_MAX]);
});

test("after a probe without a slot it waits for a minute, then for two", () => {
  const slots = new Slots(null);
  slots.sawNone("m", 0);
  expect([59_999, 60_000].map((nowMs) => slots.admitted("m", nowMs))).toEqual([1, 2]);
  slots.sawNone("m", 60_000);
  expect([179_999, 180_000].map((nowMs) => slots.admitted("m", nowMs))).toEqual([1, 2]);
});

test("answers that show nothing widen the step, so that no slot stays empty", () => {
  const slots = new Slots(null);
  for (let n = 0; n < 10; n++) slots.sawNothing("m");
  expect([slots.of("m"), slots.admitted("m", 0)]).toEqual([1, 1 + PROBES_MAX]);
});

test("models are apart, with and without a tag they are one, and they can be forgotten", () => {
  const slots = new Slots(null);
  slots.saw("m", 4);
  expect(["m", "m:latest", "n"].map((model) => slots.of(model))).toEqual([4, 4, 1]);
  slots.forget("m:latest");
  expect(slots.of("m")).toBe(1);
});

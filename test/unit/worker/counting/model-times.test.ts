import { expect, test } from "vitest";
import { WAIT_EDGES } from "../../../../worker/counting/edges.ts";
import { Histogram } from "../../../../worker/counting/histogram.ts";
import {
  type BoxTimes,
  learn,
  loadMedianMs,
  type Timed,
} from "../../../../worker/counting/model-times.ts";

const recordOf = (rest: Partial<Timed>): Timed => ({
  box: "a",
  model: "m",
  status: "success",
  load_ms: 20,
  prefill_ms: 100,
  decode_ms: 1_000,
  prompt_tokens: 100,
  ...rest,
});

const learned = (...records: Partial<Timed>[]) => {
  const boxes = new Map<string, BoxTimes>();
  for (const record of records) learn(boxes, recordOf(record));
  return boxes.get("a")?.get("m:latest");
};

test("learns the times of a model on a box, the newest with a fifth of the weight", () => {
  expect(learned({})).toEqual({ load_ms: null, token_ms: 1, decode_ms: 1_000 });
  expect(
    learned({ load_ms: 8_000 }, { load_ms: 18_000, decode_ms: 2_000, prefill_ms: 200 }),
  ).toEqual({ load_ms: 10_000, token_ms: 1.2, decode_ms: 1_200 });
});

test("a prompt that was cached hardly changes the time of a token", () => {
  expect(learned({}, { prefill_ms: 0 })?.token_ms).toBeCloseTo(0.98);
});

test.each<[string, Partial<Timed>]>([
  ["that failed", { status: "error" }],
  ["without a box", { box: null }],
  ["without a model", { model: null }],
])("learns nothing from a request %s", (_name, record) => {
  expect(learned(record)).toBeUndefined();
});

test("learns nothing from unknown times and short prompts", () => {
  expect(learned({ load_ms: null, prefill_ms: null, decode_ms: null })).toEqual({
    load_ms: null,
    token_ms: null,
    decode_ms: null,
  });
  expect(learned({ prompt_tokens: 8 })?.token_ms).toBeNull();
});

test("the median of loads leaves out the load phases of models in memory", () => {
  const seconds = new Histogram(WAIT_EDGES);
  for (const each of [0.02, 0.02, 0.02, 0.5]) seconds.add(each);
  expect(loadMedianMs(seconds)).toBeNull();
  for (const each of [4, 8, 40]) seconds.add(each);
  expect(loadMedianMs(seconds)).toBeCloseTo(1_000 * Math.sqrt(7.5 * 10));
});

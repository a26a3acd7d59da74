import { expect, test } from "vitest";
import { pointOf, type Repeat, spreadOf } from "../../../../agent/bench/figures.ts";

const repeat = (
  measured: Partial<Repeat["measured"]> = {},
  energy: Repeat["energy"] = null,
): Repeat => ({
  measured: {
    prompt_tokens: 100,
    completion_tokens: 50,
    ttft_ms: 40,
    prefill_ms: 20,
    decode_ms: 500,
    ...measured,
  },
  energy,
});

test.each([
  { values: [3, 1, 2], expected: { median: 2, min: 1, max: 3 } },
  { values: [4, 1, 2, 3], expected: { median: 2.5, min: 1, max: 4 } },
  { values: [null, 5, null], expected: { median: 5, min: 5, max: 5 } },
  { values: [0, 0], expected: { median: 0, min: 0, max: 0 } },
  { values: [null, null], expected: null },
  { values: [], expected: null },
])("the spread of $values is $expected", ({ values, expected }) => {
  expect(spreadOf(values)).toEqual(expected);
});

test("divides tokens by Ollama's own times, and energy by the output tokens", () => {
  const energy = { joules: 180, method: "instant" as const };
  expect(pointOf(128, [repeat({}, energy)])).toEqual({
    context: 128,
    repeats: 1,
    prompt_tokens: { median: 100, min: 100, max: 100 },
    completion_tokens: { median: 50, min: 50, max: 50 },
    tokens_per_second: { median: 100, min: 100, max: 100 },
    ttft_ms: { median: 40, min: 40, max: 40 },
    prefill_tokens_per_second: { median: 5_000, min: 5_000, max: 5_000 },
    // 180 J are 0.05 Wh for 50 tokens.
    wh_per_1k_tokens: { median: 1, min: 1, max: 1 },
    energy_method: "instant",
  });
});

test("leaves a figure null that no repeat has, instead of 0 or infinity", () => {
  const point = pointOf(128, [
    repeat({ completion_tokens: null, prefill_ms: null, ttft_ms: null }),
    repeat({ decode_ms: 0, prompt_tokens: 0, completion_tokens: 0, ttft_ms: null }),
  ]);
  expect(point).toMatchObject({
    tokens_per_second: null,
    ttft_ms: null,
    prefill_tokens_per_second: null,
    wh_per_1k_tokens: null,
    energy_method: null,
  });
});

test("is as coarse in energy as its coarsest repeat", () => {
  const joules = 1;
  const repeats = [
    repeat({}, { joules, method: "instant" }),
    repeat({}, { joules, method: "mean" }),
    repeat(),
  ];
  expect(pointOf(128, repeats).energy_method).toBe("mean");
});

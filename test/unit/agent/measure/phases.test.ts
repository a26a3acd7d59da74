import { expect, test } from "vitest";
import { phasesOf } from "../../../../agent/measure/phases.ts";

const MS = 1e6;
const second = { total: 1_000 * MS, load: 100 * MS, prefill: 200 * MS, decode: 300 * MS };

const CASES: [
  what: string,
  durations: Parameters<typeof phasesOf>[0],
  ttftMs: number | null,
  queueMs: number | null,
][] = [
  ["what is left of the total", second, null, 400],
  ["what is left, when the first content came late enough", second, 700, 400],
  ["not more than what passed before the first content", second, 320, 20],
  ["what is left, when load and prefill alone are longer than that", second, 5, 400],
  ["none, when the parts are more than the total", { ...second, total: 500 * MS }, null, 0],
  ["unknown without a total", { ...second, total: null }, 700, null],
  ["unknown without a load", { ...second, load: null }, 700, null],
  ["unknown without a prefill", { ...second, prefill: null }, 700, null],
  ["unknown without a decode", { ...second, decode: null }, 700, null],
];

test.each(CASES)("the wait for a slot is %s", (_what, durations, ttftMs, queueMs) => {
  expect(phasesOf(durations, ttftMs).queue_ms).toBe(queueMs);
});

test("nanoseconds become milliseconds, to the microsecond, and unknown stays unknown", () => {
  expect(phasesOf({ total: null, load: 1_019_499, prefill: null, decode: 0 }, null)).toEqual({
    queue_ms: null,
    load_ms: 1.019,
    prefill_ms: null,
    decode_ms: 0,
  });
});

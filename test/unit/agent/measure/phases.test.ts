import { expect, test } from "vitest";
import { phasesOf } from "../../../../agent/measure/phases.ts";

const MS = 1e6;
const second = { total: 1_000 * MS, load: 100 * MS, prefill: 200 * MS, decode: 300 * MS };

const CASES: [
  result: string,
  durations: Parameters<typeof phasesOf>[0],
  ttftMs: number | null,
  queueMs: number | null,
][] = [
  ["the rest of the total", second, null, 400],
  ["the rest of the total, if the first content was late enough", second, 700, 400],
  ["at most the time before the first content", second, 320, 20],
  [
    "the rest of the total, if load and prefill alone are longer than the time before the content",
    second,
    5,
    400,
  ],
  ["zero, if the other phases exceed the total", { ...second, total: 500 * MS }, null, 0],
  ["unknown without a total", { ...second, total: null }, 700, null],
  ["unknown without a load", { ...second, load: null }, 700, null],
  ["unknown without a prefill", { ...second, prefill: null }, 700, null],
  ["unknown without a decode", { ...second, decode: null }, 700, null],
];

test.each(CASES)("computes the wait for a slot as %s", (_result, durations, ttftMs, queueMs) => {
  expect(phasesOf(durations, ttftMs).queue_ms).toBe(queueMs);
});

test("turns nanoseconds into milliseconds, to the microsecond, and keeps unknown ones unknown", () => {
  expect(phasesOf({ total: null, load: 1_019_499, prefill: null, decode: 0 }, null)).toEqual({
    queue_ms: null,
    load_ms: 1.019,
    prefill_ms: null,
    decode_ms: 0,
  });
});

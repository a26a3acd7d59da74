import { expect, test } from "vitest";
import { barsOf, summaryOfBars } from "../../../../dashboard/shape/histogram.ts";

const histogram = (success: number[], error: number[] = []) => ({
  from: "2026-11-24T12:00:00.000Z",
  bucket_ms: 60_000,
  success,
  error,
  cancelled: [],
});

test("stacks what succeeded, failed and was cancelled, and finds the highest bar", () => {
  const { bars, most, fromMs, untilMs } = barsOf(histogram([4, 2], [1, 4]));
  expect(bars).toEqual([
    { success: 4, error: 1, cancelled: 0 },
    { success: 2, error: 4, cancelled: 0 },
  ]);
  expect([most, untilMs - fromMs]).toEqual([6, 120_000]);
});

test("describes the bars, and the period that they are compared with", () => {
  const now = histogram([4, 2], [1, 4]);
  expect(summaryOfBars(now)).toBe(
    "Requests over time: 6 succeeded, 5 failed, 0 cancelled, at most 6 in 1\u202fmin",
  );
  expect(summaryOfBars(now, histogram([7], [2]))).toMatch(/, 9 in the period compared with$/);
});

/** The length of the common time axis. */
import { expect, test } from "vitest";
import { axisMs } from "../../../../dashboard/shape/timeline.ts";

test.each([
  [[], 0],
  [[0], 0],
  [[340], 400],
  [[0.4], 0.4],
  [[1_000], 1_000],
  [[1_001], 1_500],
  [[9_100], 10_000],
  [[...Array.from({ length: 99 }, () => 120), 60_000], 150],
])("an axis of %j is %d ms long", (latencies, length) => {
  expect(axisMs(latencies)).toBeCloseTo(length);
});

import { expect, test } from "vitest";
import {
  groupAt,
  heatOf,
  partsOf,
  pathOfLine,
  percentileLine,
  SHADES,
  stackOf,
} from "../../../../dashboard/shape/drawing.ts";

const GROUPS = [{ requests: [1, 0, 3] }, { requests: [1, 2, 0] }];

test("stacks the bars of each bucket, the first group at the bottom", () => {
  const { paths, max } = stackOf(GROUPS, 3);
  expect(max).toBe(3);
  expect(paths).toEqual([
    "M0.08 100V66.67h0.84V100zM2.08 100V0h0.84V100z",
    "M0.08 66.67V33.33h0.84V66.67zM1.08 100V33.33h0.84V100z",
  ]);
  expect(stackOf([], 2)).toEqual({ paths: [], max: 1 });
});

test.each([
  [0, 0.1, 0],
  [0, 0.5, 1],
  [0, 0.9, null],
  [1, 0.1, 1],
  [2, 1, 0],
])("finds the bar at bucket %i and height %f", (index, height, group) =>
  expect(groupAt(GROUPS, index, height, 3)).toBe(group === null ? null : GROUPS[group]),
);

test("shades a heat map by the root of its counts, so that a single request is visible", () => {
  const { paths, bands } = heatOf({
    bounds_ms: [10, 20, 40],
    counts: [
      [0, 1],
      [99, 0],
    ],
  });
  expect(bands).toBe(2);
  expect(paths).toHaveLength(SHADES);
  expect(paths[0]).toMatch(/^M0\.08 /);
  expect(paths[SHADES - 1]).toMatch(/^M1\.08 /);
  expect(paths.slice(1, -1).join("")).toBe("");
  expect(heatOf({ bounds_ms: [], counts: [[], []] }).bands).toBe(0);
});

test("draws a line with gaps where a value is unknown, and a lone value as a dash", () => {
  expect(pathOfLine([0, 1, null, 0.5, null])).toBe("M0.5 100L1.5 0M3.2 50h0.6");
  expect(pathOfLine([null, null])).toBe("");
});

test("places percentiles on the logarithmic axis of the bands", () => {
  expect(percentileLine([10, 20, 40, null], [10, 20, 40])).toBe("M0.5 100L1.5 50L2.5 0");
});

test("draws a measured 0 at the bottom, and leaves the unknown out", () => {
  expect(partsOf([0, null, 0])).toEqual([0, null, 0]);
  expect(partsOf([2, 4, null])).toEqual([0.5, 1, null]);
});

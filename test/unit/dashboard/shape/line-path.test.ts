import { expect, test } from "vitest";
import { linePath, topOf, unfinishedPath } from "../../../../dashboard/shape/line-path.ts";

const points = (path: string): [x: number, y: number][] =>
  [...path.matchAll(/[ML]([\d.]+) ([\d.]+)/g)].map(([, x, y]) => [Number(x), Number(y)]);

test("draws every value if it has room, and a gap where it is unknown", () => {
  expect(linePath([0, 2, null, 1, null], 2, 300)).toBe("M0.5 100L1.5 0M3.2 50h0.6");
  expect(linePath([0, 0], 1, 300)).toBe("M0.5 100L1.5 100");
  expect(linePath([], 1, 300)).toBe("");
  expect(linePath([null, null], 1, 300)).toBe("");
});

test("keeps the lowest and the highest of each column of pixels, in their order", () => {
  const values = Array.from({ length: 40 }, () => 50);
  values[3] = 90;
  values[7] = 10;
  values[25] = 0;
  expect(points(linePath(values, 100, 4))).toEqual([
    [3.5, 10],
    [7.5, 90],
    [10.5, 50],
    [20.5, 50],
    [25.5, 100],
    [30.5, 50],
  ]);
});

test("draws 10,000 values as at most two points a pixel, with every peak", () => {
  const values = Array.from({ length: 10_000 }, (_, n) => (n % 997 === 400 ? 100 : n % 7));
  const drawn = points(linePath(values, 100, 640));
  expect(drawn.length).toBeLessThanOrEqual(2 * 640);
  const peaks = values.flatMap((value, n) => (value === 100 ? [n + 0.5] : []));
  expect(drawn.filter(([, y]) => y === 0).map(([x]) => x)).toEqual(peaks);
  expect(drawn.map(([x]) => x)).toEqual(drawn.map(([x]) => x).toSorted((a, b) => a - b));
});

test.each([
  ["a stretch as long as a column", 10, 2],
  ["a stretch that begins and ends within columns", 13, 2],
  ["less than a column, which could not be seen", 4, 1],
])("leaves a gap for unknown values: %s", (_, length, strokes) => {
  const values = Array.from({ length: 100 }, (_, n) => (n >= 36 && n < 36 + length ? null : n));
  expect(linePath(values, 100, 10).match(/M/g)).toHaveLength(strokes);
});

test("draws a value with nothing around it as a dash", () => {
  const alone = Array.from({ length: 100 }, (_, n) => (n === 55 ? 50 : null));
  expect(linePath(alone, 100, 10)).toBe("M55.5 50h5");
});

test("dashes the way from the last whole bucket to the one that is not over", () => {
  expect(unfinishedPath([10, 50, 100], 100)).toBe("M1.5 50L2.5 0");
  expect(unfinishedPath([10, null, 100], 100)).toBe("M2.2 0h0.6");
  expect(unfinishedPath([], 100)).toBe("");
});

test.each([
  [[0, null], 1],
  [[], 1],
  [[1], 1.2],
  [[23.4], 30],
  [[95], 100],
  [[96], 120],
  [[0.31], 0.4],
  [[380, 12], 400],
])("leaves room above the values: %j is drawn up to %d", (values, top) =>
  expect(topOf([[null], values])).toBe(top),
);

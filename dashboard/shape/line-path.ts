/**
 * Lines of a chart as SVG paths, in buckets from the left and in {@link HEIGHT} from the top. A line has at
 * most two points for each column of pixels, so that 10,000 points are drawn as fast as 1,000. Pure.
 */
import { HEIGHT, pathOfLine } from "./drawing.ts";
import type { Column } from "./history.ts";

/**
 * Keeps the lowest and the highest value of each column of pixels, so no peak is lost. Unknown values
 * are a gap if they take a whole column; a shorter gap could not be seen.
 * @param max      the value at the top of the scale
 * @param columns  width of the chart, in pixels
 */
export function linePath(values: Column, max: number, columns: number): string {
  const each = Math.ceil(values.length / Math.max(1, columns));
  // With two values in a column, both are drawn anyway.
  if (each <= 2) return pathOfLine(values.map((value) => (value === null ? null : value / max)));
  let path = "";
  let isDown = false;
  let unknown = 0;
  for (let start = 0; start < values.length; start += each) {
    const end = Math.min(values.length, start + each);
    let low = -1;
    let high = -1;
    let lowest = Number.POSITIVE_INFINITY;
    let highest = Number.NEGATIVE_INFINITY;
    let isCut = false;
    for (let index = start; index < end; index++) {
      const value = values[index] ?? null;
      if (value === null) {
        unknown++;
        continue;
      }
      if (unknown >= each) isCut = true;
      unknown = 0;
      if (value < lowest) {
        lowest = value;
        low = index;
      }
      if (value > highest) {
        highest = value;
        high = index;
      }
    }
    if (low === -1) continue;
    if (isCut) isDown = false;
    const [first, last] = low < high ? [low, high] : [high, low];
    for (const index of first === last ? [first] : [first, last]) {
      path += `${isDown ? "L" : "M"}${index + 0.5} ${heightOf((values[index] ?? 0) / max)}`;
      isDown = true;
    }
    // A value without a neighbour is a short line.
    if (first === last && path.endsWith(`M${first + 0.5} ${heightOf((values[first] ?? 0) / max)}`))
      path += `h${each / 2}`;
  }
  return path;
}

/** Returns the dashed end of a line: from the last whole bucket to the one that is not over yet. */
export function unfinishedPath(values: Column, max: number): string {
  const end = values.slice(-2);
  return pathOfLine(
    end.map((value) => (value === null ? null : value / max)),
    values.length - end.length,
  );
}

const heightOf = (part: number): number =>
  Math.round(100 * HEIGHT * (1 - Math.min(1, Math.max(0, part)))) / 100;

/** Half of each of these is a number that reads well too. */
const ROUND = [1, 1.2, 1.6, 2, 2.4, 3, 4, 5, 6, 8, 10] as const;

/** Returns a round maximum for a scale, with some room above the values; 1 if every value is 0. */
export function topOf(columns: readonly Column[]): number {
  let max = 0;
  for (const column of columns)
    for (const value of column) if (value !== null && value > max) max = value;
  if (max <= 0) return 1;
  const wanted = 1.05 * max;
  const power = 10 ** Math.floor(Math.log10(wanted));
  const factor = ROUND.find((each) => each * power >= wanted) ?? 10;
  // The product of two binary fractions is rarely exact.
  return Number((factor * power).toPrecision(2));
}

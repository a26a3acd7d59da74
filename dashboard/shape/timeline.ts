/** The common time axis of a list of requests. Pure. */

/** One request of twenty may reach beyond the axis, so that a single slow one does not flatten the rest. */
const QUANTILE = 0.95;
/** Lengths of an axis that people can read, within a power of ten. */
const NICE = [1, 1.5, 2, 3, 4, 5, 6, 8, 10];

/** Returns the length of the axis in ms; 0 without requests. */
export function axisMs(latencies: readonly number[]): number {
  const sorted = latencies.toSorted((a, b) => a - b);
  const most = sorted[Math.ceil(QUANTILE * sorted.length) - 1] ?? 0;
  if (most <= 0) return 0;
  const power = 10 ** Math.floor(Math.log10(most));
  const nice = NICE.find((each) => each * power >= most) ?? 10;
  return nice * power;
}

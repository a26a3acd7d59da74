/**
 * Figures that are known to lie between two bounds. Pure.
 *
 * A phase of a request is inferred by adding and subtracting such figures, so that its error is known
 * too. It becomes a value only if that error is small.
 */
import { roundMs } from "../measure/phases.ts";

export type Bounds = { lo: number; hi: number };

/** The stated accuracy of an inferred phase, as a fraction of it. */
export const INFERRED_WITHIN = 0.05;

export const exactly = (value: number): Bounds => ({ lo: value, hi: value });

export const plus = (a: Bounds, b: Bounds): Bounds => ({ lo: a.lo + b.lo, hi: a.hi + b.hi });

/** Returns the difference of two durations. No duration is negative. */
export const minus = (a: Bounds, b: Bounds): Bounds => ({
  lo: Math.max(0, a.lo - b.hi),
  hi: Math.max(0, a.hi - b.lo),
});

export const times = (range: Bounds, factor: number): Bounds => ({
  lo: range.lo * factor,
  hi: range.hi * factor,
});

export const later = (a: Bounds, b: Bounds): Bounds => ({
  lo: Math.max(a.lo, b.lo),
  hi: Math.max(a.hi, b.hi),
});

/**
 * Returns the part that two statements about one figure have in common; null if they contradict.
 */
export function both(a: Bounds, b: Bounds): Bounds | null {
  const [lo, hi] = [Math.max(a.lo, b.lo), Math.min(a.hi, b.hi)];
  return lo <= hi ? { lo, hi } : null;
}

/**
 * Returns the middle of a range in ms, or null if it may be off by more than the stated accuracy.
 * @param toleranceMs  an error that is always accepted
 */
export function msWithin(range: Bounds | null, toleranceMs: number): number | null {
  if (range === null) return null;
  const middle = (range.lo + range.hi) / 2;
  const error = (range.hi - range.lo) / 2;
  return error <= Math.max(toleranceMs, INFERRED_WITHIN * middle) ? roundMs(middle) : null;
}

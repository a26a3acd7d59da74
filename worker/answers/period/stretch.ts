/**
 * Finds the part of a period in which requests took much longer than before. Pure.
 *
 * Each request that is slower than nearly all were before counts for a slow stretch, each other one a
 * little against it; the stretch with the highest sum begins and ends at a request, not at the edge of
 * some bucket.
 */

/** A request that a model answered. */
export type TimedCall = { atMs: number; latencyMs: number };

export type SlowStretch = {
  fromMs: number;
  /** The start of its last request. */
  toMs: number;
  /** Requests of the period follow that were quick again. */
  isOver: boolean;
  usualP95Ms: number;
  p95Ms: number;
};

/** Fewer requests have no percentile. */
export const PERCENTILE_MIN = 20;
/** A percentile that rose by less is chance, or nobody's concern. */
export const RISE_MIN = 1.5;
/** A request is slow beyond this part of the usual P95. */
const SLOW_PART = 1.2;
/** By chance 5 % of the requests are beyond a P95; a stretch has more than 8 % of them. */
const QUICK_COUNTS = 0.09;
/** Fewer slow requests are single ones. */
const SLOW_MIN = 5;
/** As many quick requests after a stretch show that it is over; of a long one, this part of it. */
const OVER_AFTER = 10;
const OVER_PART = 0.1;
/** Parts of a period that has nothing before it. */
const PARTS = 8;

/**
 * @param before  the requests of the time before, in order of time, like `period`
 * @returns null if no part of the period was much slower, or nothing can be compared
 */
export function slowStretchOf(
  before: readonly TimedCall[],
  period: readonly TimedCall[],
): SlowStretch | null {
  const usualP95Ms = usualOf(before, period);
  if (usualP95Ms === null) return null;
  const isSlow = ({ latencyMs }: TimedCall) => latencyMs > SLOW_PART * usualP95Ms;
  let best = { score: 0, from: 0, to: -1 };
  let [score, from] = [0, 0];
  for (const [at, call] of period.entries()) {
    if (score <= 0) [score, from] = [0, at];
    score += isSlow(call) ? 1 : -QUICK_COUNTS;
    if (score > best.score) best = { score, from, to: at };
  }
  const within = period.slice(best.from, best.to + 1);
  const [first, last] = [within[0], within.at(-1)];
  if (first === undefined || last === undefined) return null;
  const p95Ms = percentileOf(within, 0.95);
  if (within.filter(isSlow).length < SLOW_MIN || p95Ms < RISE_MIN * usualP95Ms) return null;
  const isOver = period.length - best.to > Math.max(OVER_AFTER, OVER_PART * within.length);
  return { fromMs: first.atMs, toMs: last.atMs, isOver, usualP95Ms, p95Ms };
}

/**
 * Returns the usual P95: that of the time before, or of the quicker parts of a period that has nothing
 * before it.
 */
function usualOf(before: readonly TimedCall[], period: readonly TimedCall[]): number | null {
  if (before.length >= PERCENTILE_MIN) return percentileOf(before, 0.95);
  const length = Math.floor(period.length / PARTS);
  if (length < PERCENTILE_MIN) return null;
  const parts = Array.from({ length: PARTS }, (_, part) =>
    percentileOf(period.slice(part * length, (part + 1) * length), 0.95),
  ).sort((a, b) => a - b);
  return parts[Math.floor(PARTS / 4)] ?? null;
}

/** @param calls  at least one */
export function percentileOf(calls: readonly Pick<TimedCall, "latencyMs">[], part: number): number {
  const sorted = calls.map(({ latencyMs }) => latencyMs).sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(part * sorted.length) - 1)] ?? 0;
}

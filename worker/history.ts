/**
 * History: rollups summed into equal buckets, the empty ones too.
 *
 * Buckets are aligned to their length from the unix epoch, so two readings of the same bucket agree.
 * The newest is the one that is not over yet: its rates are over the part that is, at least a
 * second. A request counts when it finished.
 */
import { GRANULARITIES, type History, type HistoryPoint, type HistoryQuery, TIME_RANGES } from "../protocol/api.ts";
import { Cell } from "./cell.ts";
import { isoOf, percentilesOf, rounded, roundedOrNull } from "./figures.ts";

export type Span = { /** unix seconds, start of the first bucket */ from: number /** seconds */; granularity: number; buckets: number };

export function spanOf({ time_range, granularity }: HistoryQuery, nowMs: number): Span {
  const seconds = GRANULARITIES[granularity];
  const buckets = Math.max(1, Math.ceil(TIME_RANGES[time_range] / seconds));
  const newest = Math.floor(nowMs / 1_000 / seconds) * seconds;
  return { from: newest - (buckets - 1) * seconds, granularity: seconds, buckets };
}

export const endOf = ({ from, granularity, buckets }: Span): number => from + granularity * buckets;

/** @param rollups cells that begin within the span, in any order; `at` is unix seconds. */
export function historyOf(query: HistoryQuery, nowMs: number, rollups: Iterable<{ at: number; cell: Cell }>): History {
  const span = spanOf(query, nowMs);
  const cells = Array.from({ length: span.buckets }, () => new Cell());
  for (const { at, cell } of rollups) cells[Math.floor((at - span.from) / span.granularity)]?.merge(cell);
  const metrics = cells.map((cell, index) => {
    const start = span.from + index * span.granularity;
    const elapsedSeconds = Math.max(1, Math.min(span.granularity, nowMs / 1_000 - start));
    return pointOf(cell, start, elapsedSeconds);
  });
  return { time_range: query.time_range, granularity: query.granularity, metrics };
}

function pointOf(cell: Cell, start: number, elapsedSeconds: number): HistoryPoint {
  return {
    timestamp: isoOf(start * 1_000),
    requests_per_minute: rounded((cell.total / elapsedSeconds) * 60),
    tokens_per_second: rounded(cell.completionTokens / elapsedSeconds),
    avg_latency_ms: roundedOrNull(cell.meanLatencyMs),
    error_rate: cell.errorRate,
    requests: cell.total,
    errors: cell.requests.error,
    cancelled: cell.requests.cancelled,
    tokens: cell.tokens,
    ...percentilesOf(cell),
  };
}

/**
 * History: rollups summed into equal buckets, including empty ones.
 *
 * Buckets are aligned to multiples of their length since the Unix epoch, so two reads of the same
 * bucket agree. The newest bucket is not over yet: its rates cover the elapsed part, at least one
 * second. A request counts in the bucket in which it finished.
 */
import { GRANULARITIES, type HistoryPoint, type HistoryQuery } from "../../protocol/api/stats.ts";
import { Cell, type Summed } from "../counting/cell.ts";
import { isoOf, percentilesOf, rounded, roundedOrNull } from "./figures.ts";

export type Span = {
  /** Start of the first bucket, unix seconds. */
  from: number;
  /** Length of a bucket, seconds. */
  granularity: number;
  buckets: number;
};

export function spanOf(
  { seconds, granularity }: Pick<HistoryQuery, "seconds" | "granularity">,
  nowMs: number,
): Span {
  return alignedSpan(seconds, GRANULARITIES[granularity], nowMs);
}

/**
 * Divides the last `seconds` into buckets of `step` seconds. The newest bucket contains `nowMs`.
 */
export function alignedSpan(seconds: number, step: number, nowMs: number): Span {
  const buckets = Math.max(1, Math.ceil(seconds / step));
  const newest = Math.floor(nowMs / 1_000 / step) * step;
  return { from: newest - (buckets - 1) * step, granularity: step, buckets };
}

export const endOf = ({ from, granularity, buckets }: Span): number => from + granularity * buckets;

/** Cuts a span into pieces of at most `bucketsMax` buckets, so that an export fits in memory. */
export function* piecesOf(
  { from, granularity, buckets }: Span,
  bucketsMax: number,
): Generator<Span> {
  for (let first = 0; first < buckets; first += bucketsMax)
    yield {
      from: from + first * granularity,
      granularity,
      buckets: Math.min(bucketsMax, buckets - first),
    };
}

/** A history that is gathered bit by bit, from cells in any order. */
export class GatheredHistory {
  readonly #span: Span;
  readonly #cells: Cell[];

  constructor(span: Span) {
    this.#span = span;
    this.#cells = Array.from({ length: span.buckets }, () => new Cell());
  }

  /** @param at  start of the cell, unix seconds; cells outside of the span are left out */
  add({ at, cell }: { at: number; cell: Cell }): void {
    const { from, granularity } = this.#span;
    this.#cells[Math.floor((at - from) / granularity)]?.merge(cell);
  }

  points(nowMs: number): HistoryPoint[] {
    const { from, granularity } = this.#span;
    return this.#cells.map((cell, index) => {
      const start = from + index * granularity;
      const elapsedSeconds = Math.max(1, Math.min(granularity, nowMs / 1_000 - start));
      return pointOf(cell, start, elapsedSeconds);
    });
  }
}

/** Makes a cell of each request, for buckets that are shorter than the rollups. */
export function* cellsOf(
  finished: Iterable<Summed & { finished_at_ms: number }>,
): Generator<{ at: number; cell: Cell }> {
  for (const each of finished) {
    const cell = new Cell();
    cell.add(each, each.finished_at_ms);
    yield { at: Math.floor(each.finished_at_ms / 1_000), cell };
  }
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
    resumes: cell.resumes,
    tokens: cell.completionTokens,
    prompt_tokens: cell.promptTokens,
    ...percentilesOf(cell),
  };
}

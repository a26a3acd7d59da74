/** History as an external store aggregates it, in the shape of the API. */
import * as z from "zod";
import type { HistoryPoint } from "../../protocol/api/stats.ts";
import { isoOf, rounded, roundedOrNull } from "../answers/figures.ts";
import type { Span } from "../answers/history.ts";

const sum = z.number();
/** Unknown is null in Postgres, and NaN in ClickHouse, which JSON also writes as null. */
const figure = z.number().nullable();

/** One bucket that contains requests. */
export const Bucket = z.object({
  /** Index from the start of the span. */
  bucket: z.number(),
  successes: sum,
  errors: sum,
  cancelled: sum,
  resumes: sum,
  prompt_tokens: sum,
  completion_tokens: sum,
  latency_count: sum,
  latency_ms_sum: sum,
  latency_p50_ms: figure,
  latency_p95_ms: figure,
  latency_p99_ms: figure,
  ttft_p50_ms: figure,
  ttft_p95_ms: figure,
});
export type Bucket = z.infer<typeof Bucket>;

/** Returns all buckets of a span, including the empty ones. */
export function pointsOf(span: Span, buckets: readonly Bucket[], nowMs: number): HistoryPoint[] {
  const known = new Map(buckets.map((bucket) => [bucket.bucket, bucket]));
  return Array.from({ length: span.buckets }, (_, index) => {
    const start = span.from + index * span.granularity;
    const elapsedSeconds = Math.max(1, Math.min(span.granularity, nowMs / 1_000 - start));
    return pointOf(known.get(index) ?? EMPTY, start, elapsedSeconds);
  });
}

function pointOf(bucket: Bucket, start: number, elapsedSeconds: number): HistoryPoint {
  const { successes, errors, cancelled, prompt_tokens, completion_tokens, latency_count } = bucket;
  const requests = successes + errors + cancelled;
  return {
    timestamp: isoOf(start * 1_000),
    requests_per_minute: rounded((requests / elapsedSeconds) * 60),
    tokens_per_second: rounded(completion_tokens / elapsedSeconds),
    avg_latency_ms: latency_count === 0 ? null : rounded(bucket.latency_ms_sum / latency_count),
    error_rate: requests === 0 ? null : errors / requests,
    requests,
    errors,
    cancelled,
    resumes: bucket.resumes,
    tokens: completion_tokens,
    prompt_tokens,
    latency_p50_ms: roundedOrNull(bucket.latency_p50_ms),
    latency_p95_ms: roundedOrNull(bucket.latency_p95_ms),
    latency_p99_ms: roundedOrNull(bucket.latency_p99_ms),
    ttft_p50_ms: roundedOrNull(bucket.ttft_p50_ms),
    ttft_p95_ms: roundedOrNull(bucket.ttft_p95_ms),
  };
}

const EMPTY: Bucket = {
  bucket: 0,
  successes: 0,
  errors: 0,
  cancelled: 0,
  resumes: 0,
  prompt_tokens: 0,
  completion_tokens: 0,
  latency_count: 0,
  latency_ms_sum: 0,
  latency_p50_ms: null,
  latency_p95_ms: null,
  latency_p99_ms: null,
  ttft_p50_ms: null,
  ttft_p95_ms: null,
};

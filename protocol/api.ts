/**
 * The answers of `/api`: the seed's shapes, with our extra fields after them. Milliseconds
 * where a name ends in `_ms`; rates 0..1; `null` where nothing is known.
 *
 * The worker parses nothing with these (it builds them); tests and the page do.
 */
import { z } from "zod";
import { BoxName, FailedAt, GpuSample, RequestRecord, Status } from "./records.ts";

const time = z.iso.datetime();
const count = z.int().nonnegative();
const figure = z.number().nonnegative().nullable();
const rate = z.number().min(0).max(1).nullable();

/** One error shape for all of `/api`. */
export const ApiError = z.object({
  error: z.object({ code: z.string(), message: z.string(), failed_at: FailedAt, request_id: z.uuid() }),
});
export type ApiError = z.infer<typeof ApiError>;

/** A box, in `/api/health`. */
const BoxHealth = z.object({
  name: BoxName,
  state: z.enum(["up", "draining", "down"]),
  simulated: z.boolean(),
  /** When its agent was last heard; null when it is up. */
  last_seen: time.nullable(),
  ollama_version: z.string().nullable(),
  ollama_reachable: z.boolean().nullable(),
});

/** `GET /api/health`. `degraded`: no box is up, or an Ollama does not answer. */
export const Health = z.object({
  status: z.enum(["healthy", "degraded", "unhealthy"]),
  uptime_seconds: z.number(),
  timestamp: time,
  /** True when any box serves made-up numbers. */
  simulated: z.boolean(),
  version: z.string(),
  /** Why it is not healthy, in words. Empty when it is. */
  problems: z.array(z.string()),
  boxes: z.array(BoxHealth),
});
export type Health = z.infer<typeof Health>;

/** `GET /api/stats/current`. Latency figures are over inference calls; percentiles over the last hour. */
export const CurrentStats = z.object({
  total_requests: count,
  /** Prompt and completion tokens. */
  total_tokens: count,
  total_errors: count,
  avg_latency_ms: figure,
  /** Models that were called in the last hour, most used first. */
  models_in_use: z.array(z.string()),
  uptime_seconds: z.number(),
  // ours
  total_cancelled: count,
  /** Completion tokens per second over the last minute. */
  tokens_per_second: figure,
  error_rate: rate,
  queue_depth: count.nullable(),
  in_flight: count,
  latency_p50_ms: figure,
  latency_p95_ms: figure,
  latency_p99_ms: figure,
  ttft_p50_ms: figure,
  ttft_p95_ms: figure,
  boxes: z.object({ up: count, total: count }),
  simulated: z.boolean(),
  timestamp: time,
});
export type CurrentStats = z.infer<typeof CurrentStats>;

/** `GET /api/stats/history`: one point per bucket, empty buckets too. */
export const HistoryPoint = z.object({
  /** Start of the bucket. */
  timestamp: time,
  requests_per_minute: z.number(),
  tokens_per_second: z.number(),
  avg_latency_ms: figure,
  error_rate: rate,
  // ours
  requests: count,
  errors: count,
  cancelled: count,
  tokens: count,
  latency_p50_ms: figure,
  latency_p95_ms: figure,
  latency_p99_ms: figure,
  ttft_p50_ms: figure,
  ttft_p95_ms: figure,
});
export type HistoryPoint = z.infer<typeof HistoryPoint>;
export const History = z.object({ time_range: z.string(), granularity: z.string(), metrics: z.array(HistoryPoint) });
export type History = z.infer<typeof History>;

/** Seconds by name. */
export const TIME_RANGES = { "1h": 3_600, "6h": 21_600, "24h": 86_400, "7d": 604_800, "30d": 2_592_000, "90d": 7_776_000 } as const;
export const GRANULARITIES = { "1m": 60, "5m": 300, "1h": 3_600, "1d": 86_400 } as const;
/** About one per pixel of a wide chart. */
export const HISTORY_POINTS_MAX = 2_200;

export const HistoryQuery = z
  .object({
    time_range: z.enum(Object.keys(TIME_RANGES) as (keyof typeof TIME_RANGES)[]).default("1h"),
    granularity: z.enum(Object.keys(GRANULARITIES) as (keyof typeof GRANULARITIES)[]).default("5m"),
    model: z.string().min(1).max(512).optional(),
    box: BoxName.optional(),
  })
  .refine((q) => TIME_RANGES[q.time_range] / GRANULARITIES[q.granularity] <= HISTORY_POINTS_MAX, {
    error: `at most ${HISTORY_POINTS_MAX} points; use a coarser granularity`,
    path: ["granularity"],
  });
export type HistoryQuery = z.infer<typeof HistoryQuery>;

/** `GET /api/stats/logs`: newest first. */
export const LogEntry = RequestRecord.omit({ request_id: true, started_at: true }).extend({
  id: z.uuid(),
  timestamp: time,
  /** Prompt and completion tokens; null when Ollama said neither. */
  tokens_used: count.nullable(),
});
export type LogEntry = z.infer<typeof LogEntry>;
export const Logs = z.object({
  logs: z.array(LogEntry),
  total: count,
  limit: count,
  offset: count,
  /** The offset of the next page; null on the last. */
  next: count.nullable(),
});
export type Logs = z.infer<typeof Logs>;

export const LogsQuery = z.object({
  limit: z.coerce.number().int().min(1).max(1_000).default(100),
  offset: z.coerce.number().int().min(0).max(10_000_000).default(0),
  model: z.string().min(1).max(512).optional(),
  status: Status.optional(),
  box: BoxName.optional(),
});
export type LogsQuery = z.infer<typeof LogsQuery>;

/** `GET /api/models`: what was called, most used first. `tokens_per_second` is completion tokens per decode second. */
export const ModelStats = z.object({
  name: z.string(),
  total_requests: count,
  total_tokens: count,
  avg_latency_ms: figure,
  tokens_per_second: figure,
  error_rate: rate,
  // ours
  total_errors: count,
  last_used: time.nullable(),
  latency_p50_ms: figure,
  latency_p95_ms: figure,
  latency_p99_ms: figure,
  ttft_p50_ms: figure,
  ttft_p95_ms: figure,
  /** Boxes that have it in memory now, and on disk. */
  loaded_on: z.array(BoxName),
  installed_on: z.array(BoxName),
});
export type ModelStats = z.infer<typeof ModelStats>;
export const Models = z.object({ models: z.array(ModelStats) });
export type Models = z.infer<typeof Models>;

/** `GET /api/gpu`: the newest sample of each GPU of boxes that are up. */
export const Gpu = z.object({
  available: z.boolean(),
  gpu_count: count,
  gpus: z.array(GpuSample.omit({ at: true }).extend({ timestamp: time, driver_version: z.string().nullable(), simulated: z.boolean() })),
  // ours
  /** Why a box shows no GPU, by box. */
  errors: z.array(z.object({ box: BoxName, error: z.string() })),
  timestamp: time,
});
export type Gpu = z.infer<typeof Gpu>;
export const GpuQuery = z.object({ box: BoxName.optional() });

/**
 * The answers of `/api/stats` and `/api/models`: the seed's shapes, followed by our own fields.
 *
 * The worker builds these answers and does not parse them. Tests, the page and the API's
 * description use the schemas.
 */
import * as z from "zod";
import { BoxName } from "../records.ts";
import { LogFacets, LogFacetsQuery } from "./log-facets.ts";
import { LogDetail, Logs, LogsQuery } from "./logs.ts";
import type { ApiRoute } from "./route.ts";
import {
  Count,
  EXPORT_MEDIA,
  ExportFormat,
  Figure,
  KeyNarrowing,
  Rate,
  Store,
  Time,
} from "./shapes.ts";

/**
 * `GET /api/stats/current`. Latency figures cover successful inference requests; percentiles cover
 * the last hour.
 */
export const CurrentStats = z
  .object({
    total_requests: Count,
    total_tokens: Count.describe("generated (completion) tokens"),
    total_errors: Count,
    avg_latency_ms: Figure,
    models_in_use: z
      .array(z.string())
      .describe("models used for inference in the last hour, most used first"),
    uptime_seconds: z.number(),
    // ours
    total_prompt_tokens: Count.describe("tokens of prompts, which total_tokens does not include"),
    total_cancelled: Count.describe("requests whose caller disconnected; not counted as errors"),
    total_resumes: Count.describe(
      "how often a request resumed after the tunnel to its box was cut",
    ),
    tokens_per_second: Figure.describe("completion tokens per second over the last minute"),
    error_rate: Rate,
    queue_depth: Count.nullable().describe(
      "requests that wait for their model to load or for a parallel slot",
    ),
    in_flight: Count,
    latency_p50_ms: Figure,
    latency_p95_ms: Figure,
    latency_p99_ms: Figure,
    ttft_p50_ms: Figure,
    ttft_p95_ms: Figure,
    boxes: z.object({ up: Count, total: Count }),
    simulated: z.boolean().describe("true if any box serves made-up numbers"),
    timestamp: Time,
  })
  .meta({ id: "CurrentStats" });
export type CurrentStats = z.infer<typeof CurrentStats>;

/** One bucket of the history. */
export const HistoryPoint = z
  .object({
    timestamp: Time.describe("start of the bucket"),
    requests_per_minute: z.number(),
    tokens_per_second: z.number(),
    avg_latency_ms: Figure,
    error_rate: Rate,
    // ours
    requests: Count,
    errors: Count,
    cancelled: Count,
    resumes: Count.describe("how often a request resumed after the tunnel to its box was cut"),
    tokens: Count.describe("generated (completion) tokens"),
    prompt_tokens: Count,
    latency_p50_ms: Figure,
    latency_p95_ms: Figure,
    latency_p99_ms: Figure,
    ttft_p50_ms: Figure,
    ttft_p95_ms: Figure,
  })
  .meta({ id: "HistoryPoint" });
export type HistoryPoint = z.infer<typeof HistoryPoint>;

/** `GET /api/stats/history`: one point per bucket, including empty buckets. */
export const History = z
  .object({
    time_range: z.string().describe("as requested: 24h, or 36h for hours=36"),
    granularity: z.string(),
    metrics: z.array(HistoryPoint),
    // ours
    store: Store.describe("the store that it was read from"),
    since: Time.nullable().describe(
      "when counting began: the edge was created, or its metrics were last cleared. An earlier bucket without requests is unknown, although its counts are 0",
    ),
  })
  .meta({ id: "History" });
export type History = z.infer<typeof History>;

/** One model, in `GET /api/models`. */
export const ModelStats = z
  .object({
    name: z.string(),
    total_requests: Count,
    total_tokens: Count.describe("generated (completion) tokens"),
    avg_latency_ms: Figure,
    tokens_per_second: Figure.describe("completion tokens per second of decoding"),
    error_rate: Rate,
    // ours
    total_prompt_tokens: Count,
    total_errors: Count,
    last_used: Time.nullable(),
    latency_p50_ms: Figure,
    latency_p95_ms: Figure,
    latency_p99_ms: Figure,
    ttft_p50_ms: Figure,
    ttft_p95_ms: Figure,
    energy_j: Figure.describe(
      "energy that the GPUs of its boxes drew while Ollama had its requests, shared equally with concurrent requests; null if unknown",
    ),
    energy_requests: Count.describe("requests whose energy is known and included in energy_j"),
    energy_j_per_1k_tokens: Figure.describe(
      "per 1,000 completion tokens of these requests, including the energy of their prompts",
    ),
    cost: Figure.describe(
      "cost of energy_j, as far as a tariff was in force; null if none of it has a price",
    ),
    cost_currency: z.string().nullable().describe("ISO 4217; null if the cost is unknown"),
    cost_per_million_output: Figure.describe(
      "cost per million completion tokens, without their prompts, as in /api/costs",
    ),
    loaded_on: z.array(BoxName).describe("boxes that have the model in memory now"),
    installed_on: z.array(BoxName).describe("boxes that have the model on disk"),
  })
  .meta({ id: "ModelStats" });
export type ModelStats = z.infer<typeof ModelStats>;

/** `GET /api/models`: the models that were requested, most used first. */
export const Models = z.object({ models: z.array(ModelStats) }).meta({ id: "Models" });
export type Models = z.infer<typeof Models>;

/** Time ranges by name, in seconds. */
export const TIME_RANGES = {
  "5m": 300,
  "15m": 900,
  "1h": 3_600,
  "6h": 21_600,
  "24h": 86_400,
  "7d": 604_800,
  "30d": 2_592_000,
  "90d": 7_776_000,
  "365d": 31_536_000,
} as const;
export const GRANULARITIES = { "10s": 10, "1m": 60, "5m": 300, "1h": 3_600, "1d": 86_400 } as const;
type Granularity = keyof typeof GRANULARITIES;
const HOURS_MAX = TIME_RANGES["365d"] / 3_600;

/** About one point per pixel of a wide chart. An export has no such bound. */
export const HISTORY_POINTS_MAX = 2_200;
/**
 * Without a granularity, the finest one of at least five minutes that makes at most this many
 * points.
 */
const DEFAULT_POINTS_MAX = 720;
/**
 * Sums exist by minute. Finer buckets are summed from the logs on each request, so the range must
 * be short.
 */
const FROM_LOGS_SECONDS_MAX = TIME_RANGES["15m"];

/** The query of `/api/stats/history`, with defaults filled in. */
export const HistoryQuery = z
  .strictObject({
    time_range: z
      .enum(Object.keys(TIME_RANGES) as (keyof typeof TIME_RANGES)[])
      .optional()
      .describe("default 1h"),
    hours: z.coerce
      .number()
      .int()
      .min(1)
      .max(HOURS_MAX)
      .optional()
      .describe("instead of time_range"),
    granularity: z
      .enum(Object.keys(GRANULARITIES) as Granularity[])
      .optional()
      .describe(
        `length of a bucket; default: the finest of at least 5m that makes at most ${DEFAULT_POINTS_MAX} points; 10s for 5m and 15m`,
      ),
    ...KeyNarrowing.shape,
    format: ExportFormat,
  })
  .refine((q) => q.hours === undefined || q.time_range === undefined, {
    error: "use hours or time_range, not both",
    path: ["hours"],
  })
  .transform(({ time_range, hours, granularity, ...rest }) => {
    const seconds = hours === undefined ? TIME_RANGES[time_range ?? "1h"] : hours * 3_600;
    return {
      time_range: hours === undefined ? (time_range ?? "1h") : `${hours}h`,
      seconds,
      granularity: granularity ?? defaultGranularity(seconds),
      ...rest,
    };
  })
  .refine(
    (q) => q.format !== "json" || q.seconds / GRANULARITIES[q.granularity] <= HISTORY_POINTS_MAX,
    {
      error: `at most ${HISTORY_POINTS_MAX} points; use a coarser granularity, or format=csv`,
      path: ["granularity"],
    },
  )
  .refine(
    (q) =>
      q.seconds <= FROM_LOGS_SECONDS_MAX || GRANULARITIES[q.granularity] >= GRANULARITIES["1m"],
    {
      error: "10s is only for the ranges 5m and 15m",
      path: ["granularity"],
    },
  );
export type HistoryQuery = z.infer<typeof HistoryQuery>;

const defaultGranularity = (seconds: number): Granularity =>
  seconds <= FROM_LOGS_SECONDS_MAX
    ? "10s"
    : ((["5m", "1h"] as const).find(
        (name) => seconds / GRANULARITIES[name] <= DEFAULT_POINTS_MAX,
      ) ?? "1d");

export const STATS_ROUTES = {
  currentStats: {
    method: "GET",
    path: "/api/stats/current",
    scope: "stats",
    tag: "Statistics",
    summary: "Totals, percentiles of the last hour, requests in flight",
    query: KeyNarrowing.pick({ key: true }).strict(),
    answer: CurrentStats,
  },
  history: {
    method: "GET",
    path: "/api/stats/history",
    scope: "stats",
    tag: "Statistics",
    summary: "Rates, percentiles and counts over time, 5 min to 1 y",
    description:
      "One point per bucket, including empty buckets. Percentiles cover all requests of the bucket and are at most 1 % off. Buckets shorter than a minute, and with key= those shorter than an hour, cover only requests that are still in the logs. Buckets shorter than an hour beyond 7 days, and any beyond 90 days, need ClickHouse or Postgres.",
    query: HistoryQuery,
    answer: History,
    media: EXPORT_MEDIA,
  },
  logs: {
    method: "GET",
    path: "/api/stats/logs",
    scope: "stats",
    tag: "Statistics",
    summary: "Finished requests with prompt and response, newest first or sorted",
    description:
      "A page of long texts may contain fewer entries than limit: follow next or next_cursor.",
    query: LogsQuery,
    answer: Logs,
    media: EXPORT_MEDIA,
  },
  logFacets: {
    method: "GET",
    path: "/api/stats/logs/facets",
    scope: "stats",
    tag: "Statistics",
    summary: "How many finished requests have which status, model, box, key and kind",
    description:
      "Each value is counted among the requests that match everything else in the query: with status=error, status still counts the successful ones. With q, only matching requests are counted.",
    query: LogFacetsQuery,
    answer: LogFacets,
  },
  log: {
    method: "GET",
    path: "/api/stats/logs/{id}",
    scope: "stats",
    tag: "Statistics",
    summary: "One finished request, with a sentence that explains its time",
    params: z.object({ id: z.uuid() }),
    answer: LogDetail,
  },
  models: {
    method: "GET",
    path: "/api/models",
    scope: "stats",
    tag: "Statistics",
    summary: "Requests, speed and location of each model",
    query: KeyNarrowing.pick({ key: true }).strict(),
    answer: Models,
  },
} as const satisfies Record<string, ApiRoute>;

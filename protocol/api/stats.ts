/**
 * The answers of `/api/stats` and `/api/models`: the seed's shapes, with our extra fields after them.
 *
 * The worker parses nothing with the answers' schemas (it builds them); tests, the page and the
 * API's description do.
 */
import { z } from "zod";
import { BoxName, RequestRecord, Status } from "../records.ts";
import type { ApiRoute } from "./route.ts";
import { Count, Figure, Rate, Store, Time } from "./shapes.ts";

/** `GET /api/stats/current`. Latency figures are over inference calls; percentiles over the last hour. */
export const CurrentStats = z
  .object({
    total_requests: Count,
    total_tokens: Count.describe("prompt and completion tokens"),
    total_errors: Count,
    avg_latency_ms: Figure,
    models_in_use: z
      .array(z.string())
      .describe("models that were called in the last hour, most used first"),
    uptime_seconds: z.number(),
    // ours
    total_cancelled: Count.describe("callers that went away; none of the errors"),
    total_resumes: Count.describe(
      "times that a request went on after the tunnel to its box had been cut",
    ),
    tokens_per_second: Figure.describe("completion tokens per second over the last minute"),
    error_rate: Rate,
    queue_depth: Count.nullable().describe("requests that Ollama has not begun to answer"),
    in_flight: Count,
    latency_p50_ms: Figure,
    latency_p95_ms: Figure,
    latency_p99_ms: Figure,
    ttft_p50_ms: Figure,
    ttft_p95_ms: Figure,
    boxes: z.object({ up: Count, total: Count }),
    simulated: z.boolean().describe("true when any box serves made-up numbers"),
    timestamp: Time,
  })
  .meta({ id: "CurrentStats" });
export type CurrentStats = z.infer<typeof CurrentStats>;

/** One bucket of history. */
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
    resumes: Count.describe(
      "times that a request went on after the tunnel to its box had been cut",
    ),
    tokens: Count,
    latency_p50_ms: Figure,
    latency_p95_ms: Figure,
    latency_p99_ms: Figure,
    ttft_p50_ms: Figure,
    ttft_p95_ms: Figure,
  })
  .meta({ id: "HistoryPoint" });
export type HistoryPoint = z.infer<typeof HistoryPoint>;

/** `GET /api/stats/history`: one point per bucket, empty buckets too. */
export const History = z
  .object({
    time_range: z.string().describe("as asked for: 24h, or 36h for hours=36"),
    granularity: z.string(),
    metrics: z.array(HistoryPoint),
    // ours
    store: Store.describe("where it was read"),
  })
  .meta({ id: "History" });
export type History = z.infer<typeof History>;

/** A request, in `GET /api/stats/logs`. */
export const LogEntry = z
  .object({
    id: z.uuid().describe("the request id, as in the answer's X-Request-Id"),
    timestamp: Time.describe("when the edge accepted the request"),
    ...RequestRecord.omit({ request_id: true, started_at: true }).shape,
    edge_ms: RequestRecord.shape.edge_ms
      .unwrap()
      .describe("from accepted to the departure for the box; part of latency_ms"),
    tunnel_ms: RequestRecord.shape.tunnel_ms
      .unwrap()
      .describe(
        "a round trip of the tunnel, as the last heartbeat measured it; part of latency_ms",
      ),
    tokens_used: Count.nullable().describe(
      "prompt and completion tokens; null when Ollama said neither",
    ),
  })
  .meta({ id: "LogEntry" });
export type LogEntry = z.infer<typeof LogEntry>;

/** `GET /api/stats/logs`: newest first. */
export const Logs = z
  .object({
    logs: z.array(LogEntry),
    store: Store.describe(
      "where the page was read: what is older than the Durable Object keeps comes from a store",
    ),
    total: Count.describe("how many match in that store"),
    limit: Count,
    offset: Count,
    next: Count.nullable().describe("the offset of the next page; null on the last"),
    next_cursor: z
      .uuid()
      .nullable()
      .describe("the cursor of the next page, which new requests do not shift; null on the last"),
  })
  .meta({ id: "Logs" });
export type Logs = z.infer<typeof Logs>;

/** A model, in `GET /api/models`. */
export const ModelStats = z
  .object({
    name: z.string(),
    total_requests: Count,
    total_tokens: Count,
    avg_latency_ms: Figure,
    tokens_per_second: Figure.describe("completion tokens per second of decoding"),
    error_rate: Rate,
    // ours
    total_errors: Count,
    last_used: Time.nullable(),
    latency_p50_ms: Figure,
    latency_p95_ms: Figure,
    latency_p99_ms: Figure,
    ttft_p50_ms: Figure,
    ttft_p95_ms: Figure,
    energy_j: Figure.describe(
      "what the GPUs of its boxes drew while Ollama had its requests, shared with those beside them; null where none tells",
    ),
    energy_requests: Count.describe("requests whose energy is known, and in energy_j"),
    energy_j_per_1k_tokens: Figure.describe(
      "per 1,000 completion tokens of those requests, the energy of their prompts included",
    ),
    loaded_on: z.array(BoxName).describe("boxes that have it in memory now"),
    installed_on: z.array(BoxName).describe("boxes that have it on disk"),
  })
  .meta({ id: "ModelStats" });
export type ModelStats = z.infer<typeof ModelStats>;

/** `GET /api/models`: what was called, most used first. */
export const Models = z.object({ models: z.array(ModelStats) }).meta({ id: "Models" });
export type Models = z.infer<typeof Models>;

/** Seconds by name. */
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

/** About one per pixel of a wide chart. An export has no such bound. */
export const HISTORY_POINTS_MAX = 2_200;
/** When nobody says how fine: the finest from five minutes on that makes no more points than this. */
const DEFAULT_POINTS_MAX = 720;
/** Sums are by the minute; what is finer is summed up from the logs each time, so it has to be little. */
const FROM_LOGS_SECONDS_MAX = TIME_RANGES["15m"];

const Format = z
  .enum(["json", "csv", "ndjson"])
  .default("json")
  .describe("csv and ndjson are streamed, of any length");

const box = BoxName.optional().describe("only this box");
const model = z
  .string()
  .min(1)
  .max(512)
  .optional()
  .describe("only this model, with or without :latest");

/** What is asked of `/api/stats/history`, with everything that was left out filled in. */
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
        `length of a bucket; default: the finest from 5m on that makes at most ${DEFAULT_POINTS_MAX} points; 10s for 5m and 15m`,
      ),
    model,
    box,
    format: Format,
  })
  .refine((q) => q.hours === undefined || q.time_range === undefined, {
    error: "say hours or time_range, not both",
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
      error: "10s is for the ranges 5m and 15m",
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

/** Enough of a text to know it again in a list. */
export const SHORT_TEXT_CHARS = 200;

export const LogsQuery = z
  .strictObject({
    limit: z.coerce
      .number()
      .int()
      .min(1)
      .max(1_000)
      .optional()
      .describe("default 100; an export has all unless it is given"),
    offset: z.coerce.number().int().min(0).max(10_000_000).optional().describe("default 0"),
    cursor: z.uuid().optional().describe("next_cursor of the page before; instead of offset"),
    model,
    status: Status.optional(),
    box,
    id: z.uuid().optional().describe("only the request of this id"),
    key: z
      .string()
      .min(1)
      .max(64)
      .optional()
      .describe("only calls with the key of this name: admin, caller or read"),
    q: z
      .string()
      .min(1)
      .max(200)
      .optional()
      .describe("only where prompt, response or error message hold this text, whatever its case"),
    since: Time.optional().describe("only requests that the edge accepted then or later"),
    until: Time.optional().describe("only requests that the edge accepted before"),
    texts: z
      .enum(["full", "short"])
      .default("full")
      .describe(`short: only the first ${SHORT_TEXT_CHARS} characters of prompt and response`),
    format: Format,
  })
  .refine((q) => q.cursor === undefined || q.offset === undefined, {
    error: "say cursor or offset, not both",
    path: ["cursor"],
  });
export type LogsQuery = z.infer<typeof LogsQuery>;
/** Which entries: the part of a query that whoever reads them knows. */
export type LogsPage = Omit<LogsQuery, "format" | "limit" | "texts"> & {
  limit: number;
  texts?: LogsQuery["texts"] | undefined;
};

const EXPORTS = {
  "text/csv":
    "format=csv: a header line, then a line each (RFC 4180). A text that a spreadsheet would run as a formula begins with '.",
  "application/x-ndjson": "format=ndjson: one JSON object a line, as in the JSON answer.",
};

export const STATS_ROUTES = {
  currentStats: {
    method: "GET",
    path: "/api/stats/current",
    scope: "read",
    tag: "Statistics",
    summary: "Totals, percentiles of the last hour, requests in flight",
    answer: CurrentStats,
  },
  history: {
    method: "GET",
    path: "/api/stats/history",
    scope: "read",
    tag: "Statistics",
    summary: "Rates, percentiles and counts over time, 5 min to 1 y",
    description:
      "One point per bucket, empty buckets too. Percentiles are of all requests of the bucket, at most 1 % off. Buckets shorter than a minute know only what is still in the logs. What is finer than the hour beyond 7 days, or older than 90, needs ClickHouse or Postgres.",
    query: HistoryQuery,
    answer: History,
    media: EXPORTS,
  },
  logs: {
    method: "GET",
    path: "/api/stats/logs",
    scope: "read",
    tag: "Statistics",
    summary: "Finished requests with prompt and response, newest first",
    description:
      "A page of long texts may hold fewer entries than limit: follow next, or next_cursor.",
    query: LogsQuery,
    answer: Logs,
    media: EXPORTS,
  },
  models: {
    method: "GET",
    path: "/api/models",
    scope: "read",
    tag: "Statistics",
    summary: "What was called, how fast, and where it is loaded",
    answer: Models,
  },
} as const satisfies Record<string, ApiRoute>;

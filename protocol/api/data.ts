/** `/api/data`: the stored data, and clearing it. */
import * as z from "zod";
import type { ApiRoute } from "./route.ts";
import { Count, Store, Time } from "./shapes.ts";

/**
 * `GET /api/data/summary`. Metrics are sums by minute or hour, each of one model on one box; logs
 * are finished requests.
 */
export const DataSummary = z
  .object({
    metrics_count: Count,
    logs_count: Count,
    oldest_metric: Time.nullable(),
    newest_metric: Time.nullable(),
    // ours
    oldest_log: Time.nullable(),
    newest_log: Time.nullable(),
    metrics_cleared_at: Time.nullable().describe(
      "when metrics were last cleared; requests that finished before no longer count",
    ),
    logs_cleared_at: Time.nullable().describe(
      "when logs were last cleared; requests that finished before are no longer shown",
    ),
    databases: z.array(z.object({ store: Store, size_bytes: Count.nullable() })),
  })
  .meta({ id: "DataSummary" });
export type DataSummary = z.infer<typeof DataSummary>;

/** The answer of the three DELETE routes. */
export const Cleared = z
  .object({
    status: z.literal("cleared"),
    type: z.enum(["metrics", "logs", "all"]),
    // ours
    results: z.object({
      metrics_cleared: z.boolean(),
      logs_cleared: z.boolean(),
      model_stats_reset: z.boolean(),
    }),
    cleared_at: Time.describe(
      "requests that finished until then are gone, including ones that an agent delivers later",
    ),
    stores: z
      .array(
        z.object({
          store: Store,
          metrics_deleted: Count.nullable(),
          logs_deleted: Count.nullable(),
          error: z
            .string()
            .nullable()
            .describe(
              "the reason nothing was deleted yet; the store is cleared once it can be reached, before new records are written",
            ),
        }),
      )
      .describe("deleted rows by store"),
  })
  .meta({ id: "Cleared" });
export type Cleared = z.infer<typeof Cleared>;

/** The two kinds of data that can be cleared separately. */
export type Clearable = Exclude<Cleared["type"], "all">;

const CLEARINGS = {
  logs: "logs_cleared",
  metrics: "metrics_cleared",
  all: "data_cleared",
} as const;

const clearing = (type: Cleared["type"], summary: string) =>
  ({
    method: "DELETE",
    audit: CLEARINGS[type],
    path: `/api/data/${type}`,
    scope: "admin",
    tag: "Data",
    summary,
    answer: Cleared,
  }) as const;

export const DATA_ROUTES = {
  dataSummary: {
    method: "GET",
    path: "/api/data/summary",
    scope: "stats",
    tag: "Data",
    summary: "Stored data and its age",
    answer: DataSummary,
  },
  clearMetrics: clearing(
    "metrics",
    "Clear totals, history, model statistics, and GPU and system samples",
  ),
  clearLogs: clearing(
    "logs",
    "Clear finished requests with their prompts and responses; counts stay",
  ),
  clearAll: clearing("all", "Clear both"),
} as const satisfies Record<string, ApiRoute>;

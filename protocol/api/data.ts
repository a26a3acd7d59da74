/** `/api/data`: what is stored, and clearing it. */
import { z } from "zod";
import type { ApiRoute } from "./route.ts";
import { Count, Store, Time } from "./shapes.ts";

/** `GET /api/data/summary`. Metrics are sums by minute and hour, of one model on one box each; logs are finished requests. */
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
      "when they were cleared last; what finished before counts no more",
    ),
    logs_cleared_at: Time.nullable().describe(
      "when they were cleared last; what finished before is not shown any more",
    ),
    databases: z.array(z.object({ store: Store, size_bytes: Count.nullable() })),
  })
  .meta({ id: "DataSummary" });
export type DataSummary = z.infer<typeof DataSummary>;

/** The answer of the three deletes. */
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
      "requests that finished until then are gone, also those that an agent delivers later",
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
              "why nothing was deleted yet; it is as soon as the store can be reached, before anything new is written",
            ),
        }),
      )
      .describe("what was deleted where"),
  })
  .meta({ id: "Cleared" });
export type Cleared = z.infer<typeof Cleared>;

/** The two kinds of data that can be cleared apart. */
export type Clearable = Exclude<Cleared["type"], "all">;

const clearing = (type: Cleared["type"], summary: string) =>
  ({
    method: "DELETE",
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
    scope: "read",
    tag: "Data",
    summary: "What is stored, and since when",
    answer: DataSummary,
  },
  clearMetrics: clearing(
    "metrics",
    "Clear totals, history and model statistics; GPU and system samples too",
  ),
  clearLogs: clearing(
    "logs",
    "Clear the finished requests with their prompts and responses; the counts stay",
  ),
  clearAll: clearing("all", "Clear both"),
} as const satisfies Record<string, ApiRoute>;

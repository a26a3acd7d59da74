/** The answers of `/api/data`. */
import type { Clearable, Cleared, DataSummary } from "../../protocol/api/data.ts";
import { isoOf } from "./figures.ts";

/**
 * The result of a clear in one external store; `rows` is null while the store cannot be reached.
 */
export type StoreCleared = Pick<Cleared["stores"][number], "store" | "error"> & {
  rows: Record<Clearable, number> | null;
};

export type SummaryParts = {
  logs: { rows: number; oldest: string | null; newest: string | null };
  /** Minutes and hours; times are unix seconds. */
  metrics: { rows: number; oldest: number | null; newest: number | null };
  logsClearedMs: number | null;
  metricsClearedMs: number | null;
  sizeBytes: number;
};

export function dataSummary({
  logs,
  metrics,
  logsClearedMs,
  metricsClearedMs,
  sizeBytes,
}: SummaryParts): DataSummary {
  return {
    metrics_count: metrics.rows,
    logs_count: logs.rows,
    oldest_metric: metrics.oldest === null ? null : isoOf(metrics.oldest * 1_000),
    newest_metric: metrics.newest === null ? null : isoOf(metrics.newest * 1_000),
    oldest_log: logs.oldest,
    newest_log: logs.newest,
    metrics_cleared_at: metricsClearedMs === null ? null : isoOf(metricsClearedMs),
    logs_cleared_at: logsClearedMs === null ? null : isoOf(logsClearedMs),
    databases: [{ store: "durable_object", size_bytes: sizeBytes }],
  };
}

export const cleared = (
  type: Cleared["type"],
  nowMs: number,
  deleted: Record<Clearable, number>,
  stores: readonly StoreCleared[],
): Cleared => ({
  status: "cleared",
  type,
  // Model statistics are sums like all others, so they are cleared with the metrics.
  results: {
    metrics_cleared: type !== "logs",
    logs_cleared: type !== "metrics",
    model_stats_reset: type !== "logs",
  },
  cleared_at: isoOf(nowMs),
  stores: [
    {
      store: "durable_object",
      metrics_deleted: deleted.metrics,
      logs_deleted: deleted.logs,
      error: null,
    },
    ...stores.map(({ store, rows, error }) => ({
      store,
      metrics_deleted: rows?.metrics ?? null,
      logs_deleted: rows?.logs ?? null,
      error,
    })),
  ],
});

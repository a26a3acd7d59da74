/** The history as chart columns, and the parameters for each time range. Pure. */
import type { HistoryPoint } from "../../protocol/api/stats.ts";

export const RANGES = ["5m", "15m", "1h", "6h", "24h", "7d", "30d", "90d", "365d"] as const;
export type Range = (typeof RANGES)[number];

/** The finest granularity that gives a readable number of points: 30 to 720. */
export const GRANULARITY: Record<Range, { name: string; seconds: number }> = {
  "5m": { name: "10s", seconds: 10 },
  "15m": { name: "10s", seconds: 10 },
  "1h": { name: "1m", seconds: 60 },
  "6h": { name: "1m", seconds: 60 },
  "24h": { name: "5m", seconds: 300 },
  "7d": { name: "1h", seconds: 3_600 },
  "30d": { name: "1h", seconds: 3_600 },
  "90d": { name: "1d", seconds: 86_400 },
  "365d": { name: "1d", seconds: 86_400 },
};

export const RANGE_NAMES: Record<Range, string> = {
  "5m": "5 minutes",
  "15m": "15 minutes",
  "1h": "hour",
  "6h": "6 hours",
  "24h": "24 hours",
  "7d": "7 days",
  "30d": "30 days",
  "90d": "90 days",
  "365d": "year",
};

/**
 * Returns the selectable ranges. A year requires an external store: the edge alone keeps 90 days
 * and would show the rest as if there had been no requests.
 */
export const rangesOffered = (hasStore: boolean, chosen: Range): Range[] =>
  RANGES.filter((range) => range !== "365d" || hasStore || range === chosen);

/** Returns how often to refetch a range, in ms: 12 times per bucket, and at least once a minute. */
export const everyMsOf = (range: Range): number =>
  Math.min(60_000, (GRANULARITY[range].seconds * 1_000) / 12);

export type Column = (number | null)[];

/** One line of a chart. */
export type Line = {
  name: string;
  values: Column;
  colour: "one" | "two" | "three" | "four" | "bad";
};

export type HistoryColumns = {
  /** Start of each bucket, in Unix seconds. */
  at: number[];
  requests: Column;
  tokens: Column;
  p50: Column;
  p95: Column;
  p99: Column;
  errorPercent: Column;
};

export function columnsOf(points: readonly HistoryPoint[]): HistoryColumns {
  return {
    at: points.map(({ timestamp }) => Date.parse(timestamp) / 1_000),
    requests: points.map((point) => point.requests_per_minute),
    tokens: points.map((point) => point.tokens_per_second),
    p50: points.map((point) => point.latency_p50_ms),
    p95: points.map((point) => point.latency_p95_ms),
    p99: points.map((point) => point.latency_p99_ms),
    // Without requests the rate is unknown, not 0.
    errorPercent: points.map(({ error_rate }) => (error_rate === null ? null : 100 * error_rate)),
  };
}

export const isEmpty = (columns: readonly Column[]): boolean =>
  columns.every((column) => column.every((value) => value === null || value === 0));

/** Returns the last known value. */
export function lastKnown(column: Column): number | null {
  return column.findLast((value) => value !== null) ?? null;
}

/** Describes a chart for screen readers. */
export function summaryOf(
  title: string,
  series: readonly { name: string; values: Column }[],
  format: (value: number) => string,
): string {
  const descriptions = series.map(({ name, values }) => {
    const known = values.filter((value) => value !== null);
    if (known.length === 0) return `${name}: no data`;
    const last = format(known.at(-1) ?? 0);
    const lowest = format(Math.min(...known));
    const highest = format(Math.max(...known));
    return `${name}: last ${last}, lowest ${lowest}, highest ${highest}`;
  });
  return `${title}: ${descriptions.join("; ")}`;
}

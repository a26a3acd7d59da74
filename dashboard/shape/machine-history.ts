/** The history of machines and GPUs as charts and as a table: the range to read, and the buckets to draw. Pure. */
import { type Column, drawnBuckets, type Line, secondsOfRange } from "./history.ts";
import { type PageScope, type Period, periodOf } from "./scope.ts";

/** The ranges that the edge itself keeps samples for. An external store keeps more. */
export const EDGE_RANGES = ["5m", "15m", "1h", "6h", "24h"] as const;
export const HISTORY_RANGES = [...EDGE_RANGES, "7d", "30d"] as const;
export type HistoryRange = (typeof HISTORY_RANGES)[number];

export type HistorySpan = {
  /** The shortest range, up to the present, that contains the time to show. */
  range: HistoryRange;
  /** True if that range is the time to show. */
  isWhole: boolean;
  /** The time to show. */
  period: Period;
  /** True if that time begins before the longest range does. */
  isCut: boolean;
};

/** @param usualSeconds  length of the time to show unless one is chosen */
export function historySpan(
  time: PageScope,
  ranges: readonly HistoryRange[],
  usualSeconds: number,
  nowMs: number,
): HistorySpan {
  const period = periodOf(time, nowMs, usualSeconds);
  const seconds = Math.ceil((nowMs - period.fromMs) / 1_000);
  const range = ranges.find((each) => secondsOfRange(each) >= seconds) ?? ranges.at(-1) ?? "24h";
  const isLive = time.fromMs === null && time.untilMs === null;
  const kept = secondsOfRange(range);
  return { range, isWhole: isLive && kept <= seconds, period, isCut: kept < seconds };
}

/** Buckets of an answer, from the first to before the last. */
export type Cut = { from: number; until: number; isUnfinished: boolean };

/**
 * Returns the buckets that lie in the time to show.
 * @param at  start of each bucket, in Unix seconds
 */
export function cutOf(at: readonly number[], { isWhole, period }: HistorySpan, nowMs: number): Cut {
  const { count, isUnfinished } = drawnBuckets(at, nowMs);
  if (isWhole) return { from: 0, until: count, isUnfinished };
  const step = 1_000 * ((at[1] ?? 0) - (at[0] ?? 0));
  const begins = at.findIndex((second) => 1_000 * second + step > period.fromMs);
  const ends = at.findIndex((second) => 1_000 * second >= period.untilMs);
  const until = ends === -1 ? count : Math.min(count, ends);
  const from = begins === -1 ? until : Math.min(begins, until);
  return { from, until, isUnfinished: isUnfinished && from < until && until === at.length };
}

/** The charts that share their buckets. */
export type Buckets = {
  /** Start of each, in Unix seconds. */
  at: readonly number[];
  stepSeconds: number;
  /** The last one is not over yet. */
  isUnfinished: boolean;
};

export const bucketsOf = (at: readonly number[], { from, until, isUnfinished }: Cut): Buckets => ({
  at: at.slice(from, until),
  stepSeconds: (at[1] ?? 0) - (at[0] ?? 0),
  isUnfinished,
});

export type HistoryChart = {
  title: string;
  buckets: Buckets;
  lines: readonly Line[];
  format: (value: number) => string;
  /** The maximum of the scale, such as 100 for percentages. Follows the data if it is not set. */
  top?: number;
};

export type HistoryRows = {
  heads: string[];
  rows: { at: number; stepSeconds: number; cells: (string | null)[] }[];
};

/** Returns the figures of all charts, a row for each bucket in which something is known. */
export function historyRows(charts: readonly HistoryChart[]): HistoryRows {
  const columns = charts.flatMap(({ title, lines, buckets, format }) =>
    lines.map(({ name, values }) => ({
      head: lines.length === 1 ? title : `${title}, ${name}`,
      format,
      values: new Map(buckets.at.map((at, index) => [at, values[index] ?? null])),
    })),
  );
  const steps = new Map(
    charts.flatMap(({ buckets }) => buckets.at.map((at) => [at, buckets.stepSeconds] as const)),
  );
  const rows = [...steps]
    .toSorted(([a], [b]) => a - b)
    .map(([at, stepSeconds]) => ({
      at,
      stepSeconds,
      cells: columns.map(({ values, format }) => {
        const value = values.get(at) ?? null;
        return value === null ? null : format(value);
      }),
    }));
  return {
    heads: columns.map(({ head }) => head),
    rows: rows.filter(({ cells }) => cells.some((cell) => cell !== null)),
  };
}

/** Returns the bucket of a moment; null if it is outside of them. */
export function bucketAt({ at, stepSeconds }: Buckets, moment: number | null): number | null {
  if (moment === null || stepSeconds <= 0) return null;
  const index = Math.floor((moment - (at[0] ?? 0)) / stepSeconds);
  return index >= 0 && index < at.length ? index : null;
}

export const cutColumn = (values: Column, { from, until }: Cut): Column =>
  values.slice(from, until);

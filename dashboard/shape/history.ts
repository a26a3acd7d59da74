/** The history as chart columns, and the parameters for each time range. Pure. */
import type { SinkHealth } from "../../protocol/api/fleet.ts";
import type { StoreName } from "../../protocol/stores.ts";
import { duration, UNKNOWN } from "./format.ts";
import { type PageScope, secondsOf } from "./scope.ts";

const HOUR_SECONDS = 3_600;

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

/** Returns the length of a range, in seconds. */
export const secondsOfRange = (range: Range): number => secondsOf(range) ?? HOUR_SECONDS;

/** Returns the preset that is shown; null for a fixed period and for any other length. */
export function rangeOfScope({ seconds, fromMs }: PageScope, usual: Range): Range | null {
  if (fromMs !== null) return null;
  if (seconds === null) return usual;
  return RANGES.find((range) => secondsOf(range) === seconds) ?? null;
}

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

const STORES: Record<StoreName, true> = { clickhouse: true, postgres: true };

/** Returns whether the edge can read history from one of these. A collector only takes records. */
export const hasHistory = (sinks: readonly Pick<SinkHealth, "sink">[]): boolean =>
  sinks.some(({ sink }) => sink in STORES);

/**
 * Returns the selectable ranges. A year requires an external store: the edge alone keeps 90 days
 * and would show the rest as if there had been no requests.
 */
export const rangesOffered = (hasStore: boolean, chosen: Range): Range[] =>
  RANGES.filter((range) => range !== "365d" || hasStore || range === chosen);

/** Returns how often to refetch a range, in ms: four times per bucket, and at least once a minute. */
export const everyMsOf = (range: Range): number =>
  Math.min(60_000, (GRANULARITY[range].seconds * 1_000) / 4);

export type Column = (number | null)[];

const unixSeconds = (timestamp: string): number => Date.parse(timestamp) / 1_000;

/**
 * Start of each bucket, in Unix seconds. Buckets are equally long, so three of them are parsed: to parse
 * 10,000 takes longer than to draw them.
 */
export function startsOf(timestamps: readonly string[]): number[] {
  const [first, second] = timestamps;
  const last = timestamps.at(-1);
  if (first === undefined || second === undefined || last === undefined)
    return timestamps.map(unixSeconds);
  const start = unixSeconds(first);
  const step = unixSeconds(second) - start;
  if (start + step * (timestamps.length - 1) !== unixSeconds(last))
    return timestamps.map(unixSeconds);
  return timestamps.map((_, index) => start + step * index);
}

/** One line of a chart. */
export type Line = {
  name: string;
  values: Column;
  colour: "one" | "two" | "three" | "four" | "bad";
  /** A wide line is drawn below the others, so equal values hide neither. */
  isWide?: true;
};

/** The newest bucket is left out until it is this old: before, its figures mean little. */
const UNFINISHED_SECONDS_MIN = 60;

/**
 * Returns how many buckets to draw, and whether the last of them is not over yet.
 *
 * The newest bucket of an answer has just begun. A chart that ended in it would always end in a cliff.
 * Longer ones are drawn before they are over, since a new edge has no other.
 * @param at  start of each bucket, in Unix seconds
 */
export function drawnBuckets(
  at: readonly number[],
  nowMs: number,
): { count: number; isUnfinished: boolean } {
  const newest = at.at(-1);
  if (newest === undefined) return { count: 0, isUnfinished: false };
  const isUnfinished = nowMs / 1_000 - newest >= UNFINISHED_SECONDS_MIN;
  return { count: isUnfinished ? at.length : at.length - 1, isUnfinished };
}

/**
 * Explains the figures beside the titles of charts, which differ from the readings on cards.
 * @param at        start of each bucket, in Unix seconds
 * @param readings  where the page shows the latest readings
 * @returns         null before there are two buckets
 */
export function bucketNote(at: readonly number[], readings: string): string | null {
  const [first, second] = at;
  if (first === undefined || second === undefined) return null;
  const span = duration(1_000 * (second - first));
  return `Each point of a chart covers ${span}. Beside the title are the figures of the last whole ${span}. ${readings}`;
}

/** Returns whether nothing is known. A measured 0 is known. */
export const isUnknown = (columns: readonly Column[]): boolean =>
  columns.every((column) => column.every((value) => value === null));

/** Returns the value of the last bucket that is over: null if it is unknown. */
export const latestOf = (column: Column, isUnfinished: boolean): number | null =>
  column.at(isUnfinished ? -2 : -1) ?? null;

/** Describes a chart for screen readers. */
export function summaryOf(
  title: string,
  series: readonly { name: string; values: Column }[],
  format: (value: number) => string,
  isUnfinished = false,
): string {
  const descriptions = series.map(({ name, values }) => {
    const [lowest, highest] = extremesOf(values);
    if (lowest === null || highest === null) return `${name}: no data`;
    const latest = latestOf(values, isUnfinished);
    const last = latest === null ? UNKNOWN : format(latest);
    return `${name}: last ${last}, lowest ${format(lowest)}, highest ${format(highest)}`;
  });
  return `${title}: ${descriptions.join("; ")}`;
}

/** Returns the lowest and the highest known value in one pass. A chart may have 10,000 values. */
function extremesOf(column: Column): [lowest: number | null, highest: number | null] {
  let lowest: number | null = null;
  let highest: number | null = null;
  for (const value of column) {
    if (value === null) continue;
    if (lowest === null || value < lowest) lowest = value;
    if (highest === null || value > highest) highest = value;
  }
  return [lowest, highest];
}

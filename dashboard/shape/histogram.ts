/** The bars of the histogram over the request list. Pure. */
import type { LogFacets } from "../../protocol/api/log-facets.ts";
import type { Status } from "../../protocol/records.ts";
import { count, duration } from "./format.ts";

type Histogram = LogFacets["histogram"];
export type HistogramBar = Record<Status, number>;

export const requestsOf = ({ success, error, cancelled }: HistogramBar): number =>
  success + error + cancelled;

export function barsOf({ from, bucket_ms, success, error, cancelled }: Histogram): {
  bars: HistogramBar[];
  /** The requests of the highest bar. */
  most: number;
  fromMs: number;
  untilMs: number;
  bucketMs: number;
} {
  const bars = success.map((requests, index) => ({
    success: requests,
    error: error[index] ?? 0,
    cancelled: cancelled[index] ?? 0,
  }));
  const fromMs = Date.parse(from);
  return {
    bars,
    most: Math.max(0, ...bars.map(requestsOf)),
    fromMs,
    untilMs: fromMs + bars.length * bucket_ms,
    bucketMs: bucket_ms,
  };
}

/** Describes the chart for those who cannot see it. */
export function summaryOfBars(histogram: Histogram, before: Histogram | null = null): string {
  const { bars, most, bucketMs } = barsOf(histogram);
  const sum = (status: Status) => bars.reduce((total, bar) => total + bar[status], 0);
  return [
    `Requests over time: ${count(sum("success"))} succeeded`,
    `${count(sum("error"))} failed`,
    `${count(sum("cancelled"))} cancelled`,
    `at most ${count(most)} in ${duration(bucketMs)}`,
    ...(before === null ? [] : [`${count(totalOf(before))} in the period compared with`]),
  ].join(", ");
}

const totalOf = (histogram: Histogram): number =>
  barsOf(histogram).bars.reduce((total, bar) => total + requestsOf(bar), 0);

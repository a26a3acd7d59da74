/** Metrics as OTLP spells them. Pure. */
import type { Histogram } from "../../counting/histogram.ts";
import { type Attribute, type Attributes, attributesOf, nanosOf } from "./data.ts";

/** `AggregationTemporality`: a repeated delivery changes nothing. */
const CUMULATIVE = 2;

type NumberPoint = {
  attributes: Attribute[];
  startTimeUnixNano?: string;
  timeUnixNano: string;
  asDouble: number;
};
type HistogramPoint = {
  attributes: Attribute[];
  startTimeUnixNano: string;
  timeUnixNano: string;
  count: string;
  sum: number;
  bucketCounts: string[];
  explicitBounds: number[];
};
type Described = { name: string; description: string; unit: string };
export type OtlpMetric = Described &
  (
    | { gauge: { dataPoints: NumberPoint[] } }
    | {
        sum: {
          dataPoints: NumberPoint[];
          aggregationTemporality: typeof CUMULATIVE;
          isMonotonic: boolean;
        };
      }
    | {
        histogram: {
          dataPoints: HistogramPoint[];
          aggregationTemporality: typeof CUMULATIVE;
        };
      }
  );

/** `gauge`: a reading. `amount`: a reading whose values add up over series. `counter`: only rises. */
export type NumberType = "gauge" | "amount" | "counter";

export const numberMetric = (
  described: Described,
  type: NumberType,
  dataPoints: NumberPoint[],
): OtlpMetric =>
  type === "gauge"
    ? { ...described, gauge: { dataPoints } }
    : {
        ...described,
        sum: {
          dataPoints,
          aggregationTemporality: CUMULATIVE,
          isMonotonic: type === "counter",
        },
      };

export const histogramMetric = (
  described: Described,
  dataPoints: HistogramPoint[],
): OtlpMetric => ({
  ...described,
  histogram: { dataPoints, aggregationTemporality: CUMULATIVE },
});

export const hasPoints = (metric: OtlpMetric): boolean => {
  if ("gauge" in metric) return metric.gauge.dataPoints.length > 0;
  return ("sum" in metric ? metric.sum : metric.histogram).dataPoints.length > 0;
};

/** @param sinceMs  when counting began; null for a reading */
export const numberPoint = (
  attributes: Attributes,
  value: number,
  atMs: number,
  sinceMs: number | null = null,
): NumberPoint => ({
  attributes: attributesOf(attributes),
  ...(sinceMs === null ? {} : { startTimeUnixNano: nanosOf(sinceMs) }),
  timeUnixNano: nanosOf(atMs),
  asDouble: value,
});

/**
 * Our buckets include their upper bound, as those of OTLP do.
 * @param perSecond  how many of the histogram's units are a second
 */
export const histogramPoint = (
  attributes: Attributes,
  { edges, counts, count, sum }: Histogram,
  { perSecond, atMs, sinceMs }: { perSecond: number; atMs: number; sinceMs: number },
): HistogramPoint => ({
  attributes: attributesOf(attributes),
  startTimeUnixNano: nanosOf(sinceMs),
  timeUnixNano: nanosOf(atMs),
  count: String(count),
  sum: sum / perSecond,
  bucketCounts: counts.map(String),
  explicitBounds: edges.map((edge) => edge / perSecond),
});

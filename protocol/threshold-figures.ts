/**
 * The figures that thresholds are for: their names, units, and the narrowest thing that a rule can be about.
 *
 * The page reads this table, so it imports no zod. The compiler holds it against `concerns.ts`. Pure.
 */
import type { Thresholds } from "./concerns/definition.ts";
import type { CONCERNS, ConcernCode } from "./concerns.ts";

/** The concerns that a figure raises. */
export type ThresholdCode = {
  [Code in ConcernCode]: (typeof CONCERNS)[Code]["severity"] extends { above: Thresholds }
    ? Code
    : never;
}[ConcernCode];

type Place<Subject> = Subject extends "model"
  ? "model"
  : Subject extends "box" | "gpu"
    ? "box"
    : "everywhere";

export type ThresholdUnit =
  | "part of the requests, 0 to 1"
  | "percent"
  | "ms at P95"
  | "ms"
  | "°C"
  | "requests"
  | "records";

export const THRESHOLD_FIGURES = {
  error_rate_high: {
    name: "Error rate",
    unit: "part of the requests, 0 to 1",
    place: "everywhere",
  },
  latency_high: { name: "Latency", unit: "ms at P95", place: "everywhere" },
  queue_long: { name: "Queue", unit: "requests", place: "everywhere" },
  model_errors_high: {
    name: "Error rate of a model",
    unit: "part of the requests, 0 to 1",
    place: "model",
  },
  model_latency_high: { name: "Latency of a model", unit: "ms at P95", place: "model" },
  gpu_hot: { name: "GPU temperature", unit: "°C", place: "box" },
  gpu_bypassed: { name: "GPU busy without a request", unit: "percent", place: "box" },
  disk_filling: { name: "Disk used", unit: "percent", place: "box" },
  clock_skew: { name: "Clock of a box wrong by", unit: "ms", place: "box" },
  records_unsent: { name: "Unsent records of a box", unit: "records", place: "box" },
  store_behind: { name: "Records waiting for a store", unit: "records", place: "everywhere" },
} as const satisfies {
  [Code in ThresholdCode]: {
    name: string;
    unit: ThresholdUnit;
    place: Place<(typeof CONCERNS)[Code]["subject"]>;
  };
};

export const THRESHOLD_CODES = Object.keys(THRESHOLD_FIGURES) as ThresholdCode[];

import { expect, test } from "vitest";
import {
  bucketNote,
  drawnBuckets,
  hasHistory,
  isUnknown,
  latestOf,
  RANGES,
  rangesOffered,
  summaryOf,
} from "../../../../dashboard/shape/history.ts";

test("offers a year only with an external store or if it is already chosen", () => {
  expect(rangesOffered(false, "1h")).not.toContain("365d");
  expect(rangesOffered(true, "1h")).toEqual(RANGES);
  expect(rangesOffered(false, "365d")).toContain("365d");
});

test("describes a chart as text, with the last value only if it is known", () => {
  const ms = (value: number) => `${value} ms`;
  expect(summaryOf("Latency", [{ name: "P50", values: [1, null, 3] }], ms)).toBe(
    "Latency: P50: last 3 ms, lowest 1 ms, highest 3 ms",
  );
  expect(summaryOf("Latency", [{ name: "P50", values: [1, 3, null] }], ms)).toBe(
    "Latency: P50: last –, lowest 1 ms, highest 3 ms",
  );
  expect(summaryOf("Latency", [{ name: "P50", values: [1, 3] }], ms, true)).toBe(
    "Latency: P50: last 1 ms, lowest 1 ms, highest 3 ms",
  );
  expect(summaryOf("Latency", [{ name: "P50", values: [null] }], String)).toBe(
    "Latency: P50: no data",
  );
});

test("treats a measured 0 as known", () => {
  expect([isUnknown([[null, 0]]), isUnknown([[null, null], [null]]), isUnknown([])]).toEqual([
    false,
    true,
    true,
  ]);
});

test("leaves out a bucket that has just begun, and marks an older one as unfinished", () => {
  const hours = [0, 3_600];
  expect(drawnBuckets(hours, 3_600_000 + 59_000)).toEqual({ count: 1, isUnfinished: false });
  expect(drawnBuckets(hours, 3_600_000 + 60_000)).toEqual({ count: 2, isUnfinished: true });
  expect(drawnBuckets([], 0)).toEqual({ count: 0, isUnfinished: false });
  expect([latestOf([1, 2], false), latestOf([1, 2], true), latestOf([], false)]).toEqual([
    2,
    1,
    null,
  ]);
});

test("explains what a chart shows, once it has two buckets", () => {
  expect(bucketNote([60], "The cards show the latest readings.")).toBeNull();
  expect(bucketNote([60, 120, 180], "The cards show the latest readings.")).toBe(
    "Each point of a chart covers 1\u202fmin. Beside the title are the figures of the last whole 1\u202fmin. The cards show the latest readings.",
  );
});

test("only an external store has history, not a collector", () => {
  expect(hasHistory([{ sink: "otlp_traces" }, { sink: "otlp_metrics" }])).toBe(false);
  expect(hasHistory([{ sink: "otlp_traces" }, { sink: "postgres" }])).toBe(true);
});

import { expect, test } from "vitest";
import {
  bucketNote,
  columnsOf,
  drawnBuckets,
  hasHistory,
  isUnknown,
  latestOf,
  RANGES,
  rangesOffered,
  summaryOf,
} from "../../../../dashboard/shape/history.ts";
import type { HistoryPoint } from "../../../../protocol/api/stats.ts";

const START = Date.parse("2026-11-24T12:00:00.000Z");
const MINUTE_MS = 60_000;

const pointOf = (minute: number, rest: Partial<HistoryPoint>): HistoryPoint => ({
  timestamp: new Date(START + minute * MINUTE_MS).toISOString(),
  requests_per_minute: 0,
  tokens_per_second: 0,
  avg_latency_ms: null,
  error_rate: null,
  requests: 0,
  errors: 0,
  cancelled: 0,
  resumes: 0,
  tokens: 0,
  prompt_tokens: 0,
  latency_p50_ms: null,
  latency_p95_ms: null,
  latency_p99_ms: null,
  ttft_p50_ms: null,
  ttft_p95_ms: null,
  ...rest,
});

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

test("ends the columns with the last bucket that is over", () => {
  const metrics = [
    pointOf(0, { requests: 60, requests_per_minute: 60, tokens_per_second: 35.6 }),
    pointOf(1, { requests: 0, requests_per_minute: 0 }),
  ];
  const columns = columnsOf({ metrics, since: null }, START + MINUTE_MS + 1_000);
  expect([columns.at.length, columns.requests, columns.tokens]).toEqual([1, [60], [35.6]]);
  expect(columnsOf({ metrics: [], since: null }, START).at).toEqual([]);
});

test("leaves buckets without requests unknown before counting began, and 0 after", () => {
  const metrics = [
    pointOf(0, {}),
    pointOf(1, { requests: 4, requests_per_minute: 4 }),
    pointOf(2, {}),
    pointOf(3, {}),
    pointOf(4, {}),
    pointOf(5, {}),
  ];
  const since = new Date(START + 3.5 * MINUTE_MS).toISOString();
  const { requests, tokens } = columnsOf({ metrics, since }, START + 5 * MINUTE_MS);
  expect(requests).toEqual([null, 4, null, null, 0]);
  expect(tokens).toEqual([null, 0, null, null, 0]);
  const earlier = new Date(START - MINUTE_MS).toISOString();
  expect(columnsOf({ metrics, since: earlier }, START).requests).toEqual([0, 4, 0, 0, 0]);
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

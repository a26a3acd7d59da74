import { expect, test } from "vitest";
import { HistoryPoint, HistoryQuery } from "../../../../protocol/api/stats.ts";
import { endOf, piecesOf, spanOf } from "../../../../worker/answers/history.ts";
import { Cell } from "../../../../worker/counting/cell.ts";
import { historyOf } from "../../../support/history.ts";
import { recordOf } from "../../../support/records.ts";

/** 10 s into a minute, 4 min 10 s into a five-minute bucket. */
const NOW = Date.parse("2026-11-01T10:04:10.000Z");
const second = (time: string): number => Date.parse(`2026-11-01T${time}Z`) / 1_000;
const queryOf = (rest: Record<string, unknown> = {}) => HistoryQuery.parse(rest);

test("an hour in steps of five minutes has twelve aligned buckets, the newest last", () => {
  const points = pointsOf({}, NOW, []).map((point) => HistoryPoint.parse(point));
  expect(points.map(({ timestamp }) => timestamp).slice(-2)).toEqual([
    "2026-11-01T09:55:00.000Z",
    "2026-11-01T10:00:00.000Z",
  ]);
  expect(points).toHaveLength(12);
  expect(points[0]).toMatchObject({
    requests: 0,
    requests_per_minute: 0,
    avg_latency_ms: null,
    error_rate: null,
    latency_p95_ms: null,
  });
});

test("a bucket sums its minutes, and its percentiles cover all of them", () => {
  const points = pointsOf({}, NOW, [
    { at: second("09:55:00"), cell: cellOf(2) },
    { at: second("09:59:00"), cell: cellOf(3, { latency_ms: 10_000 }) },
    { at: second("09:59:00"), cell: cellOf(3, { status: "error", latency_ms: 1 }) },
    { at: second("08:00:00"), cell: cellOf(100) }, // before the span
  ]);
  const point = points.at(-2);
  expect(point).toMatchObject({
    requests: 8,
    errors: 3,
    error_rate: 0.375,
    tokens: 800,
    prompt_tokens: 160,
    requests_per_minute: 1.6,
    avg_latency_ms: 6_500,
  });
  expect(point?.tokens_per_second).toBe(2.67);
  expect((point?.latency_p95_ms ?? 0) / 10_000).toBeCloseTo(1, 2);
  expect((point?.latency_p50_ms ?? 0) / 10_000).toBeCloseTo(1, 2);
});

test("rates of the newest bucket cover its elapsed part", () => {
  const points = pointsOf({ granularity: "1m" }, NOW, [
    { at: second("10:04:00"), cell: cellOf(5) },
  ]);
  expect(points.at(-1)).toMatchObject({
    requests: 5,
    requests_per_minute: 30,
    tokens_per_second: 50,
  });
});

test("rates of a bucket in its first instant cover one second", () => {
  const points = pointsOf({ granularity: "1m" }, second("10:04:00") * 1_000, [
    { at: second("10:04:00"), cell: cellOf(1) },
  ]);
  expect(points.at(-1)?.requests_per_minute).toBe(60);
});

test.each([
  ["1h", "1m", 60],
  ["6h", "5m", 72],
  ["24h", "1h", 24],
  ["7d", "5m", 2_016],
  ["90d", "1h", 2_160],
  ["1h", "1d", 1],
])(
  "%s in steps of %s is %d buckets, the last of which is now",
  (time_range, granularity, buckets) => {
    const span = spanOf(queryOf({ time_range, granularity }), NOW);
    expect(span.buckets).toBe(buckets);
    expect(span.from % span.granularity).toBe(0);
    expect(endOf(span)).toBeGreaterThan(NOW / 1_000);
    expect(endOf(span) - span.granularity).toBeLessThanOrEqual(NOW / 1_000);
  },
);

test.each([
  ["nothing", {}, "1h", "5m"],
  ["a day", { time_range: "24h" }, "24h", "5m"],
  ["a week", { time_range: "7d" }, "7d", "1h"],
  ["30 days", { time_range: "30d" }, "30d", "1h"],
  ["90 days", { time_range: "90d" }, "90d", "1d"],
  ["36 hours", { hours: "36" }, "36h", "5m"],
  ["100 hours", { hours: "100" }, "100h", "1h"],
  ["90 days in hours", { hours: "2160" }, "2160h", "1d"],
])("a query with only %s gets defaults for the rest", (_name, query, time_range, granularity) => {
  expect(queryOf(query)).toMatchObject({ time_range, granularity });
});

test.each([
  ["an unknown range", { time_range: "2h" }, /time_range/],
  ["both ranges", { time_range: "1h", hours: "1" }, /not both/],
  ["no hours", { hours: "0" }, /hours/],
  ["half an hour", { hours: "0.5" }, /hours/],
  ["too many hours", { hours: "8761" }, /hours/],
  ["hours that are not a number", { hours: "many" }, /hours/],
  ["an unknown granularity", { granularity: "2m" }, /granularity/],
  ["too many points", { time_range: "7d", granularity: "1m" }, /at most 2200 points/],
  ["an invalid box name", { box: "a b" }, /box/],
  ["a model without a name", { model: "" }, /model/],
  ["an unknown field", { granularty: "1h" }, /granularty/],
])("a query with %s is rejected with the reason", (_name, query, reason) => {
  expect(() => queryOf(query)).toThrow(reason);
});

test("an export can have more points than a chart", () => {
  expect(queryOf({ time_range: "7d", granularity: "1m", format: "csv" }).seconds).toBe(7 * 86_400);
});

test("the pieces of a span add up to the span", () => {
  const span = spanOf(queryOf({ time_range: "7d", granularity: "5m" }), NOW);
  const pieces = [...piecesOf(span, 500)];
  expect(pieces.map(({ buckets }) => buckets)).toEqual([500, 500, 500, 500, 16]);
  expect(pieces[0]?.from).toBe(span.from);
  for (const [index, piece] of pieces.entries())
    expect(pieces[index + 1]?.from ?? endOf(span)).toBe(endOf(piece));
});

const pointsOf = (
  query: Record<string, unknown>,
  nowMs: number,
  rollups: Parameters<typeof historyOf>[2],
) => historyOf(spanOf(queryOf(query), nowMs), nowMs, rollups);

function cellOf(requests: number, rest: Parameters<typeof recordOf>[1] = {}): Cell {
  const cell = new Cell();
  for (let i = 0; i < requests; i++) cell.add(recordOf(NOW, rest), NOW);
  return cell;
}

import { expect, test } from "vitest";
import { History, HistoryQuery } from "../../protocol/api.ts";
import { Cell } from "../../worker/cell.ts";
import { endOf, historyOf, spanOf } from "../../worker/history.ts";
import { recordOf } from "../support/records.ts";

/** 10 s into a minute, 4 min 10 s into a five-minute bucket. */
const NOW = Date.parse("2026-11-01T10:04:10.000Z");
const second = (time: string): number => Date.parse(`2026-11-01T${time}Z`) / 1_000;
const queryOf = (rest: Record<string, unknown> = {}) => HistoryQuery.parse(rest);

test("an hour in five minutes is twelve buckets, empty ones too, aligned, the newest last", () => {
  const history = History.parse(historyOf(queryOf(), NOW, []));
  expect(history.metrics.map(({ timestamp }) => timestamp).slice(-2)).toEqual(["2026-11-01T09:55:00.000Z", "2026-11-01T10:00:00.000Z"]);
  expect(history.metrics).toHaveLength(12);
  expect(history.metrics[0]).toMatchObject({
    requests: 0,
    requests_per_minute: 0,
    avg_latency_ms: null,
    error_rate: null,
    latency_p95_ms: null,
  });
});

test("minutes are summed into their bucket, and percentiles come from all of them", () => {
  const history = historyOf(queryOf(), NOW, [
    { at: second("09:55:00"), cell: cellOf(2) },
    { at: second("09:59:00"), cell: cellOf(3, { status: "error", latency_ms: 10_000 }) },
    { at: second("08:00:00"), cell: cellOf(100) }, // before the span
  ]);
  const point = history.metrics.at(-2);
  expect(point).toMatchObject({ requests: 5, errors: 3, error_rate: 0.6, tokens: 600, requests_per_minute: 1, avg_latency_ms: 6_500 });
  expect(point?.tokens_per_second).toBe(1.67);
  expect((point?.latency_p95_ms ?? 0) / 10_000).toBeCloseTo(1, 2);
  expect((point?.latency_p50_ms ?? 0) / 10_000).toBeCloseTo(1, 2);
});

test("rates of the newest bucket are over the part that is over", () => {
  const history = historyOf(queryOf({ granularity: "1m" }), NOW, [{ at: second("10:04:00"), cell: cellOf(5) }]);
  expect(history.metrics.at(-1)).toMatchObject({ requests: 5, requests_per_minute: 30, tokens_per_second: 50 });
});

test("in its first instant, over one second", () => {
  const history = historyOf(queryOf({ granularity: "1m" }), second("10:04:00") * 1_000, [{ at: second("10:04:00"), cell: cellOf(1) }]);
  expect(history.metrics.at(-1)?.requests_per_minute).toBe(60);
});

test.each([
  ["1h", "1m", 60],
  ["6h", "5m", 72],
  ["24h", "1h", 24],
  ["7d", "5m", 2_016],
  ["90d", "1h", 2_160],
  ["1h", "1d", 1],
])("%s in steps of %s is %d buckets, the last of which is now", (time_range, granularity, buckets) => {
  const span = spanOf(queryOf({ time_range, granularity }), NOW);
  expect(span.buckets).toBe(buckets);
  expect(span.from % span.granularity).toBe(0);
  expect(endOf(span)).toBeGreaterThan(NOW / 1_000);
  expect(endOf(span) - span.granularity).toBeLessThanOrEqual(NOW / 1_000);
});

function cellOf(requests: number, rest: Parameters<typeof recordOf>[1] = {}): Cell {
  const cell = new Cell();
  for (let i = 0; i < requests; i++) cell.add(recordOf(NOW, rest), NOW);
  return cell;
}

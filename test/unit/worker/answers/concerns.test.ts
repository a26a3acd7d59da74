import { describe, expect, test } from "vitest";
import type { SinkHealth } from "../../../../protocol/api/fleet.ts";
import type { Live } from "../../../../protocol/api/live.ts";
import { CONCERNS } from "../../../../protocol/concerns.ts";
import { degrades, type StoreReport } from "../../../../worker/answers/concerns.ts";
import { boxOf, liveOf } from "../../dashboard/live.ts";
import { concernsWith, HOUR_MS, NOW, summariesWith } from "./concerns-scene.ts";

const RECENT: [figures: Partial<Live["recent"]>, expected: string[]][] = [
  [{ requests: 50, errors: 0, error_rate: 0, latency_p95_ms: 3_000 }, []],
  [{ requests: 0, errors: 0, error_rate: null, latency_p95_ms: null }, []],
  [{ requests: 9, errors: 9, error_rate: 1, latency_p95_ms: 4_000 }, []],
  [{ requests: 100, errors: 1, error_rate: 0.01 }, []],
  [
    { requests: 100, errors: 2, error_rate: 0.02 },
    [
      "warning error_rate_high: Error rate is 2 % over the last 5 minutes: 2 of 100 requests failed",
    ],
  ],
  [
    { requests: 10, errors: 1, error_rate: 0.1 },
    [
      "warning error_rate_high: Error rate is 10 % over the last 5 minutes: 1 of 10 requests failed",
    ],
  ],
  [
    { requests: 40, errors: 8, error_rate: 0.2 },
    [
      "critical error_rate_high: Error rate is 20 % over the last 5 minutes: 8 of 40 requests failed",
    ],
  ],
  [
    { requests: 10, latency_p95_ms: 4_200 },
    ["warning latency_high: Latency is 4.2 s at P95 over the last 5 minutes"],
  ],
];

test.each(RECENT)("the last minutes with %j", (figures, expected) => {
  expect(summariesWith({ recent: { ...liveOf({}).recent, ...figures } })).toEqual(expected);
});

test("four waiting requests are no concern, five are", () => {
  expect(summariesWith({ queueDepth: 4 })).toEqual([]);
  expect(summariesWith({ queueDepth: null })).toEqual([]);
  expect(summariesWith({ queueDepth: 5 })).toEqual([
    "warning queue_long: Queue has 5 waiting requests",
  ]);
});

test("instrumentation that is off has its own code and degrades the edge", () => {
  const [concern, ...others] = concernsWith({ isRecording: false });
  expect(others).toEqual([]);
  expect(concern).toEqual({
    code: "recording_off",
    severity: "warning",
    subject: { kind: "edge" },
    since: null,
    params: {},
  });
  expect(concern !== undefined && degrades(concern)).toBe(true);
});

test("an edge without a box, and one whose repository cannot be reached", () => {
  expect(summariesWith({ boxes: [] })).toEqual(["warning no_box: No box is known"]);
  expect(summariesWith({ repositoryError: "answered HTTP 503" })).toEqual([
    "warning repository_stale: Model repository cannot be changed and may be out of date: postgres answered HTTP 503",
  ]);
});

const storeOf = (
  health: Partial<SinkHealth>,
  rest: Partial<Omit<StoreReport, "health">> = {},
): StoreReport => ({
  health: {
    sink: "clickhouse",
    state: "ok",
    backlog: 0,
    last_success: null,
    last_error: null,
    next_attempt: null,
    delivered: 0,
    dropped: 0,
    set_aside: 0,
    clearing: false,
    ...health,
  },
  lastDroppedMs: null,
  lastRefused: null,
  ...rest,
});

const STORES: [name: string, store: StoreReport, expected: string[]][] = [
  ["is healthy", storeOf({ backlog: 10_000 }), []],
  [
    "is behind",
    storeOf({ backlog: 10_001 }),
    ["warning store_behind: clickhouse is behind by 10001 records"],
  ],
  [
    "is failing",
    storeOf({
      sink: "postgres",
      state: "failing",
      backlog: 12_345,
      last_success: "2026-11-24T11:00:00.000Z",
      last_error: { at: "2026-11-24T11:59:00.000Z", message: "answered HTTP 502" },
    }),
    [
      "critical store_failing: postgres answered HTTP 502; 12345 unsent records, last success at 2026-11-24T11:00:00.000Z",
    ],
  ],
  [
    "is failing and still holds what was cleared",
    storeOf({ state: "failing", backlog: 1, clearing: true }),
    [
      "critical store_failing: clickhouse failed; 1 unsent record",
      "warning store_not_cleared: clickhouse is not cleared yet: the deleted data is still there",
    ],
  ],
  ["is being cleared", storeOf({ clearing: true }), []],
  [
    "dropped records a moment less than a day ago",
    storeOf({ dropped: 7 }, { lastDroppedMs: NOW - 24 * HOUR_MS + 1 }),
    ["critical records_dropped: clickhouse did not receive 7 records: the outbox was full"],
  ],
  ["dropped records a day ago", storeOf({ dropped: 7 }, { lastDroppedMs: NOW - 24 * HOUR_MS }), []],
  [
    "refused a record",
    storeOf({ set_aside: 1 }, { lastRefused: { at_ms: NOW - 1, message: "request 1: too long" } }),
    [
      "warning records_refused: clickhouse refused 1 record because of the content, most recently request 1: too long",
    ],
  ],
  [
    "refused a record a day ago",
    storeOf({ set_aside: 1 }, { lastRefused: { at_ms: NOW - 24 * HOUR_MS, message: "" } }),
    [],
  ],
];

test.each(STORES)("an external store that %s", (_name, store, expected) => {
  expect(summariesWith({ stores: [store] })).toEqual(expected);
});

test("critical concerns come first, and keep their order otherwise", () => {
  const boxes = [
    boxOf({ name: "a", spooled: 900 }),
    boxOf({ name: "b", state: "down" }),
    boxOf({ name: "c", lost: 1 }),
  ];
  expect(
    concernsWith({ boxes, queueDepth: 9 }).map(({ code, severity }) => `${severity} ${code}`),
  ).toEqual([
    "critical box_down",
    "critical records_lost",
    "warning records_unsent",
    "warning queue_long",
  ]);
});

describe("the status of /api/health", () => {
  test("is degraded by the same conditions as in 0.1.0 and by a lost GPU, and never by advice about capacity", () => {
    const codes = Object.entries(CONCERNS).flatMap(([code, { degrades }]) =>
      degrades ? [code] : [],
    );
    expect(codes).toEqual([
      "no_box",
      "recording_off",
      "box_down",
      "ollama_unreachable",
      "clock_skew",
      "records_lost",
      "gpu_lost",
      "store_failing",
      "store_not_cleared",
      "records_dropped",
      "records_refused",
      "repository_stale",
    ]);
  });
});

test("names each box whose records were not trusted in the last day, with the last reason", () => {
  const count = (box: string, reason: "seal" | "values", records: number, agoMs: number) => ({
    box,
    reason,
    records,
    last_at_ms: NOW - agoMs,
  });
  expect(
    summariesWith({
      untrusted: [
        count("atlas", "values", 2, 2 * HOUR_MS),
        count("atlas", "seal", 1, HOUR_MS),
        count("basil", "seal", 9, 25 * HOUR_MS),
      ],
    }),
  ).toEqual([
    "warning records_untrusted: Box atlas reported 3 records that cannot be trusted, most recently at 2026-11-24T11:00:00.000Z with a seal that does not match",
  ]);
});

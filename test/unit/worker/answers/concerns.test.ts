import { describe, expect, test } from "vitest";
import type { SinkHealth } from "../../../../protocol/api/fleet.ts";
import type { Live, LiveBox } from "../../../../protocol/api/live.ts";
import { Concern } from "../../../../protocol/concern.ts";
import { CONCERNS } from "../../../../protocol/concerns.ts";
import {
  concernsOf,
  degrades,
  type Observed,
  type StoreReport,
  sentenceOf,
} from "../../../../worker/answers/concerns.ts";
import { boxOf, gpuOf, liveOf } from "../../dashboard/live.ts";

const NOW = Date.parse("2026-11-24T12:00:00Z");
const HOUR_MS = 3_600_000;

const concernsWith = (observed: Partial<Observed>): Concern[] =>
  concernsOf({
    boxes: [boxOf({})],
    recent: liveOf({}).recent,
    queueDepth: 0,
    isRecording: true,
    stores: [],
    repositoryError: null,
    nowMs: NOW,
    ...observed,
  });

/** `critical box_down Box atlas is down`, for every concern, after a check against the schema. */
const summariesWith = (observed: Partial<Observed>): string[] =>
  concernsWith(observed).map((concern) => {
    expect(Concern.parse(concern)).toEqual(concern);
    return `${concern.severity} ${concern.code}: ${sentenceOf(concern)}`;
  });

const modelOf = (share: number | null): LiveBox["loaded"][number] => ({
  name: "big",
  size_bytes: 8e9,
  size_vram_bytes: share === null ? null : 8e9 * share,
  context_length: null,
  expires_at: null,
  gpu_share: share,
});
const systemOf = (usedPercent: number | null): LiveBox["system"] => ({
  at: "2026-11-24T12:00:00.000Z",
  cpu_percent: 10,
  cpu_count_logical: 8,
  load_1m: 1,
  memory_total_bytes: 64e9,
  memory_used_bytes: 8e9,
  disk_path: "/",
  disk_total_bytes: 1_000,
  disk_used_bytes: usedPercent === null ? null : 10 * usedPercent,
  in_flight: 0,
  queued: 0,
});

const BOXES: [name: string, box: Partial<LiveBox>, expected: string[]][] = [
  ["is healthy", {}, []],
  [
    "is down, which hides its other concerns",
    { state: "down", last_seen: "2026-11-24T11:58:00.000Z", lost: 3, clock_skew_ms: HOUR_MS },
    ["critical box_down: Box atlas has been down since 2026-11-24T11:58:00.000Z"],
  ],
  [
    "has been down for an unknown time",
    { state: "down", last_seen: null },
    ["critical box_down: Box atlas is down"],
  ],
  [
    "is draining",
    { state: "draining", in_flight: 3 },
    ["warning box_draining: Box atlas accepts no new requests and is finishing 3"],
  ],
  [
    "has lost its Ollama",
    { ollama_reachable: false, ollama_error: "ECONNREFUSED" },
    ["critical ollama_unreachable: Box atlas cannot reach its Ollama: ECONNREFUSED"],
  ],
  ["has not polled its Ollama yet", { ollama_reachable: null }, []],
  ["has a GPU at 85 °C", { gpus: [gpuOf({ temperature_c: 85 })] }, []],
  [
    "has a GPU at 86 °C",
    { gpus: [gpuOf({ temperature_c: 86 })] },
    ["warning gpu_hot: GPU 0 of atlas is at 86 °C"],
  ],
  [
    "has a GPU at 90 °C",
    { gpus: [gpuOf({ temperature_c: 90 })] },
    ["warning gpu_hot: GPU 0 of atlas is at 90 °C"],
  ],
  [
    "has a second GPU at 91 °C",
    { gpus: [gpuOf({}), gpuOf({ index: 1, temperature_c: 91 })] },
    ["critical gpu_hot: GPU 1 of atlas is at 91 °C"],
  ],
  ["has a GPU of unknown temperature", { gpus: [gpuOf({ temperature_c: null })] }, []],
  [
    "has a GPU that is throttled by heat",
    { gpus: [gpuOf({ throttle_reasons: ["sw_power_cap", "sw_thermal_slowdown"] })] },
    ["warning gpu_throttled: GPU 0 of atlas is throttled: sw thermal slowdown"],
  ],
  [
    "has a GPU at its power cap, which is normal",
    { gpus: [gpuOf({ throttle_reasons: ["sw_power_cap", "gpu_idle"] })] },
    [],
  ],
  ["has a GPU with unknown throttle reasons", { gpus: [gpuOf({ throttle_reasons: null })] }, []],
  [
    "runs a model partly on the CPU",
    { loaded: [modelOf(0.75)] },
    ["warning model_on_cpu: big on atlas runs 25 % on the CPU (2 GB)"],
  ],
  ["runs a model on the GPU", { loaded: [modelOf(1), modelOf(null)] }, []],
  ["has a disk that is 90 % full", { system: systemOf(90) }, []],
  [
    "has a disk that is 92 % full",
    { system: systemOf(92) },
    ["warning disk_filling: Box atlas has a disk that is 92 % full"],
  ],
  [
    "has a disk that is 98 % full",
    { system: systemOf(98) },
    ["critical disk_filling: Box atlas has a disk that is 98 % full"],
  ],
  ["has a disk of unknown use", { system: systemOf(null) }, []],
  ["has 500 unsent records", { spooled: 500 }, []],
  [
    "has 501 unsent records",
    { spooled: 501 },
    ["warning records_unsent: Box atlas has 501 unsent records"],
  ],
  ["has a clock that is 29 s ahead", { clock_skew_ms: 29_000 }, []],
  ["has a clock that is exactly 30 s ahead", { clock_skew_ms: 30_000 }, []],
  ["has a clock that is exactly 30 s behind", { clock_skew_ms: -30_000 }, []],
  [
    "has a clock that is more than 30 s ahead",
    { clock_skew_ms: 30_001 },
    ["warning clock_skew: Box atlas has a clock that is 30 s ahead: turn on time synchronization"],
  ],
  [
    "has a clock that is more than 30 s behind",
    { clock_skew_ms: -30_001 },
    ["warning clock_skew: Box atlas has a clock that is 30 s behind: turn on time synchronization"],
  ],
  [
    "has a clock that is 90 days behind",
    { clock_skew_ms: -90 * 24 * HOUR_MS },
    [
      "warning clock_skew: Box atlas has a clock that is 7776000 s behind: turn on time synchronization",
    ],
  ],
  [
    "has lost records",
    { lost: 1_234 },
    [
      "critical records_lost: Box atlas has lost the records of 1234 requests: check the disk and permissions of its state folder",
    ],
  ],
  ["has an agent that does not report losses", { lost: null }, []],
];

test.each(BOXES)("a box that %s", (_name, box, expected) => {
  expect(summariesWith({ boxes: [boxOf(box)] })).toEqual(expected);
});

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
    ["warning latency_high: Latency is 4 s at P95 over the last 5 minutes"],
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
  expect(summariesWith({ boxes: [] })).toEqual(["warning no_box: No box has ever connected"]);
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
  test("is degraded by the same conditions as in 0.1.0, and never by advice about capacity", () => {
    const codes = Object.entries(CONCERNS).flatMap(([code, { degrades }]) =>
      degrades ? [code] : [],
    );
    expect(codes).toEqual([
      "no_box",
      "box_down",
      "ollama_unreachable",
      "clock_skew",
      "records_lost",
      "recording_off",
      "store_failing",
      "store_not_cleared",
      "records_dropped",
      "records_refused",
      "repository_stale",
    ]);
  });
});

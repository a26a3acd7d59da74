import { expect, test } from "vitest";
import { concernsOf } from "../../../dashboard/shape/attention.ts";
import type { SinkHealth } from "../../../protocol/api/fleet.ts";
import type { Live, LiveBox } from "../../../protocol/api/live.ts";
import { boxOf, gpuOf, liveOf } from "./live.ts";

const NOW = Date.parse("2026-11-24T12:00:00Z");
const saidOf = (live: Live) =>
  concernsOf(live, NOW, { sizes: "binary", temperature: "celsius" }).map(
    ({ severity, subject, why }) => `${severity} ${subject}: ${why.replaceAll("\u202f", " ")}`,
  );
const sink = (rest: Partial<SinkHealth>): SinkHealth => ({
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
  ...rest,
});

const BOXES: [what: string, box: Partial<LiveBox>, said: string[]][] = [
  ["well", {}, []],
  [
    "down",
    { state: "down", last_seen: "2026-11-24T11:58:00.000Z", gpus: [] },
    ["bad atlas: has been down for 2 min"],
  ],
  [
    "draining",
    { state: "draining", in_flight: 3 },
    ["warn atlas: takes no new requests; 3 are being finished"],
  ],
  [
    "without its Ollama",
    { ollama_reachable: false, ollama_error: "ECONNREFUSED" },
    ["bad atlas: Ollama does not answer: ECONNREFUSED"],
  ],
  ["warm", { gpus: [gpuOf({ temperature_c: 84 })] }, ["warn atlas: GPU is at 84 °C"]],
  [
    "hot, the second GPU",
    { gpus: [gpuOf({}), gpuOf({ index: 1, temperature_c: 91 })] },
    ["bad atlas: GPU 1 is at 91 °C"],
  ],
  [
    "throttled",
    { gpus: [gpuOf({ throttle_reasons: ["sw_thermal_slowdown"] })] },
    ["warn atlas: GPU is slowed down: sw thermal slowdown"],
  ],
  [
    "at its power cap, which is normal",
    { gpus: [gpuOf({ throttle_reasons: ["sw_power_cap", "gpu_idle"] })] },
    [],
  ],
  [
    "with a model partly on the CPU",
    {
      loaded: [
        {
          name: "big",
          size_bytes: 8 * 1_024 ** 3,
          size_vram_bytes: 6 * 1_024 ** 3,
          context_length: null,
          expires_at: null,
          gpu_share: 0.75,
        },
      ],
    },
    ["warn atlas: big runs partly on the CPU: 25 %, 2 GiB"],
  ],
  [
    "with records that wait",
    { spooled: 1_200 },
    ["warn atlas: 1,200 finished requests wait to be counted"],
  ],
  [
    "with a wrong clock",
    { clock_skew_ms: -90_000 },
    ["warn atlas: its clock is 1 min 30 s behind: switch on its time sync"],
  ],
  ["with a clock that is a moment off", { clock_skew_ms: 4_999 }, []],
  [
    "with records lost",
    { lost: 1_234 },
    [
      "bad atlas: has lost the records of 1,234 requests: its agent cannot write its state folder; see the disk and its rights",
    ],
  ],
  ["whose losses are unknown", { lost: null }, []],
];

test.each(BOXES)("a box that is %s", (_what, box, said) =>
  expect(saidOf(liveOf({ boxes: [boxOf(box)] }))).toEqual(said),
);

const recent = (rest: Partial<Live["recent"]>): Live["recent"] => ({
  ...liveOf({}).recent,
  ...rest,
});

test.each([
  [{ requests: 50, errors: 0, error_rate: 0 }, []],
  [{ requests: 5, errors: 5, error_rate: 1 }, []],
  [
    { requests: 100, errors: 2, error_rate: 0.02 },
    ["warn Error rate: 2 % of the last 5 minutes: 2 of 100 requests failed"],
  ],
  [
    { requests: 40, errors: 8, error_rate: 0.2 },
    ["bad Error rate: 20 % of the last 5 minutes: 8 of 40 requests failed"],
  ],
  [{ requests: 40, latency_p95_ms: 4_200 }, ["warn Latency: P95 of the last 5 minutes is 4.20 s"]],
])("of the last minutes %j", (figures, said) =>
  expect(saidOf(liveOf({ recent: recent(figures) }))).toEqual(said),
);

const SINKS: [what: string, sink: Partial<SinkHealth>, said: string[]][] = [
  ["well", { backlog: 12 }, []],
  ["behind", { backlog: 9_000 }, ["warn clickhouse: is behind: 9,000 records wait"]],
  [
    "failing",
    {
      sink: "postgres",
      state: "failing",
      backlog: 12_345,
      last_success: "2026-11-24T11:00:00.000Z",
      last_error: { at: "2026-11-24T11:59:00.000Z", message: "timeout" },
    },
    ["bad postgres: fails, 12,345 records wait, last success 1 h ago: timeout"],
  ],
  [
    "past what can be kept",
    { dropped: 7 },
    ["bad clickhouse: never got 7 records: more waited than can be kept"],
  ],
];

test.each(SINKS)("a sink that is %s", (_what, rest, said) => {
  const live = liveOf({});
  expect(saidOf({ ...live, health: { ...live.health, sinks: [sink(rest)] } })).toEqual(said);
});

test("the worst comes first", () => {
  const boxes = [
    boxOf({ name: "a", spooled: 900 }),
    boxOf({ name: "b", state: "down", last_seen: null }),
  ];
  expect(saidOf(liveOf({ boxes })).map((said) => said.split(" ")[0])).toEqual(["bad", "warn"]);
});

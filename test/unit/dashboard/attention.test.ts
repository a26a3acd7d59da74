import { expect, test } from "vitest";
import { concernRows, gpuConcern, isDiskFilling } from "../../../dashboard/shape/attention.ts";
import type { Concern } from "../../../protocol/concern.ts";

const NOW = Date.parse("2026-11-24T12:00:00Z");

function rowOf(
  concern: Concern,
  temperature: "celsius" | "fahrenheit" = "celsius",
): string | undefined {
  const [row] = concernRows([concern], NOW, { sizes: "binary", temperature });
  if (row === undefined) return undefined;
  const { tone, title, predicate, href } = row;
  const text = `${title} ${predicate}`.replaceAll("\u202f", " ");
  return `${tone} ${text} -> ${href}`;
}

const BOX = { kind: "box", box: "atlas" } as const;
const EDGE = { kind: "edge" } as const;
const CLICKHOUSE = { kind: "external_store", store: "clickhouse" } as const;
const warning = { severity: "warning", since: null } as const;
const critical = { severity: "critical", since: null } as const;

const ROWS: [concern: Concern, expected: string][] = [
  [
    {
      code: "box_down",
      severity: "critical",
      subject: BOX,
      since: "2026-11-24T11:58:00.000Z",
      params: {},
    },
    "bad Box atlas has been down for 2 min -> #/box?box=atlas",
  ],
  [
    { ...critical, code: "box_down", subject: BOX, params: {} },
    "bad Box atlas is down -> #/box?box=atlas",
  ],
  [
    { ...warning, code: "box_draining", subject: BOX, params: { in_flight: null } },
    "warn Box atlas accepts no new requests and is finishing its requests -> #/box?box=atlas",
  ],
  [
    { ...critical, code: "ollama_unreachable", subject: BOX, params: { error: null } },
    "bad Box atlas cannot reach its Ollama: unknown error -> #/box?box=atlas",
  ],
  [
    { ...warning, code: "records_unsent", subject: BOX, params: { records: 1_200 } },
    "warn Box atlas has 1,200 unsent records -> #/box?box=atlas",
  ],
  [
    { ...warning, code: "disk_filling", subject: BOX, params: { used_percent: 92 } },
    "warn Box atlas has a disk that is 92 % full -> #/box?box=atlas",
  ],
  [
    { ...warning, code: "clock_skew", subject: BOX, params: { skew_ms: -90_000 } },
    "warn Box atlas has a clock that is 1 min 30 s behind: turn on time synchronization -> #/box?box=atlas",
  ],
  [
    {
      ...warning,
      code: "gpu_throttled",
      subject: { kind: "gpu", box: "atlas", index: 1 },
      params: { reasons: ["hw_slowdown", "sw_thermal_slowdown"] },
    },
    "warn GPU 1 of atlas is throttled: hw slowdown, sw thermal slowdown -> #/box?box=atlas",
  ],
  [
    {
      ...warning,
      code: "model_on_cpu",
      subject: { kind: "model", box: "atlas", model: "big" },
      params: { cpu_share: 0.25, cpu_bytes: 2 * 1_024 ** 3 },
    },
    "warn big on atlas runs 25 % on the CPU: the GPU is 2 GiB short. Shorten its context, or use a smaller quantization -> #/model?model=big",
  ],
  [
    {
      ...critical,
      code: "error_rate_high",
      subject: EDGE,
      params: { error_rate: 0.2, errors: 8, requests: 40, minutes: 5 },
    },
    "bad Error rate is 20 % over the last 5 minutes: 8 of 40 requests failed -> #/requests?status=error",
  ],
  [
    {
      ...warning,
      code: "latency_high",
      subject: EDGE,
      params: { latency_p95_ms: 4_200, requests: 40, minutes: 5 },
    },
    "note Latency is 4.20 s at P95 over the last 5 minutes -> #/requests",
  ],
  [
    { ...warning, code: "recording_off", subject: EDGE, params: {} },
    "warn Recording is off: requests are served but not recorded -> #/settings",
  ],
  [
    {
      ...critical,
      code: "store_failing",
      subject: CLICKHOUSE,
      params: {
        error: "answered HTTP 502",
        records: 12_345,
        last_success: "2026-11-24T11:00:00.000Z",
      },
    },
    "bad clickhouse answered HTTP 502; 12,345 unsent records, last success 1 h ago -> #/settings",
  ],
  [
    {
      ...warning,
      code: "store_behind",
      subject: CLICKHOUSE,
      params: { records: 12_000, last_success: null },
    },
    "warn clickhouse is behind by 12,000 records -> #/settings",
  ],
  [
    {
      ...warning,
      code: "repository_stale",
      subject: { kind: "external_store", store: "postgres" },
      params: { error: "answered HTTP 503" },
    },
    "warn Model repository cannot be changed and may be out of date: postgres answered HTTP 503 -> #/models",
  ],
];

test.each(ROWS)("shows $code in the viewer's units, with a link", (concern, expected) => {
  expect(rowOf(concern)).toBe(expected);
});

test("shows a temperature in the viewer's unit", () => {
  const hot: Concern = {
    ...warning,
    code: "gpu_hot",
    subject: { kind: "gpu", box: "atlas", index: 0 },
    params: { temperature_c: 86 },
  };
  expect(rowOf(hot)).toBe("warn GPU 0 of atlas is at 86 °C -> #/box?box=atlas");
  expect(rowOf(hot, "fahrenheit")).toBe("warn GPU 0 of atlas is at 187 °F -> #/box?box=atlas");
});

test("leaves out an edge without boxes, which has a section of its own", () => {
  expect(rowOf({ ...warning, code: "no_box", subject: EDGE, params: {} })).toBeUndefined();
});

test("finds the concerns of one GPU and of one disk", () => {
  const hot = (box: string, index: number): Concern => ({
    ...warning,
    code: "gpu_hot",
    subject: { kind: "gpu", box, index },
    params: { temperature_c: 86 },
  });
  const concerns: Concern[] = [
    hot("other", 0),
    hot("atlas", 1),
    { ...warning, code: "disk_filling", subject: BOX, params: { used_percent: 92 } },
  ];
  expect(gpuConcern(concerns, "gpu_hot", { box: "atlas", index: 1 })).toBe(concerns[1]);
  expect(gpuConcern(concerns, "gpu_hot", { box: "atlas", index: 0 })).toBeUndefined();
  expect(gpuConcern(concerns, "gpu_throttled", { box: "atlas", index: 1 })).toBeUndefined();
  expect([isDiskFilling(concerns, "atlas"), isDiskFilling(concerns, "other")]).toEqual([
    true,
    false,
  ]);
});

test("keeps the order of the concerns", () => {
  const concerns: Concern[] = [
    { ...critical, code: "box_down", subject: BOX, params: {} },
    { ...warning, code: "queue_long", subject: EDGE, params: { requests: 5 } },
  ];
  const rows = concernRows(concerns, NOW, { sizes: "decimal", temperature: "celsius" });
  expect(rows.map(({ title }) => title)).toEqual(["Box atlas", "Queue"]);
});

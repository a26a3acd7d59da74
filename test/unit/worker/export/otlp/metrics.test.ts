import { expect, test } from "vitest";
import { Cell, type KeyedCell } from "../../../../../worker/counting/cell.ts";
import { counterMetrics } from "../../../../../worker/export/otlp/counters.ts";
import type { OtlpMetric } from "../../../../../worker/export/otlp/metric.ts";
import { gpuMetrics, machineMetrics } from "../../../../../worker/export/otlp/readings.ts";
import { gpuRow, systemRow } from "../../../../../worker/export/rows.ts";
import { gpuOf, recordOf, systemOf } from "../../../../support/records.ts";

const NOW = Date.UTC(2026, 10, 24, 12);
const SINCE = NOW - 86_400_000;

function cellOf(records: Parameters<typeof recordOf>[1][], model = "llama3.2"): KeyedCell {
  const cell = new Cell();
  for (const rest of records) cell.add(recordOf(NOW, rest), NOW);
  return { model, box: "atlas", cell };
}

const metricsOf = (cells: KeyedCell[], simulatedBoxes = new Set<string>()): OtlpMetric[] =>
  counterMetrics({ cells, sinceMs: SINCE, atMs: NOW, simulatedBoxes });

function named(metrics: OtlpMetric[], name: string) {
  const metric = metrics.find((each) => each.name === name);
  if (metric === undefined) throw new Error(`no metric ${name}`);
  return metric;
}

const attributesIn = ({ attributes }: { attributes: { key: string; value: object }[] }) =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));

test("a histogram has our counts, in seconds, since counting began", () => {
  const cells = [cellOf([{ latency_ms: 100 }, { latency_ms: 101 }, { latency_ms: 1e6 }])];
  const duration = named(metricsOf(cells), "gen_ai.server.request.duration");
  expect(duration).toMatchObject({
    unit: "s",
    histogram: {
      aggregationTemporality: 2,
      dataPoints: [
        {
          startTimeUnixNano: `${SINCE}000000`,
          timeUnixNano: `${NOW}000000`,
          count: "3",
          sum: 1_000.201,
          explicitBounds: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120],
          // Bounds are inclusive: 100 ms is in the bucket that ends there.
          bucketCounts: ["0", "1", "1", "0", "0", "0", "0", "0", "0", "0", "0", "1"],
        },
      ],
    },
  });
});

test("requests, tokens and energy are counters of each model on each box", () => {
  const cells = [cellOf([{ energy_j: 0 }, { status: "error" }]), cellOf([{}], "gemma3")];
  const sums = metricsOf(cells).flatMap((metric) =>
    "sum" in metric
      ? metric.sum.dataPoints.map((point) => ({
          name: metric.name,
          isMonotonic: metric.sum.isMonotonic,
          ...attributesIn(point),
          value: point.asDouble,
        }))
      : [],
  );
  const of = (name: string) => sums.filter((sum) => sum.name === name);
  expect(of("ollama_edge.requests")).toContainEqual({
    name: "ollama_edge.requests",
    isMonotonic: true,
    "gen_ai.provider.name": "ollama",
    "gen_ai.operation.name": "inference",
    "gen_ai.request.model": "llama3.2",
    "ollama_edge.box": "atlas",
    "ollama_edge.status": "error",
    value: 1,
  });
  expect(of("ollama_edge.tokens")).toMatchObject([
    { "gen_ai.token.type": "input", value: 40 },
    { "gen_ai.token.type": "output", value: 200 },
    { "gen_ai.token.type": "input", value: 20 },
    { "gen_ai.token.type": "output", value: 100 },
  ]);
  // The energy of the other model is unknown.
  expect(of("ollama_edge.energy")).toMatchObject([
    { "gen_ai.request.model": "llama3.2", value: 0 },
  ]);
});

test("counters of simulated boxes are labelled", () => {
  for (const metric of metricsOf([cellOf([{}])], new Set(["atlas"])))
    expect(JSON.stringify(metric)).toContain("ollama_edge.simulated");
});

test("a GPU sample has its own time, the units of the conventions, and nothing unknown", () => {
  const sample = gpuOf("atlas", NOW, { throttle_reasons: ["sw_power_cap"], fan_percent: null });
  const metrics = gpuMetrics([gpuRow(sample, false)]);
  const points = metrics.map((metric) => {
    const { dataPoints } =
      "gauge" in metric ? metric.gauge : "sum" in metric ? metric.sum : never();
    return [metric.name, metric.unit, dataPoints[0]?.asDouble, dataPoints[0]?.timeUnixNano];
  });
  const at = `${NOW}000000`;
  expect(points).toEqual([
    ["hw.gpu.utilization", "1", 0.75, at],
    ["hw.gpu.memory.usage", "By", 8_192 * 2 ** 20, at],
    ["hw.gpu.memory.limit", "By", 24_576 * 2 ** 20, at],
    ["hw.gpu.memory.utilization", "1", 1 / 3, at],
    ["hw.power", "W", 280, at],
    ["hw.temperature", "Cel", 65, at],
    ["ollama_edge.gpu.power.limit", "W", 350, at],
    ["ollama_edge.gpu.clock", "Hz", 1_695e6, at],
    ["ollama_edge.gpu.throttled", "1", 1, at],
  ]);
});

test("each part of each GPU is a component with an id of its own", () => {
  const rows = [0, 1].map((index) => gpuRow(gpuOf("atlas", NOW, { index, uuid: null }), true));
  const ids = gpuMetrics(rows).flatMap((metric) =>
    "gauge" in metric ? metric.gauge.dataPoints.map((point) => attributesIn(point)) : [],
  );
  expect(new Set(ids.map((id) => id["hw.id"]))).toEqual(
    new Set(["0", "1", "0/temperature", "1/temperature"]),
  );
  for (const id of ids) expect(id).toMatchObject({ "ollama_edge.simulated": true });
});

test("a machine without a load average has none", () => {
  const row = systemRow("atlas", systemOf(NOW, { load_1m: null, cpu_percent: 0 }));
  const metrics = machineMetrics([row], new Set());
  expect(metrics.map(({ name }) => name)).not.toContain("ollama_edge.machine.load");
  expect(named(metrics, "system.cpu.utilization")).toMatchObject({
    gauge: { dataPoints: [{ asDouble: 0 }] },
  });
});

function never(): never {
  throw new Error("a sample is no histogram");
}

import { expect, test } from "vitest";
import { type ScrapeParts, scrape } from "../../../../worker/exposition/scrape.ts";
import { render } from "../../../../worker/exposition/text.ts";
import { parseExposition, seriesValue } from "../../../support/exposition-parser.ts";
import { readingsOf, systemOf } from "../../../support/records.ts";
import { keyed, NOW, parts } from "./scrape-scene.ts";

test.each([false, true])(
  "a full scrape is read by the strict parser (OpenMetrics: %s)",
  (isOpenMetrics) => {
    const families = parseExposition(render(scrape(parts()), isOpenMetrics), isOpenMetrics);
    expect(seriesValue(families, "ollama_requests_total")).toBe(3);
    expect(seriesValue(families, "ollama_tokens_generated_total")).toBe(200);
    expect(seriesValue(families, "ollama_prompt_tokens_total")).toBe(40);
    expect(seriesValue(families, "ollama_errors_total")).toBe(1);
    expect(
      seriesValue(families, "ollama_request_latency_ms_bucket", { model: "llama3.2", le: "5000" }),
    ).toBe(1);
    expect(
      seriesValue(families, "ollama_model_requests_total", {
        model: "llama3.2",
        box: "atlas",
        status: "success",
      }),
    ).toBe(1);
    expect(
      seriesValue(families, "ollama_model_tokens_total", {
        model: "llama3.2",
        box: "atlas",
        kind: "completion",
      }),
    ).toBe(100);
    expect(
      seriesValue(families, "ollama_time_to_first_token_seconds_bucket", {
        model: "llama3.2",
        le: "0.25",
      }),
    ).toBe(1);
    expect(
      seriesValue(families, "ollama_time_per_output_token_seconds_sum", { model: "llama3.2" }),
    ).toBe(0.01);
    expect(seriesValue(families, "ollama_box_up", { box: "atlas" })).toBe(1);
    expect(seriesValue(families, "ollama_box_up", { box: "basil" })).toBe(0);
    expect(seriesValue(families, "ollama_box_simulated", { box: "basil" })).toBe(1);
    expect(seriesValue(families, "ollama_agent_current", { box: "atlas", version: "0.1.0" })).toBe(
      1,
    );
    expect(seriesValue(families, "ollama_agent_spooled_records", { box: "atlas" })).toBe(3);
    expect(seriesValue(families, "ollama_tunnel_round_trip_seconds", { box: "atlas" })).toBe(0.03);
    expect(seriesValue(families, "ollama_edge_build_info", { version: "0.1.0" })).toBe(1);
  },
);

test("energy has samples where it is known, and no sample otherwise", () => {
  const lifetime = [
    keyed("llama3.2", "atlas", { energy_j: 90.5 }),
    keyed("mistral", "atlas", { energy_j: null }),
  ];
  const families = parseExposition(render(scrape({ ...parts(), lifetime }), false));
  expect(families.get("ollama_model_energy_joules_total")?.series).toHaveLength(1);
  expect(
    seriesValue(families, "ollama_model_energy_joules_total", { model: "llama3.2", box: "atlas" }),
  ).toBe(90.5);
});

test("counts resumes by box over all models, and the records that an agent lost", () => {
  const base = parts();
  const cells = [
    keyed("llama3.2", "atlas", { resumed: 2 }),
    keyed("mistral", "atlas", { resumed: 1 }),
    keyed("", "", { status: "error", endpoint: "/api/tags" }),
  ];
  const boxes = base.boxes.map((box) => ({
    ...box,
    readings: { ...readingsOf(NOW, []), lost: box.name === "atlas" ? 4 : null },
  }));
  const families = parseExposition(render(scrape({ ...base, lifetime: cells, boxes }), false));
  expect(families.get("ollama_tunnel_resumes_total")?.series).toHaveLength(1);
  expect(seriesValue(families, "ollama_tunnel_resumes_total", { box: "atlas" })).toBe(3);
  expect(
    seriesValue(families, "ollama_untrusted_records_total", { box: "basil", reason: "seal" }),
  ).toBe(2);
  expect(families.get("ollama_agent_lost_records_total")?.series).toHaveLength(1);
  expect(seriesValue(families, "ollama_agent_lost_records_total", { box: "atlas" })).toBe(4);
});

test("GPU readings are in base units, and absent where unknown", () => {
  const families = parseExposition(render(scrape(parts()), false));
  const gpu = { box: "atlas", gpu: "0", uuid: "GPU-1", name: "NVIDIA RTX 3090" };
  expect(seriesValue(families, "ollama_gpu_utilization_ratio", gpu)).toBe(0.75);
  expect(seriesValue(families, "ollama_gpu_memory_used_bytes", gpu)).toBe(8_192 * 1_048_576);
  expect(seriesValue(families, "ollama_gpu_sm_clock_hertz", gpu)).toBe(1_695e6);
  expect(families.get("ollama_gpu_fan_speed_ratio")?.series).toEqual([]);
});

const MODEL = {
  name: "llama3.2:latest",
  size_bytes: 4e9,
  size_vram_bytes: 3e9,
  context_length: 4_096,
  expires_at: null,
};

function partsWithMachine(): ScrapeParts {
  const base = parts();
  const readings = readingsOf(NOW, [], [], [], [systemOf(NOW - 10_000)]);
  const inventory = {
    ...readings.inventory,
    loaded: [
      MODEL,
      { ...MODEL, name: "llama3.2" },
      { ...MODEL, name: "phi:3b", size_vram_bytes: null },
    ],
  };
  return {
    ...base,
    boxes: base.boxes.map((box) => ({ ...box, readings: { ...readings, inventory } })),
  };
}

test("the machine and the loaded models of a box are in base units", () => {
  const families = parseExposition(render(scrape(partsWithMachine()), false));
  const box = { box: "atlas" };
  expect(seriesValue(families, "ollama_box_cpu_ratio", box)).toBe(0.25);
  expect(seriesValue(families, "ollama_box_memory_used_bytes", box)).toBe(16 * 2 ** 30);
  expect(seriesValue(families, "ollama_box_memory_total_bytes", box)).toBe(64 * 2 ** 30);
  expect(seriesValue(families, "ollama_box_disk_used_bytes", box)).toBe(400 * 2 ** 30);
  expect(seriesValue(families, "ollama_box_disk_total_bytes", box)).toBe(1_000 * 2 ** 30);
  // Listed twice, with its tag and without, but only one series.
  expect(seriesValue(families, "ollama_loaded_model_bytes", { ...box, model: "llama3.2" })).toBe(
    4e9,
  );
  expect(
    seriesValue(families, "ollama_loaded_model_vram_bytes", { ...box, model: "llama3.2" }),
  ).toBe(3e9);
  expect(families.get("ollama_loaded_model_bytes")?.series).toHaveLength(2);
  expect(families.get("ollama_loaded_model_vram_bytes")?.series).toHaveLength(1);
});

test.each<[name: string, change: (parts: ScrapeParts) => void]>([
  ["a box that is down", ({ live }) => Object.assign(live[0] ?? {}, { up: false })],
  ["readings that are four minutes old", (parts) => Object.assign(parts, { nowMs: NOW + 240_000 })],
])("no series of machine and loaded models for %s", (_name, change) => {
  const changed = partsWithMachine();
  change(changed);
  const families = parseExposition(render(scrape(changed), false));
  const names = [...families.keys()].filter((name) =>
    /^ollama_(loaded_model|box_(cpu|memory|disk))_/.test(name),
  );
  expect(names).toHaveLength(7);
  for (const name of names) expect(families.get(name)?.series).toEqual([]);
});

test.each<[name: string, change: (parts: ScrapeParts) => void]>([
  ["a box that is down", ({ live }) => Object.assign(live[0] ?? {}, { up: false })],
  [
    "samples that are four minutes old",
    ({ boxes }) => Object.assign(boxes[0] ?? {}, { gpus_at_ms: NOW - 240_000 }),
  ],
])("no GPU series for %s", (_name, change) => {
  const changed = parts();
  change(changed);
  const families = parseExposition(render(scrape(changed), false));
  for (const [name, { series }] of families)
    if (name.startsWith("ollama_gpu_")) expect(series).toEqual([]);
});

test("an unknown queue depth has no series", () => {
  const families = parseExposition(render(scrape(parts()), false));
  expect(families.get("ollama_queue_depth")?.series).toEqual([]);
  expect(seriesValue(families, "ollama_in_flight_requests", { box: "atlas" })).toBe(2);
});

test("labels are escaped for any model name", () => {
  const name = 'a"b\\c\nd{}, le="1" é';
  const cells = [keyed(name, "atlas")];
  const families = parseExposition(render(scrape({ ...parts(), lifetime: cells }), false));
  expect(seriesValue(families, "ollama_request_latency_ms_count", { model: name })).toBe(1);
});

test("a store has its backlog, its delivered and dropped records, and its last success", () => {
  const families = parseExposition(render(scrape(parts()), false));
  const value = (name: string, labels: Record<string, string> = {}) =>
    seriesValue(families, name, { sink: "clickhouse", ...labels });
  expect(value("ollama_sink_backlog_records")).toBe(7);
  expect(value("ollama_sink_delivered_records_total")).toBe(40);
  expect(value("ollama_sink_dropped_records_total", { reason: "full" })).toBe(2);
  expect(value("ollama_sink_dropped_records_total", { reason: "refused" })).toBe(1);
  expect(value("ollama_sink_last_success_timestamp_seconds")).toBe(NOW / 1_000);
  const none = parseExposition(render(scrape({ ...parts(), sinks: [] }), false));
  expect(none.get("ollama_sink_backlog_records")?.series).toEqual([]);
});

/** Readings of a real agent: its machine, its models and its queue. */
import { cpus, totalmem } from "node:os";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Boxes } from "../../protocol/api/fleet.ts";
import { System, SystemHistory } from "../../protocol/api/system.ts";
import { type SimulatedOllama, startSimulatedOllama } from "../../simulated/ollama.ts";
import { parseExposition, seriesValue } from "../support/exposition-parser.ts";
import { eventually, TestStack } from "../support/stack.ts";

let stack: TestStack;
let ollama: SimulatedOllama;

beforeAll(async () => {
  ollama = await startSimulatedOllama({
    models: ["llama3.2:latest", "phi3:mini"],
    tokenMs: 1,
    loadMsPerGb: 0,
  });
  stack = await TestStack.start();
  await stack.startAgent({
    name: "box",
    ollamaUrl: ollama.url,
    env: { OLLAMA_MODELS: stack.folder },
  });
});

afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  await ollama?.close();
});

const chat = () =>
  fetch(`${stack.url}/ollama/api/chat`, {
    method: "POST",
    body: JSON.stringify({
      model: "llama3.2",
      messages: [{ role: "user", content: "Hello" }],
      options: { num_predict: 2 },
    }),
  });
const box = async () => Boxes.parse(await stack.json("/api/boxes?box=box")).boxes[0];
const history = async () =>
  SystemHistory.parse(await stack.json("/api/system/history?time_range=5m&max_points=500&box=box"));

test("/api/boxes shows the models on disk and in memory", async () => {
  await (await chat()).text();
  const shown = await eventually(async () => {
    const now = await box();
    // A load is reported at once, before the request has ended and its record is delivered.
    const isOver = now?.in_flight === 0 && now.spooled === 0;
    return now !== undefined && now.loaded.length > 0 && isOver && now;
  });
  expect(shown).toMatchObject({
    state: "up",
    ollama_reachable: true,
    ollama_error: null,
    in_flight: 0,
    queue_depth: 0,
    spooled: 0,
  });
  expect(shown.models.map(({ name }) => name).sort()).toEqual(["llama3.2:latest", "phi3:mini"]);
  const [loaded] = shown.loaded;
  expect(loaded?.name).toBe("llama3.2:latest");
  expect(loaded?.size_bytes).toBeGreaterThan(0);
  expect(loaded?.gpu_share).toBe(
    (loaded?.size_vram_bytes ?? Number.NaN) / (loaded?.size_bytes ?? Number.NaN),
  );
  expect(shown.gpu_error).toMatch(/nvidia-smi was not found/);
  // Both run on one machine with one clock.
  expect(Math.abs(shown.clock_skew_ms)).toBeLessThan(5_000);
  expect(Date.parse(shown.connected_at ?? "")).toBeLessThanOrEqual(Date.now());
});

test("/api and the metrics show the figures of this machine", async () => {
  const system = await eventually(async () => {
    const now = System.parse(await stack.json("/api/system"));
    return now.cpu_percent !== null && now;
  });
  const memoryGb = totalmem() / 2 ** 30;
  expect(system).toMatchObject({
    available: true,
    error: null,
    cpu_count: null,
    cpu_count_logical: cpus().length,
  });
  expect(system.memory_total_gb).toBeCloseTo(memoryGb, 1);
  expect(system.memory_used_gb).toBeGreaterThan(0);
  expect((system.memory_used_gb ?? 0) + (system.memory_available_gb ?? 0)).toBeCloseTo(memoryGb, 1);
  expect(system.disk_used_gb).toBeLessThanOrEqual(system.disk_total_gb ?? 0);
  expect((await box())?.system?.disk_path).toBe(stack.folder);

  const families = parseExposition(await (await fetch(`${stack.url}/api/metrics`)).text());
  expect(seriesValue(families, "ollama_box_memory_total_bytes", { box: "box" })).toBe(totalmem());
  expect(seriesValue(families, "ollama_box_cpu_ratio", { box: "box" })).toBeLessThanOrEqual(1);
  expect(
    seriesValue(families, "ollama_loaded_model_bytes", { box: "box", model: "llama3.2" }),
  ).toBeGreaterThan(0);
});

test("waiting requests raise the queue depth in the history", async () => {
  expect((await box())?.system?.queued).toBe(0);
  // Longer than the interval between two samples.
  ollama.fault([{ kind: "slow_first_token", ms: 13_000 }]);
  const waiting = [1, 2, 3].map(async () => (await chat()).text());
  expect(await eventually(async () => (await box())?.queue_depth || undefined)).toBeGreaterThan(0);
  const point = await eventually(async () =>
    (await history()).data.find(({ queue_depth }) => (queue_depth ?? 0) > 0),
  );
  expect(point).toMatchObject({ gpu_available: false, memory_total_gb: expect.any(Number) });
  expect(point.in_flight).toBeGreaterThanOrEqual(point.queue_depth ?? 0);
  ollama.fault([]);
  await Promise.all(waiting);
  await eventually(async () => (await box())?.queue_depth === 0);
});

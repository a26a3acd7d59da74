/** `OllamaService` as a program uses it, between a fake edge and a simulated Ollama. */
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import {
  ListenError,
  type Log,
  NetworkConfig,
  type NetworkConfigOptions,
  OllamaError,
  OllamaService,
  StateLockError,
} from "../../../../agent/index.ts";
import { FrameType, tunnelFrame } from "../../../../protocol/frames.ts";
import { type SimulatedOllama, startSimulatedOllama } from "../../../../simulated/ollama.ts";
import { FakeEdge } from "../../../support/fake-edge.ts";
import { eventually, NOBODY } from "../../../support/stack.ts";

const MODEL = "llama3.2";

let ollama: SimulatedOllama;
let stateDir = "";

beforeAll(async () => {
  ollama = await startSimulatedOllama({ models: [`${MODEL}:latest`], loadMsPerGb: 0 });
});
afterAll(() => ollama?.close());
beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), "service-"));
  vi.stubEnv("NVIDIA_SMI", "/nonexistent");
});
afterEach(() => {
  ollama.fault([]);
  vi.unstubAllEnvs();
  rmSync(stateDir, { recursive: true, force: true });
});

const configOf = (options: NetworkConfigOptions) =>
  new NetworkConfig({ port: 0, ollamaUrl: ollama.url, stateDir, box: "program", ...options });
const quiet: Log = () => {};
const serviceOf = (options: NetworkConfigOptions, log = quiet) =>
  new OllamaService(configOf(options), { log });

test("starts at the first call, and records every call at the edge once", async () => {
  await using edge = await FakeEdge.listen({ keep_text: true });
  {
    await using service = serviceOf({ edgeUrl: edge.url });
    expect(service.url).toBeNull();
    const answer = await service.generate(MODEL, "Hello, world!", { options: { num_predict: 4 } });
    expect(answer).toMatchObject({
      model: MODEL,
      done: true,
      done_reason: "length",
      eval_count: 4,
    });
    expect(answer.response.length).toBeGreaterThan(0);
    expect(service.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect(await service.getModels()).toEqual([
      { name: `${MODEL}:latest`, sizeBytes: expect.any(Number) },
    ]);
    expect(await service.healthCheck()).toEqual({
      healthy: true,
      reason: null,
      ollamaVersion: expect.stringMatching(/^0\./),
    });
    // A call from another program on this machine.
    const body = JSON.stringify({
      model: MODEL,
      stream: false,
      messages: [{ role: "user", content: "x" }],
    });
    expect((await fetch(`${service.url}/api/chat`, { method: "POST", body })).status).toBe(200);
  }
  // Leaving the block drains the service, so every record has arrived.
  expect(edge.records.map(({ endpoint }) => endpoint).sort()).toEqual([
    "/api/chat",
    "/api/generate",
    "/api/tags",
    "/api/version",
  ]);
  const generated = edge.records.find(({ endpoint }) => endpoint === "/api/generate");
  expect(generated).toMatchObject({
    box: "program",
    status: "success",
    completion_tokens: 4,
    prompt: "Hello, world!",
    key_id: null,
  });
  expect(generated?.user_agent).toMatch(/^ollama-edge-serve\//);
});

test("drops the text of open and later local calls once the edge switches text off", async () => {
  await using edge = await FakeEdge.listen({ keep_text: true });
  await using service = serviceOf({ edgeUrl: edge.url });
  await service.start();
  await eventually(async () => edge.readings.length > 0);
  ollama.fault([{ kind: "slow_first_token", ms: 300 }]);
  const open = service.generate(MODEL, "canary of an open call", { options: { num_predict: 1 } });
  await eventually(async () => ollama.requests().some(({ body }) => /open call/.test(`${body}`)));
  edge.send(tunnelFrame(FrameType.settings, { keep_text: false, a_later_field: 1 }));
  await open;
  await service.generate(MODEL, "canary of a later call", { options: { num_predict: 1 } });
  await service.stop();
  const generated = edge.records.filter(({ endpoint }) => endpoint === "/api/generate");
  expect(generated.map(({ prompt, response }) => [prompt, response])).toEqual([
    [null, null],
    [null, null],
  ]);
});

test("holds finished requests for metricsExportInterval and sends them in one batch", async () => {
  await using edge = await FakeEdge.listen();
  await using service = serviceOf({ edgeUrl: edge.url, metricsExportInterval: 3_600 });
  await service.start();
  await eventually(async () => edge.readings.length > 0);
  ollama.fault([{ kind: "slow_first_token", ms: 80 }]); // longer than the agent waits by default
  for (let i = 0; i < 3; i++) await service.generate(MODEL, "x", { options: { num_predict: 1 } });
  expect(edge.records).toEqual([]);
  await service.stop();
  expect(edge.records).toHaveLength(3);
  expect(edge.batches).toBe(1);
});

test.each([
  ["clickhouse", 1],
  ["both", 0],
] as const)(
  "warns about an edge that exports to %s, where the program expects both, %i times",
  async (exporter_type, count) => {
    const events: [string, unknown][] = [];
    await using edge = await FakeEdge.listen({ exporter_type });
    await using service = serviceOf(
      { edgeUrl: edge.url, exporterType: "both" },
      (level, event, fields) => events.push([`${level} ${event}`, fields]),
    );
    await service.start();
    await eventually(async () => events.some(([event]) => event === "info tunnel_up"));
    edge.cut();
    await eventually(
      async () => events.filter(([event]) => event === "info tunnel_up").length === 2,
    );
    const warned = events.filter(([event]) => event === "warn exporter_differs");
    expect(warned.map(([, fields]) => fields)).toEqual(
      Array.from({ length: count }, () => ({ expected: "both", edge: exporter_type })),
    );
  },
);

test("sends no text to an edge that keeps none", async () => {
  await using edge = await FakeEdge.listen({ keep_text: false });
  await using service = serviceOf({ edgeUrl: edge.url });
  await service.start();
  await eventually(async () => edge.readings.length > 0);
  await service.generate(MODEL, "secret", { options: { num_predict: 1 } });
  await service.stop();
  expect(edge.records).toMatchObject([{ prompt: null, response: null, completion_tokens: 1 }]);
});

test("stamps a local call with the edge's clock even if the machine's clock is wrong", async () => {
  const daysMs = 90 * 24 * 3_600_000;
  await using edge = await FakeEdge.listen({ now_ms: Date.now() - daysMs });
  await using service = serviceOf({ edgeUrl: edge.url });
  await service.start();
  await eventually(async () => edge.readings.length > 0);
  await service.generate(MODEL, "x", { options: { num_predict: 1 } });
  await service.stop();
  const [record] = edge.records;
  const startedMs = Date.parse(record?.started_at ?? "");
  expect(Math.abs(startedMs - (Date.now() - daysMs))).toBeLessThan(60_000);
  // The ledger sorts and deletes by the time in the id.
  expect(
    Math.abs(
      Number.parseInt(record?.request_id.replace("-", "").slice(0, 12) ?? "", 16) - startedMs,
    ),
  ).toBeLessThan(1_000);
  expect(record?.latency_ms).toBeLessThan(60_000);
});

test("serves calls while the edge is down, and delivers their records from disk when it is up", async () => {
  {
    await using service = serviceOf({ edgeUrl: NOBODY });
    await service.generate(MODEL, "first", { options: { num_predict: 2 } });
  }
  await using edge = await FakeEdge.listen();
  await using service = serviceOf({ edgeUrl: edge.url });
  await service.start();
  await eventually(async () => edge.records.length === 1);
  expect(edge.records).toMatchObject([
    { prompt: "first", status: "success", completion_tokens: 2 },
  ]);
});

test("reports an Ollama that rejects a call or cannot be reached as an OllamaError", async () => {
  await using edge = await FakeEdge.listen();
  await using service = serviceOf({ edgeUrl: edge.url });
  const refused = service.generate("nope", "x");
  await expect(refused).rejects.toBeInstanceOf(OllamaError);
  await expect(refused).rejects.toMatchObject({
    status: 404,
    message: expect.stringContaining("nope"),
  });
  await expect(service.generate("gpt-oss:cloud", "x")).rejects.toMatchObject({
    status: 403,
    message: expect.stringContaining("cloud model"),
  });

  await using alone = serviceOf({ enableInstrumentation: false, ollamaUrl: NOBODY });
  expect(await alone.healthCheck()).toMatchObject({
    healthy: false,
    reason: expect.stringContaining("does not answer"),
    ollamaVersion: null,
  });
  await expect(alone.getModels()).rejects.toMatchObject({ status: 503 });
});

test("starts only the endpoint when instrumentation is off", async () => {
  const own = join(stateDir, "none");
  await using service = serviceOf({ enableInstrumentation: false, stateDir: own });
  expect(await service.generate(MODEL, "x", { options: { num_predict: 1 } })).toMatchObject({
    done: true,
  });
  expect(existsSync(own)).toBe(false);
});

test("accepts a second start and stop, cannot restart, and can be stopped without a start", async () => {
  const service = serviceOf({ enableInstrumentation: false });
  await Promise.all([service.start(), service.start()]);
  const { url } = service;
  await Promise.all([service.stop(), service.stop()]);
  await service[Symbol.asyncDispose]();
  expect(service.url).toBeNull();
  await expect(fetch(url ?? "")).rejects.toThrow();
  await expect(service.start()).rejects.toThrow("was stopped");
  await expect(service.generate(MODEL, "x")).rejects.toThrow("was stopped");
  await serviceOf({ enableInstrumentation: false }).stop();
});

test("finishes an open call before it stops", async () => {
  await using service = serviceOf({ enableInstrumentation: false });
  await service.start();
  ollama.fault([{ kind: "slow_first_token", ms: 300 }]);
  const seen = ollama.requests().length;
  const answer = service.generate(MODEL, "x", { options: { num_predict: 3 } });
  await eventually(async () => ollama.requests().length > seen);
  await service.stop();
  expect(await answer).toMatchObject({ done: true, eval_count: 3 });
});

test("reports a port in use, and starts once the port is free", async () => {
  const holder = createServer().listen(0, "127.0.0.1");
  await once(holder, "listening");
  const { port } = holder.address() as AddressInfo;
  await using edge = await FakeEdge.listen();
  await using service = serviceOf({ edgeUrl: edge.url, port });
  await expect(service.start()).rejects.toThrow(
    new ListenError(
      `cannot listen on 127.0.0.1:${port}: another program uses that port. Choose another --listen port`,
    ),
  );
  await new Promise((resolve) => holder.close(resolve));
  expect((await service.healthCheck()).healthy).toBe(true);
});

test("refuses to listen on the address of its own Ollama", async () => {
  await using service = serviceOf({ enableInstrumentation: false, port: ollama.port });
  await expect(service.start()).rejects.toThrow(/that is the address of the Ollama to forward to/);
});

test("refuses to start a second service on one state folder", async () => {
  await using edge = await FakeEdge.listen();
  await using first = serviceOf({ edgeUrl: edge.url });
  await first.start();
  await using second = serviceOf({ edgeUrl: edge.url });
  await expect(second.start()).rejects.toBeInstanceOf(StateLockError);
});

/** Every call is counted once, whatever happens to it. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { SIMULATED_SMI } from "../../local/edge.ts";
import { Models } from "../../protocol/api/stats.ts";
import { type SimulatedOllama, startSimulatedOllama } from "../../simulated/ollama.ts";
import { CuttingProxy } from "../support/cutting-proxy.ts";
import { onBusyMachine } from "../support/patience.ts";
import { eventually, TestStack } from "../support/stack.ts";

let stack: TestStack;
let ollama: SimulatedOllama;
const MODEL = "llama3.2";

beforeAll(async () => {
  ollama = await startSimulatedOllama({ models: ["llama3.2:latest"], tokenMs: 5, loadMsPerGb: 0 });
  stack = await TestStack.start();
  await stack.startAgent({ name: "box", ollamaUrl: ollama.url });
});

afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  await ollama?.close();
});

const chat = (tokens: number, more: RequestInit & { box?: string; stream?: boolean } = {}) =>
  fetch(`${stack.url}/ollama/api/chat`, {
    method: "POST",
    headers: { "x-box": more.box ?? "box" },
    body: JSON.stringify({
      model: MODEL,
      stream: more.stream ?? true,
      messages: [{ role: "user", content: "Hello" }],
      options: { num_predict: tokens },
    }),
    ...more,
  });
const idOf = (answer: Response) => answer.headers.get("x-request-id");
const lines = async (answer: Response) =>
  (await answer.text())
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);

test("counts a streamed chat with its tokens and times", async () => {
  const answer = await chat(8);
  const last = (await lines(answer)).at(-1);
  const record = await stack.record(idOf(answer));
  expect(record).toMatchObject({
    box: "box",
    model: MODEL,
    endpoint: "/api/chat",
    stream: true,
    status: "success",
    http_status: 200,
    prompt: "Hello",
    done_reason: "length",
    resumed: 0,
  });
  expect(record.completion_tokens).toBe(8);
  expect(record.prompt_tokens).toBe(last?.prompt_eval_count);
  expect(record.latency_ms).toBeGreaterThanOrEqual(record.ttft_ms ?? Number.NaN);
  expect(record.decode_ms).toBeGreaterThan(0);
});

test("records the edge's and the tunnel's time, and the caller's waiting time as latency", async () => {
  await using proxy = await CuttingProxy.start(stack.port);
  proxy.delayMs = 400; // far more than a busy machine adds
  const agent = await stack.startAgent({ name: "far", ollamaUrl: ollama.url, edgeUrl: proxy.url });
  const tunnelMs = await eventually(
    async () => (await stack.boxes()).find(({ name }) => name === "far")?.tunnel_ms ?? undefined,
  );
  expect(tunnelMs).toBeGreaterThanOrEqual(2 * proxy.delayMs);
  const sentMs = performance.now();
  const answer = await chat(4, { box: "far", stream: false });
  await answer.text();
  const waitedMs = performance.now() - sentMs;
  const { latency_ms, ttft_ms, edge_ms, tunnel_ms } = await stack.record(idOf(answer));
  expect(edge_ms).toBeGreaterThanOrEqual(0);
  expect(tunnel_ms).toBeGreaterThanOrEqual(2 * proxy.delayMs);
  // The box cannot see the request's way to it, but it sees the way of the last acknowledgement.
  expect(Math.abs(latency_ms - waitedMs)).toBeLessThan(1.5 * proxy.delayMs);
  expect(ttft_ms).toBeLessThan(waitedMs - proxy.delayMs);
  await agent.stop(5_000);
});

test("records the energy that the GPU reports for a call, and adds it to the model", async () => {
  const gpu = {
    NVIDIA_SMI: SIMULATED_SMI,
    SIMULATED_OLLAMA: ollama.url,
    SIMULATED_GPU: "rtx-4090",
  };
  const agent = await stack.startAgent({ name: "warm", ollamaUrl: ollama.url, env: gpu });
  const record = await eventually(async () => {
    const answer = await chat(20, { box: "warm" });
    await answer.text();
    const entry = await stack.record(idOf(answer));
    return entry.energy_j !== null && entry;
  });
  // A 450 W card, for the time on the box.
  expect(record.energy_j).toBeGreaterThan(0);
  expect(record.energy_j).toBeLessThan((500 * record.latency_ms) / 1_000);
  const { models } = Models.parse(await stack.json("/api/models"));
  const model = models.find(({ name }) => name === MODEL);
  expect(model?.energy_requests).toBeGreaterThanOrEqual(1);
  expect(model?.energy_j).toBeGreaterThanOrEqual(Math.floor(record.energy_j ?? 0));
  expect(model?.energy_j_per_1k_tokens).toBeGreaterThan(0);
  await agent.stop(5_000);
});

test("counts the tokens of an OpenAI stream whose caller did not request usage", async () => {
  const body = {
    model: MODEL,
    stream: true,
    max_tokens: 5,
    messages: [{ role: "user", content: "Hello" }],
  };
  const answer = await fetch(`${stack.url}/v1/chat/completions`, {
    method: "POST",
    body: JSON.stringify(body),
  });
  expect(await answer.text()).not.toContain('"usage"');
  expect(await stack.record(idOf(answer))).toMatchObject({
    api: "openai",
    endpoint: "/v1/chat/completions",
    completion_tokens: 5,
    status: "success",
  });
});

const FAULTS: [
  name: string,
  fault: Parameters<SimulatedOllama["fault"]>[0][number],
  error: RegExp,
  status: number,
][] = [
  [
    "an error line inside a 200",
    { kind: "error_line", after_chunks: 2, message: "the GPU is lost" },
    /the GPU is lost/,
    200,
  ],
  [
    "an answer that stops in its middle",
    { kind: "drop", after_chunks: 2 },
    /closed the connection|aborted|hang up|ECONNRESET/,
    200,
  ],
  ["an answer without its last line", { kind: "no_terminator" }, /without its last line/, 200],
  ["a line that is not JSON", { kind: "malformed", after_chunks: 1 }, /not JSON/, 200],
  ["a busy Ollama", { kind: "busy" }, /server busy/, 503],
];

test.each(FAULTS)(
  "records %s as one error, failed at ollama",
  async (_name, fault, error, status) => {
    ollama.fault([fault]);
    const answer = await chat(6);
    const text = await answer.text();
    ollama.fault([]);
    expect(answer.status).toBe(status);
    const record = await stack.record(idOf(answer));
    expect(record).toMatchObject({ status: "error", failed_at: "ollama", http_status: status });
    expect(record.error_message).toMatch(error);
    if (fault.kind === "drop")
      expect(JSON.parse(text.trim().split("\n").at(-1) ?? "")).toHaveProperty("error");
  },
);

/** The first chat after that many requests. The newest may be the agent's own, for the models. */
const chatAfter = (seen: number) =>
  ollama
    .requests()
    .slice(seen)
    .find(({ path }) => path === "/api/chat");

test("stops the GPU within a second when a caller disconnects, and records cancelled, not an error", async () => {
  const before = (await stack.stats()).total_errors;
  const seen = ollama.requests().length;
  const caller = new AbortController();
  const answer = await chat(2_000, { signal: caller.signal });
  const reader = answer.body?.getReader();
  await reader?.read();
  const left = performance.now();
  caller.abort();
  await eventually(async () => chatAfter(seen)?.aborted);
  expect(performance.now() - left).toBeLessThan(onBusyMachine(1_000));
  expect(await stack.record(idOf(answer))).toMatchObject({ status: "cancelled", failed_at: null });
  expect((await stack.stats()).total_errors).toBe(before);
});

test("pauses a stream when the tunnel is cut in its middle, and loses nothing", async () => {
  const TOKENS = 300;
  await using proxy = await CuttingProxy.start(stack.port);
  const agent = await stack.startAgent({ name: "cut", ollamaUrl: ollama.url, edgeUrl: proxy.url });
  const answer = await chat(TOKENS, { box: "cut" });
  let cuts = 0;
  // Counts the bytes of the agent: a slow caller gets those of several outages at once.
  const cutting = (async () => {
    for (; cuts < 3; cuts++) await proxy.cutAfter("up", 2_500);
  })();
  const text = await answer.text();
  await cutting;
  const received = text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { done: boolean; eval_count?: number });
  expect(received.filter(({ done }) => !done)).toHaveLength(TOKENS);
  expect(received.at(-1)).toMatchObject({ done: true, eval_count: TOKENS });
  const record = await stack.record(idOf(answer));
  expect(record).toMatchObject({ status: "success", completion_tokens: TOKENS });
  expect(record.resumed).toBeGreaterThanOrEqual(1);
  await agent.stop(2_000);
});

test("records one error and sends it to the caller when an agent is killed in the middle of a stream", async () => {
  const agent = await stack.startAgent({ name: "killed", ollamaUrl: ollama.url });
  const sentMs = performance.now();
  const answer = await chat(4_000, { box: "killed" });
  const reader = answer.body?.getReader();
  const decoder = new TextDecoder();
  let text = "";
  while (text.split("\n").length <= 400)
    text += decoder.decode((await reader?.read())?.value, { stream: true });
  agent.kill();
  await agent.ended;
  await stack.startAgent({ name: "killed", ollamaUrl: ollama.url });
  for (let part = await reader?.read(); part && !part.done; part = await reader?.read())
    text += decoder.decode(part.value, { stream: true });
  expect(JSON.parse(text.trim().split("\n").at(-1) ?? "")).toEqual({
    error: "The agent of box killed was restarted while it served this request.",
  });
  const waitedMs = performance.now() - sentMs;
  const record = await stack.record(idOf(answer));
  expect(record).toMatchObject({
    status: "error",
    http_status: 200,
    failed_at: "tunnel",
    error_message: "the agent stopped while it served this request",
    prompt: "Hello",
  });
  expect(record.latency_ms).toBeGreaterThan(1_000);
  // The agent notes its open requests every 250 ms, and makes 200 tokens a second.
  expect(record.completion_tokens).toBeGreaterThan(300);
  const parts = text.trim().split("\n");
  const received = parts.map((line) => JSON.parse(line).message?.content ?? "").join("");
  // Parts on their way when the agent was killed reached its spool, and not the caller.
  const length = Math.min(received.length, record.response?.length ?? 0);
  expect(length).toBeGreaterThan(50);
  expect(record.response?.slice(0, length)).toBe(received.slice(0, length));
  // The edge knows how long the caller waited for the error.
  const completed = await eventually(async () => {
    const next = await stack.record(idOf(answer));
    return next.latency_ms > record.latency_ms && next;
  });
  expect(completed).toMatchObject({ ...record, latency_ms: expect.any(Number) });
  expect(Math.abs(completed.latency_ms - waitedMs)).toBeLessThan(onBusyMachine(500));
});

test("counts a record once if the agent is killed before or after it was delivered", async () => {
  const agent = await stack.startAgent({ name: "patient", ollamaUrl: ollama.url });
  const answer = await chat(3, { box: "patient" });
  await answer.text();
  agent.kill(); // before or after its record left: it must count once either way
  await agent.ended;
  await stack.startAgent({ name: "patient", ollamaUrl: ollama.url });
  const record = await stack.record(idOf(answer));
  expect((await stack.logs()).logs.filter(({ id }) => id === record.id)).toHaveLength(1);
});

test("keeps counters equal to the calls made, after a restart and after a crash", async () => {
  const before = await stack.stats();
  const answers = await Promise.all(
    Array.from({ length: 40 }, (_, i) => chat(2, { stream: i % 2 === 0 })),
  );
  await Promise.all(answers.map((answer) => answer.text()));
  for (const answer of answers) await stack.record(idOf(answer));
  const counted = await stack.stats();
  expect(counted.total_requests).toBe(before.total_requests + 40);

  await stack.stopEdge();
  await stack.startEdge();
  expect((await stack.stats()).total_requests).toBe(counted.total_requests);

  await eventually(async () =>
    (await stack.health()).boxes.some(({ name, state }) => name === "box" && state === "up"),
  );
  await (await chat(2)).text();
  await eventually(async () => (await stack.stats()).total_requests === counted.total_requests + 1);
  await stack.killEdge();
  await stack.startEdge();
  const after = await stack.stats();
  expect(after.total_requests).toBe(counted.total_requests + 1);
  const metrics = await (await fetch(`${stack.url}/api/metrics`)).text();
  const line = new RegExp(`^ollama_requests_total ${after.total_requests}(\\.0)?$`, "m");
  expect(metrics).toMatch(line);
  expect((await stack.logs("limit=1")).total).toBe(after.total_requests);
});

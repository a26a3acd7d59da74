/** `POST /api/chat` as server-sent events, and answers that Ollama breaks off before their end. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { type SimulatedOllama, startSimulatedOllama } from "../../simulated/ollama.ts";
import { TestStack } from "../support/stack.ts";
import { MODEL, messages, WEATHER } from "./requests.ts";

let stack: TestStack;
let simulated: SimulatedOllama;

beforeAll(async () => {
  simulated = await startSimulatedOllama({
    models: [`${MODEL}:latest`],
    tokenMs: 1,
    loadMsPerGb: 0,
  });
  stack = await TestStack.start();
  await stack.startAgent({ name: "chat", ollamaUrl: simulated.url });
});

afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  await simulated?.close();
});

/** Sends a body to `POST /api/chat`, and returns its events. */
async function events(body: unknown): Promise<Record<string, unknown>[]> {
  const answer = await fetch(`${stack.url}/api/chat`, {
    method: "POST",
    body: JSON.stringify(body),
  });
  expect(answer.headers.get("content-type")).toMatch(/^text\/event-stream/);
  const text = await answer.text();
  return text
    .trim()
    .split("\n\n")
    .map((event) => JSON.parse(event.replace(/^data: /, "")) as Record<string, unknown>);
}

test("/api/chat streams a prompt or messages as events, and uses a default model", async () => {
  for (const body of [
    { prompt: "Hello", max_tokens: 4 },
    { model: MODEL, messages, options: { num_predict: 4 } },
  ]) {
    const sent = await events(body);
    expect(sent.filter(({ token }) => typeof token === "string")).toHaveLength(4);
    expect(sent.at(-1)).toMatchObject({
      done: true,
      prompt_tokens: expect.any(Number),
      completion_tokens: 4,
      latency_ms: expect.any(Number),
    });
    const ids = new Set(sent.map(({ request_id }) => request_id));
    expect(ids.size).toBe(1);
    expect(await stack.record(String([...ids][0]))).toMatchObject({
      endpoint: "/api/chat",
      completion_tokens: 4,
      status: "success",
    });
  }
  const called = await events({ model: MODEL, messages, tools: [WEATHER] });
  expect(called.some(({ tool_calls }) => Array.isArray(tool_calls))).toBe(true);
});

test("/api/chat reports errors as events once it streams, and in the API's shape before", async () => {
  simulated.fault([{ kind: "error_line", after_chunks: 2, message: "the GPU is lost" }]);
  expect((await events({ model: MODEL, prompt: "Hello" })).at(-1)).toMatchObject({
    error: "the GPU is lost",
    request_id: expect.any(String),
  });
  simulated.fault([]);
  const unknown = await fetch(`${stack.url}/api/chat`, {
    method: "POST",
    body: '{"model":"nope","prompt":"x"}',
  });
  expect(unknown.status).toBe(404);
  expect(await unknown.json()).toMatchObject({
    error: { code: "ollama_error", failed_at: "ollama", message: expect.stringContaining("nope") },
  });
});

test("answers 502 in the API's shape, not half a JSON value, if Ollama breaks off an unstreamed answer", async () => {
  for (const [path, shape] of [
    ["/ollama/api/chat", { error: expect.any(String) }],
    ["/v1/chat/completions", { error: { type: "api_error", code: "ollama_broke" } }],
  ] as const) {
    simulated.fault([{ kind: "drop", after_chunks: 2 }]);
    const answer = await fetch(stack.url + path, {
      method: "POST",
      body: JSON.stringify({ model: MODEL, messages, stream: false }),
    });
    simulated.fault([]);
    expect(answer.status).toBe(502);
    expect(await answer.json()).toMatchObject(shape);
    const record = await stack.record(String(answer.headers.get("x-request-id")));
    expect(record).toMatchObject({ status: "error", failed_at: "ollama", http_status: 502 });
  }
});

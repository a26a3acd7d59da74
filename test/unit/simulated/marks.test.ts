/** Nothing that a simulated box answers can be taken for the answer of a model. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { GPU_MODELS } from "../../../simulated/gpus.ts";
import { type SimulatedOllama, startSimulatedOllama } from "../../../simulated/ollama.ts";

let ollama: SimulatedOllama;

beforeAll(async () => {
  ollama = await startSimulatedOllama({
    models: ["llama3.2", "nomic-embed-text"],
    tokenMs: 0,
    loadMsPerGb: 0,
  });
});

afterAll(() => ollama.close());

const messages = [{ role: "user", content: "What is 2+2?" }];

test.each([
  ["/api/generate", { prompt: "What is 2+2?" }],
  ["/api/chat", { messages }],
  ["/v1/completions", { prompt: "What is 2+2?" }],
  ["/v1/chat/completions", { messages }],
  ["/v1/responses", { input: "What is 2+2?" }],
  ["/v1/messages", { messages, max_tokens: 9 }],
])("the text of %s begins with a mark, streamed or not", async (path, body) => {
  for (const stream of [true, false]) {
    const answer = await fetch(ollama.url + path, {
      method: "POST",
      body: JSON.stringify({ model: "llama3.2", ...body, stream }),
    });
    const text = await answer.text();
    expect(text).toMatch(/"(?:response|content|text|delta)":"\[simulated\]/);
  }
});

const tools = [
  { type: "function", function: { name: "add", parameters: { type: "object", properties: {} } } },
];
const schema = {
  type: "object",
  properties: { city: { type: "string" }, population: { type: "number" } },
};

test.each([
  ["a structured answer", "/api/chat", { messages, format: schema }],
  ["a tool call", "/api/chat", { messages, tools }],
  ["vectors", "/api/embed", { model: "nomic-embed-text", input: "What is 2+2?" }],
  ["a vector", "/api/embeddings", { model: "nomic-embed-text", prompt: "What is 2+2?" }],
  ["a tool call", "/v1/chat/completions", { messages, tools }],
  ["vectors", "/v1/embeddings", { model: "nomic-embed-text", input: "What is 2+2?" }],
  [
    "a tool call",
    "/v1/responses",
    { input: "What is 2+2?", tools: [{ type: "function", name: "add" }] },
  ],
  [
    "a tool call",
    "/v1/messages",
    { messages, max_tokens: 9, tools: [{ name: "add", input_schema: { type: "object" } }] },
  ],
])("%s of %s is marked, streamed or not", async (_what, path, body) => {
  for (const stream of [true, false]) {
    const answer = await fetch(ollama.url + path, {
      method: "POST",
      body: JSON.stringify({ model: "llama3.2", ...body, stream }),
    });
    expect(answer.status).toBe(200);
    expect(await answer.text()).toMatch(/"simulated":(?:true|"true")|"fp_simulated"/);
  }
});

test("the texts of a structured answer are marked, as far as the schema leaves them open", async () => {
  const answer = await fetch(`${ollama.url}/api/chat`, {
    method: "POST",
    body: JSON.stringify({ model: "llama3.2", messages, format: schema, stream: false }),
  });
  const { message } = (await answer.json()) as { message: { content: string } };
  expect(JSON.parse(message.content)).toEqual({ city: "[simulated] Paris", population: 7 });
});

test("the lists of models are marked", async () => {
  const get = async (path: string) => (await fetch(ollama.url + path)).json();
  expect(await get("/api/tags")).toMatchObject({
    models: [{ details: { format: "simulated" } }, {}],
  });
  expect(await get("/v1/models")).toMatchObject({ data: [{ owned_by: "simulated" }, {}] });
});

test("the names of the GPUs are marked", () => {
  for (const { name } of Object.values(GPU_MODELS)) expect(name).toMatch(/ \(simulated\)$/);
});

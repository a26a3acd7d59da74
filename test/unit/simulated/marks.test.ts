/** Nothing that a simulated box answers can be taken for the answer of a model. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { GPU_MODELS } from "../../../simulated/gpus.ts";
import { type SimulatedOllama, startSimulatedOllama } from "../../../simulated/ollama.ts";

let ollama: SimulatedOllama;

beforeAll(async () => {
  ollama = await startSimulatedOllama({ models: ["llama3.2"], tokenMs: 0, loadMsPerGb: 0 });
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

test("the lists of models are marked", async () => {
  const get = async (path: string) => (await fetch(ollama.url + path)).json();
  expect(await get("/api/tags")).toMatchObject({ models: [{ details: { format: "simulated" } }] });
  expect(await get("/v1/models")).toMatchObject({ data: [{ owned_by: "simulated" }] });
});

test("the names of the GPUs are marked", () => {
  for (const { name } of Object.values(GPU_MODELS)) expect(name).toMatch(/ \(simulated\)$/);
});

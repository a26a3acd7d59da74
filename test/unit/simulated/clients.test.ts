/** The published OpenAI and Anthropic clients behave with the simulated Ollama as with a real one. */
import Anthropic from "@anthropic-ai/sdk";
import { Ollama } from "ollama";
import OpenAI from "openai";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type SimulatedOllama, startSimulatedOllama } from "../../../simulated/ollama.ts";
import { args, parameters, pixel, user, weather } from "./calls.ts";

let simulated: SimulatedOllama;
let ollama: Ollama;
let openai: OpenAI;
let anthropic: Anthropic;

beforeAll(async () => {
  simulated = await startSimulatedOllama();
  ollama = new Ollama({ host: simulated.url });
  openai = new OpenAI({ baseURL: `${simulated.url}/v1`, apiKey: "any", maxRetries: 0 });
  anthropic = new Anthropic({ baseURL: simulated.url, apiKey: "any", maxRetries: 0 });
});
afterAll(() => simulated.close());

test("an OpenAI chat stream contains usage once, and only on request", async () => {
  const ask = {
    model: "llama3.2",
    messages: user("hello"),
    max_completion_tokens: 9,
    stream: true as const,
  };
  const silent = [];
  for await (const chunk of await openai.chat.completions.create(ask)) silent.push(chunk);
  expect(silent.filter(({ usage }) => usage)).toEqual([]);
  expect(silent[0]?.choices[0]?.delta.role).toBe("assistant");
  const asked = [];
  for await (const chunk of await openai.chat.completions.create({
    ...ask,
    stream_options: { include_usage: true },
  }))
    asked.push(chunk);
  expect(asked.filter(({ usage }) => usage)).toHaveLength(1);
  expect(asked.at(-1)).toMatchObject({
    choices: [],
    usage: { completion_tokens: 9, prompt_tokens: 11, total_tokens: 20 },
  });
  expect(asked.at(-2)?.choices[0]).toMatchObject({ delta: {}, finish_reason: "length" });
});

test("the OpenAI client chats with tools, images and reasoning", async () => {
  const called = await openai.chat.completions.create({
    model: "llama3.2",
    messages: user("weather?"),
    tools: [weather],
  });
  const [choice] = called.choices;
  expect(choice?.finish_reason).toBe("tool_calls");
  expect(choice?.message.tool_calls?.[0]).toMatchObject({
    type: "function",
    function: { name: "get_weather", arguments: JSON.stringify(args) },
  });
  const url = `data:image/png;base64,${pixel}`;
  const content = [
    { type: "text" as const, text: "what?" },
    { type: "image_url" as const, image_url: { url } },
  ];
  const seen = await openai.chat.completions.create({
    model: "gemma3:12b",
    messages: [{ role: "user", content }],
  });
  expect(seen.usage?.prompt_tokens).toBeGreaterThan(256);
  const reasoned = await openai.chat.completions.create({
    model: "qwen3:8b",
    messages: user("why?"),
    reasoning_effort: "high",
  });
  expect(reasoned.choices[0]?.message).toHaveProperty("reasoning");
});

test("an OpenAI completions stream on request contains zeros until the last chunk", async () => {
  const chunks = [];
  const ask = {
    model: "llama3.2",
    prompt: "once",
    max_tokens: 5,
    stream: true as const,
    stream_options: { include_usage: true },
  };
  for await (const chunk of await openai.completions.create(ask)) chunks.push(chunk);
  expect(chunks.map(({ usage }) => usage?.completion_tokens)).toEqual([0, 0, 0, 0, 0, 0, 5]);
  const whole = await openai.completions.create({
    model: "llama3.2",
    prompt: "once",
    max_tokens: 5,
  });
  expect(whole.choices[0]?.text).toBe(chunks.map(({ choices }) => choices[0]?.text ?? "").join(""));
});

test("the OpenAI client uses responses, embeddings and models", async () => {
  const types = [];
  let final = null;
  for await (const event of await openai.responses.create({
    model: "qwen3:8b",
    input: "why?",
    max_output_tokens: 12,
    stream: true,
  })) {
    types.push(event.type);
    if (event.type === "response.completed") final = event.response;
  }
  expect(types.slice(0, 2)).toEqual(["response.created", "response.in_progress"]);
  expect(types).toContain("response.reasoning_summary_text.delta");
  expect(types).toContain("response.output_text.delta");
  expect(final?.usage).toMatchObject({ output_tokens: 12 });
  const whole = await openai.responses.create({
    model: "qwen3:8b",
    input: "why?",
    max_output_tokens: 12,
  });
  expect(whole.output_text.length).toBeGreaterThan(5);
  const tool = { type: "function" as const, name: "get_weather", parameters, strict: null };
  const called = await openai.responses.create({
    model: "llama3.2",
    input: "weather?",
    tools: [tool],
  });
  expect(called.output).toMatchObject([{ type: "function_call", name: "get_weather" }]);

  const { data, usage } = await openai.embeddings.create({
    model: "nomic-embed-text",
    input: ["one", "two"],
  }); // base64 by default
  expect(data.map(({ embedding }) => embedding.length)).toEqual([768, 768]);
  expect(usage.prompt_tokens).toBe(usage.total_tokens);
  const ids = [];
  for await (const model of openai.models.list()) ids.push(model.id);
  expect(ids).toContain("llama3.2:latest");
  expect(await openai.models.retrieve("qwen3:8b")).toMatchObject({
    id: "qwen3:8b",
    object: "model",
    owned_by: "simulated",
  });
});

test("the Anthropic client sends messages, streamed and not, with thinking and tools", async () => {
  const ask = { model: "qwen3:8b", max_tokens: 15, messages: user("why?") };
  const message = await anthropic.messages.stream(ask).finalMessage();
  expect(message.content.map(({ type }) => type)).toEqual(["thinking", "text"]);
  expect(message.stop_reason).toBe("max_tokens");
  expect(message.usage).toMatchObject({ input_tokens: 11, output_tokens: 15 });
  expect((await anthropic.messages.create(ask)).content).toEqual(message.content);
  const tools = [{ name: "get_weather", input_schema: { ...parameters, type: "object" as const } }];
  const called = await anthropic.messages
    .stream({ ...ask, model: "llama3.2", tools })
    .finalMessage();
  expect(called.stop_reason).toBe("tool_use");
  expect(called.content).toMatchObject([{ type: "tool_use", name: "get_weather", input: args }]);
});

test("each client raises the errors of its own API", async () => {
  const model = "nobody-has-this";
  await expect(ollama.chat({ model, messages: user("x") })).rejects.toMatchObject({
    status_code: 404,
    error: `model '${model}' not found`,
  });
  await expect(
    openai.chat.completions.create({ model, messages: user("x") }),
  ).rejects.toMatchObject({
    status: 404,
    type: "not_found_error",
  });
  await expect(openai.chat.completions.create({ model, messages: [] })).rejects.toThrow(
    "[] is too short - 'messages'",
  );
  await expect(
    anthropic.messages.create({ model, max_tokens: 5, messages: user("x") }),
  ).rejects.toMatchObject({
    status: 404,
    error: {
      type: "error",
      error: { type: "not_found_error", message: `model '${model}' not found` },
    },
  });
});

/** The published Ollama, OpenAI and Anthropic clients through the tunnel. */
import Anthropic from "@anthropic-ai/sdk";
import { Ollama } from "ollama";
import OpenAI from "openai";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type SimulatedOllama, startSimulatedOllama } from "../../simulated/ollama.ts";
import { eventually, TestStack } from "../support/stack.ts";
import { EMBEDDER, MODEL, messages, WEATHER } from "./requests.ts";

const PIXEL =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
let stack: TestStack;
let simulated: SimulatedOllama;
let ollama: Ollama;
let openai: OpenAI;
let anthropic: Anthropic;

beforeAll(async () => {
  simulated = await startSimulatedOllama({
    models: [`${MODEL}:latest`, `${EMBEDDER}:latest`],
    tokenMs: 1,
    loadMsPerGb: 0,
  });
  stack = await TestStack.start();
  await stack.startAgent({ name: "sdk", ollamaUrl: simulated.url });
  ollama = new Ollama({ host: `${stack.url}/ollama` });
  openai = new OpenAI({ baseURL: `${stack.url}/v1`, apiKey: "none", maxRetries: 0 });
  anthropic = new Anthropic({ baseURL: `${stack.url}/ollama`, authToken: "none", maxRetries: 0 });
});

afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  await simulated?.close();
});

test("ollama: lists models, shows one, and returns the loaded models and the version", async () => {
  const direct = new Ollama({ host: simulated.url });
  expect(await ollama.list()).toEqual(await direct.list());
  expect(await ollama.show({ model: MODEL })).toEqual(await direct.show({ model: MODEL }));
  expect((await ollama.ps()).models).toBeInstanceOf(Array);
  expect(await ollama.version()).toEqual(await direct.version());
});

test("ollama: chats, streamed and not, with the same text", async () => {
  const options = { num_predict: 12, seed: 7 };
  const whole = await ollama.chat({ model: MODEL, messages, options });
  let text = "";
  for await (const part of await ollama.chat({ model: MODEL, messages, options, stream: true }))
    text += part.message.content;
  expect(whole.eval_count).toBe(12);
  expect(text).toBe(whole.message.content);
});

test("ollama: works at the root of the edge, without /ollama", async () => {
  const bare = new Ollama({ host: stack.url });
  const options = { num_predict: 5, seed: 7 };
  expect(await bare.list()).toEqual(await ollama.list());
  const whole = await bare.chat({ model: MODEL, messages, options });
  expect(whole).toMatchObject({ eval_count: 5, message: { role: "assistant" } });
  let text = "";
  for await (const part of await bare.chat({ model: MODEL, messages, options, stream: true }))
    text += part.message.content;
  expect(text).toBe(whole.message.content);
  expect((await bare.generate({ model: MODEL, prompt: "Why?", options })).eval_count).toBe(5);
  await expect(bare.chat({ model: "nope", messages })).rejects.toMatchObject({
    status_code: 404,
    error: expect.stringContaining("nope"),
  });
});

test("ollama: generates, embeds, accepts images and calls tools", async () => {
  const generated = await ollama.generate({
    model: MODEL,
    prompt: "Why?",
    images: [PIXEL],
    options: { num_predict: 4 },
  });
  expect(generated).toMatchObject({ done: true, eval_count: 4 });
  const embedded = await ollama.embed({ model: EMBEDDER, input: ["one", "two"] });
  expect(embedded.embeddings).toHaveLength(2);
  const called = await ollama.chat({ model: MODEL, messages, tools: [WEATHER] });
  expect(called.message.tool_calls?.[0]?.function.name).toBe("get_weather");
});

test("ollama: pulls with progress and deletes", async () => {
  const seen: string[] = [];
  for await (const part of await ollama.pull({ model: "qwen3:0.6b", stream: true }))
    seen.push(part.status);
  expect(seen.at(-1)).toBe("success");
  expect((await ollama.list()).models.map(({ name }) => name)).toContain("qwen3:0.6b");
  await ollama.delete({ model: "qwen3:0.6b" });
  expect((await ollama.list()).models.map(({ name }) => name)).not.toContain("qwen3:0.6b");
});

test("ollama: raises Ollama's own error for an unknown model", async () => {
  await expect(ollama.chat({ model: "nope", messages })).rejects.toMatchObject({
    status_code: 404,
    error: expect.stringContaining("nope"),
  });
});

test("ollama: stops the stream and the box when aborted", async () => {
  const seen = simulated.requests().length;
  const stream = await ollama.chat({
    model: MODEL,
    messages,
    stream: true,
    options: { num_predict: 5_000 },
  });
  await expect(
    (async () => {
      for await (const _ of stream) stream.abort();
    })(),
  ).rejects.toThrow();
  await eventually(async () => simulated.requests()[seen]?.aborted);
});

test("openai: transcribes audio, recorded with its model and text", async () => {
  const file = await OpenAI.toFile(Buffer.from("RIFF....WAVEfmt "), "a.wav");
  const direct = new OpenAI({ baseURL: `${simulated.url}/v1`, apiKey: "none" });
  const call = { model: MODEL, file };
  // Ollama's answer has the type of a stream, so the client does not parse it.
  const { data, response } = await openai.audio.transcriptions.create(call).withResponse();
  expect(data).toEqual(await direct.audio.transcriptions.create(call));
  expect(await stack.record(String(response.headers.get("x-request-id")))).toMatchObject({
    endpoint: "/v1/audio/transcriptions",
    api: "openai",
    model: MODEL,
    status: "success",
    response: (JSON.parse(String(data)) as { text: string }).text,
    prompt_tokens: null,
  });
  await expect(
    openai.audio.transcriptions.create({ model: "gpt-oss:cloud", file }),
  ).rejects.toMatchObject({ status: 403 });
  const status = await fetch(`${stack.url}/api/status`);
  expect(await status.json()).toEqual({ cloud: { disabled: false, source: "none" } });
});

test("openai: chats, streamed and not, with usage if requested", async () => {
  const whole = await openai.chat.completions.create({ model: MODEL, messages, max_tokens: 6 });
  expect(whole.usage?.completion_tokens).toBe(6);
  const chunks = [];
  for await (const chunk of await openai.chat.completions.create({
    model: MODEL,
    messages,
    max_tokens: 6,
    stream: true,
    stream_options: { include_usage: true },
  }))
    chunks.push(chunk);
  expect(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("")).toBe(
    whole.choices[0]?.message.content,
  );
  expect(chunks.at(-1)?.usage?.completion_tokens).toBe(6);
});

test("openai: hides usage unless the caller requests it", async () => {
  for await (const chunk of await openai.chat.completions.create({
    model: MODEL,
    messages,
    max_tokens: 3,
    stream: true,
  })) {
    expect(chunk.choices).toHaveLength(1);
    expect(chunk.usage ?? null).toBeNull();
  }
  for await (const chunk of await openai.completions.create({
    model: MODEL,
    prompt: "x",
    max_tokens: 3,
    stream: true,
  })) {
    expect(chunk.choices).toHaveLength(1);
    expect(chunk.usage ?? null).toBeNull();
  }
});

test("openai: accepts images, calls tools, embeds, responds and lists models", async () => {
  const seen = await openai.chat.completions.create({
    model: MODEL,
    max_tokens: 2,
    messages: [
      {
        role: "user",
        content: [
          { type: "text", text: "What is it?" },
          { type: "image_url", image_url: { url: `data:image/png;base64,${PIXEL}` } },
        ],
      },
    ],
  });
  expect(seen.choices).toHaveLength(1);
  const called = await openai.chat.completions.create({ model: MODEL, messages, tools: [WEATHER] });
  expect(called.choices[0]?.message.tool_calls?.[0]).toMatchObject({
    function: { name: "get_weather" },
  });
  expect(
    (await openai.embeddings.create({ model: EMBEDDER, input: "x", encoding_format: "float" }))
      .data[0]?.embedding.length,
  ).toBeGreaterThan(0);
  const answered = await openai.responses.create({
    model: MODEL,
    input: "Hello",
    max_output_tokens: 4,
  });
  expect(answered.usage?.output_tokens).toBe(4);
  const events = [];
  for await (const event of await openai.responses.create({
    model: MODEL,
    input: "Hello",
    max_output_tokens: 4,
    stream: true,
  }))
    events.push(event.type);
  expect(events.at(-1)).toBe("response.completed");
  expect((await openai.models.list()).data.map(({ id }) => id)).toContain(`${MODEL}:latest`);
  expect((await openai.models.retrieve(`${MODEL}:latest`)).id).toBe(`${MODEL}:latest`);
});

test("openai: raises errors of Ollama and of the edge as different classes of the client", async () => {
  await expect(openai.chat.completions.create({ model: "nope", messages })).rejects.toBeInstanceOf(
    OpenAI.NotFoundError,
  );
  const refused = await openai.chat.completions
    .create({ model: "x:cloud", messages })
    .catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(OpenAI.PermissionDeniedError);
  expect((refused as InstanceType<typeof OpenAI.APIError>).headers?.get("x-failed-at")).toBe(
    "gateway",
  );
});

test("anthropic: sends messages, streamed and not, with usage and tools", async () => {
  const whole = await anthropic.messages.create({ model: MODEL, max_tokens: 5, messages });
  expect(whole.usage.output_tokens).toBe(5);
  const stream = anthropic.messages.stream({ model: MODEL, max_tokens: 5, messages });
  const final = await stream.finalMessage();
  expect(final.content).toEqual(whole.content);
  const called = await anthropic.messages.create({
    model: MODEL,
    max_tokens: 50,
    messages,
    tools: [
      {
        name: "get_weather",
        input_schema: { type: "object", properties: { city: { type: "string" } } },
      },
    ],
  });
  expect(called.content.some(({ type }) => type === "tool_use")).toBe(true);
  await expect(
    anthropic.messages.create({ model: "nope", max_tokens: 5, messages }),
  ).rejects.toBeInstanceOf(Anthropic.NotFoundError);
});

test("every client raises an error when Ollama breaks off a stream", async () => {
  const broken = async (run: () => Promise<unknown>) => {
    simulated.fault([{ kind: "drop", after_chunks: 2 }]);
    await expect(run()).rejects.toThrow();
    simulated.fault([]);
  };
  await broken(async () => {
    for await (const _ of await ollama.chat({ model: MODEL, messages, stream: true }));
  });
  await broken(async () => {
    for await (const _ of await openai.chat.completions.create({
      model: MODEL,
      messages,
      stream: true,
    }));
  });
  await broken(() =>
    anthropic.messages.stream({ model: MODEL, max_tokens: 50, messages }).finalMessage(),
  );
});

test("the log holds each of these calls, with its API and its tokens", async () => {
  const { logs } = await eventually(async () => {
    const page = await stack.logs();
    return page.logs.some(({ endpoint }) => endpoint === "/v1/messages") ? page : undefined;
  });
  for (const endpoint of [
    "/api/chat",
    "/api/generate",
    "/v1/chat/completions",
    "/v1/responses",
    "/v1/messages",
  ]) {
    const entry = logs.find((log) => log.endpoint === endpoint && log.status === "success");
    expect(entry, endpoint).toBeDefined();
    expect(entry?.completion_tokens, endpoint).toBeGreaterThan(0);
  }
  expect(logs.find(({ endpoint }) => endpoint === "/api/embed")?.prompt_tokens).toBeGreaterThan(0);
});

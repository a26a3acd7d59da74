/** The published clients cannot tell the simulated Ollama from a real one. */
import Anthropic from "@anthropic-ai/sdk";
import { Ollama } from "ollama";
import OpenAI from "openai";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type SimulatedOllama, startSimulatedOllama } from "../../../simulated/ollama.ts";

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

const user = (content: string) => [{ role: "user" as const, content }];
const parameters = {
  type: "object",
  properties: {
    city: { type: "string" },
    days: { type: "integer" },
    unit: { type: "string", enum: ["celsius", "kelvin"] },
  },
  required: ["city"],
};
const weather = {
  type: "function" as const,
  function: { name: "get_weather", description: "Weather now", parameters },
};
const args = { city: "Paris", days: 7, unit: "celsius" };
const pixel =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

test("ollama: a streamed chat ends with its metrics, and says what the unstreamed one says", async () => {
  const ask = { model: "llama3.2", messages: user("hello"), options: { num_predict: 12 } };
  let text = "";
  let chunks = 0;
  let last = null;
  for await (const part of await ollama.chat({ ...ask, stream: true })) {
    text += part.message.content;
    chunks++;
    last = part;
  }
  expect(chunks).toBe(13);
  expect(last).toMatchObject({
    done: true,
    done_reason: "length",
    eval_count: 12,
    prompt_eval_count: 11,
  });
  expect(last?.total_duration).toBeGreaterThanOrEqual(
    (last?.load_duration ?? 0) + (last?.eval_duration ?? 0),
  );
  const whole = await ollama.chat(ask);
  expect(whole.message.content).toBe(text);
  expect(whole.eval_count).toBe(12);
});

test("ollama: generate streams, gives a context, and loads or unloads without a prompt", async () => {
  let text = "";
  let context: number[] | undefined;
  for await (const part of await ollama.generate({
    model: "llama3.2",
    prompt: "hello",
    stream: true,
  })) {
    text += part.response;
    context = part.context;
  }
  expect(text.length).toBeGreaterThan(20);
  expect(context?.length).toBeGreaterThan(0);
  expect(await ollama.generate({ model: "gemma3:12b", prompt: "" })).toMatchObject({
    done: true,
    done_reason: "load",
    response: "",
  });
  expect((await ollama.ps()).models.map(({ name }) => name)).toContain("gemma3:12b");
  expect(await ollama.generate({ model: "gemma3:12b", prompt: "", keep_alive: 0 })).toMatchObject({
    done_reason: "unload",
  });
  expect((await ollama.ps()).models.map(({ name }) => name)).not.toContain("gemma3:12b");
});

test("ollama: tools, thinking, images and formats", async () => {
  const called = await ollama.chat({
    model: "llama3.2",
    messages: user("weather?"),
    tools: [weather],
  });
  expect(called.message.tool_calls).toMatchObject([
    { function: { name: "get_weather", arguments: args } },
  ]);
  const answered = await ollama.chat({
    model: "llama3.2",
    messages: [...user("weather?"), { role: "tool", content: "12 C" }],
    tools: [weather],
  });
  expect(answered.message.tool_calls).toBeUndefined();

  const thinking = await ollama.chat({ model: "qwen3:8b", messages: user("why?"), think: true });
  expect(thinking.message.thinking?.length).toBeGreaterThan(5);
  expect(
    (await ollama.chat({ model: "qwen3:8b", messages: user("why?"), think: false })).message
      .thinking,
  ).toBeUndefined();
  await expect(
    ollama.chat({ model: "llama3.2", messages: user("why?"), think: true }),
  ).rejects.toThrow('"llama3.2" does not support thinking');

  const seen = await ollama.chat({
    model: "gemma3:12b",
    messages: [{ role: "user", content: "what?", images: [pixel] }],
  });
  expect(seen.prompt_eval_count).toBeGreaterThan(256);
  const shaped = await ollama.chat({ model: "llama3.2", messages: user("x"), format: parameters });
  expect(JSON.parse(shaped.message.content)).toEqual(args);
});

test("ollama: embeddings by both routes; the older one counts no tokens", async () => {
  const { embeddings, prompt_eval_count } = await ollama.embed({
    model: "nomic-embed-text",
    input: ["one", "two"],
  });
  expect(embeddings.map((vector) => vector.length)).toEqual([768, 768]);
  expect(embeddings[0]).not.toEqual(embeddings[1]);
  expect(Math.hypot(...(embeddings[0] ?? []))).toBeCloseTo(1, 5);
  expect(prompt_eval_count).toBeGreaterThan(0);
  const older = await ollama.embeddings({ model: "nomic-embed-text", prompt: "one" });
  expect(older).toEqual({ embedding: embeddings[0] });
  await expect(ollama.chat({ model: "nomic-embed-text", messages: user("x") })).rejects.toThrow(
    "does not support chat",
  );
});

test("ollama: pull, copy, show, create, push and delete", async () => {
  const lines: string[] = [];
  for await (const { status } of await ollama.pull({ model: "phi4", stream: true }))
    lines.push(status);
  expect(lines[0]).toBe("pulling manifest");
  expect(lines.slice(-3)).toEqual(["verifying sha256 digest", "writing manifest", "success"]);
  await ollama.copy({ source: "phi4", destination: "mine:v1" });
  expect((await ollama.show({ model: "mine:v1" })).details.format).toBe("gguf");
  expect(await ollama.create({ model: "other", from: "phi4", stream: false })).toMatchObject({
    status: "success",
  });
  expect(await ollama.push({ model: "phi4", stream: false })).toMatchObject({ status: "success" });
  for (const model of ["phi4", "mine:v1", "other"]) await ollama.delete({ model });
  expect((await ollama.list()).models.map(({ name }) => name)).not.toContain("phi4:latest");
  await expect(ollama.delete({ model: "phi4" })).rejects.toThrow("model 'phi4' not found");
  await expect(ollama.pull({ model: "missing-model" })).rejects.toThrow(
    "pull model manifest: file does not exist",
  );
});

test("openai: a chat stream carries usage once, and only when asked", async () => {
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

test("openai: chat with tools, pictures and reasoning", async () => {
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

test("openai: a completions stream carries zeros until the last chunk, when asked", async () => {
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

test("openai: responses, embeddings and models", async () => {
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
    owned_by: "library",
  });
});

test("anthropic: messages, streamed and not, with thinking and tools", async () => {
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

test("each client gets the errors of its own API", async () => {
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

/** The published Ollama client behaves with the simulated Ollama as with a real one. */
import { Ollama } from "ollama";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type SimulatedOllama, startSimulatedOllama } from "../../../simulated/ollama.ts";
import { args, parameters, pixel, user, weather } from "./calls.ts";

let simulated: SimulatedOllama;
let ollama: Ollama;

beforeAll(async () => {
  simulated = await startSimulatedOllama();
  ollama = new Ollama({ host: simulated.url });
});
afterAll(() => simulated.close());

test("a streamed chat ends with its metrics and has the text of the unstreamed one", async () => {
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

test("generate streams, returns a context, and loads or unloads the model if the prompt is empty", async () => {
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

test("chat supports tools, thinking, images and formats", async () => {
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
  expect(JSON.parse(shaped.message.content)).toEqual({ ...args, city: "[simulated] Paris" });
});

test("both routes return embeddings, and the older one counts no tokens", async () => {
  const { embeddings, prompt_eval_count } = await ollama.embed({
    model: "nomic-embed-text",
    input: ["one", "two"],
  });
  expect(embeddings.map((vector) => vector.length)).toEqual([768, 768]);
  expect(embeddings[0]).not.toEqual(embeddings[1]);
  expect(Math.hypot(...(embeddings[0] ?? []))).toBeCloseTo(1, 5);
  expect(prompt_eval_count).toBeGreaterThan(0);
  const older = await ollama.embeddings({ model: "nomic-embed-text", prompt: "one" });
  expect(older).toEqual({ embedding: embeddings[0], simulated: true });
  await expect(ollama.chat({ model: "nomic-embed-text", messages: user("x") })).rejects.toThrow(
    "does not support chat",
  );
});

test("the Ollama client pulls, copies, shows, creates, pushes and deletes models", async () => {
  const lines: string[] = [];
  for await (const { status } of await ollama.pull({ model: "phi4", stream: true }))
    lines.push(status);
  expect(lines[0]).toBe("pulling manifest");
  expect(lines.slice(-3)).toEqual(["verifying sha256 digest", "writing manifest", "success"]);
  await ollama.copy({ source: "phi4", destination: "mine:v1" });
  expect((await ollama.show({ model: "mine:v1" })).details.format).toBe("simulated");
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

/**
 * Callers who wait for long, with the published clients: headers and signs of life before Ollama's
 * answer, then that answer or its error.
 */
import Anthropic from "@anthropic-ai/sdk";
import { Ollama } from "ollama";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type SimulatedOllama, startSimulatedOllama } from "../../simulated/ollama.ts";
import { eventually, TestStack } from "../support/stack.ts";
import { messages } from "./requests.ts";

let stack: TestStack;
let simulated: SimulatedOllama;
let slow: SimulatedOllama;

beforeAll(async () => {
  simulated = await startSimulatedOllama({
    models: ["stays:latest", "gone:latest"],
    tokenMs: 1,
    loadMsPerGb: 0,
    slotsPerModel: 1,
  });
  // Its load takes longer than any test.
  slow = await startSimulatedOllama({ models: ["cold:latest"], loadMsPerGb: 1_000_000 });
  stack = await TestStack.start();
  await stack.startAgent({ name: "loading", ollamaUrl: slow.url });
  await stack.startAgent({
    name: "busy",
    ollamaUrl: simulated.url,
    env: { OLLAMA_NUM_PARALLEL: "1" },
  });
});

afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  await simulated?.close();
  await slow?.close();
});

/** Takes the only slot of a model. Returns the end of that. */
async function takeSlot(model: string): Promise<() => void> {
  const leaving = new AbortController();
  void fetch(`${stack.url}/ollama/api/generate`, {
    method: "POST",
    body: JSON.stringify({ model, prompt: "Why?", options: { num_predict: 1_000_000 } }),
    signal: leaving.signal,
  })
    .then((answer) => answer.text())
    .catch(() => {});
  await eventually(async () =>
    simulated.requests().some(({ body }) => body.includes(`"${model}"`)),
  );
  return () => leaving.abort();
}

/** The answers that the clients have received, as far as their headers. */
class Answers {
  readonly heads: { path: string; status: number; headers: Headers }[] = [];

  readonly fetch: typeof fetch = async (input, init) => {
    const answer = await fetch(input, init);
    const path = new URL(input instanceof Request ? input.url : String(input)).pathname;
    this.heads.push({ path, status: answer.status, headers: answer.headers });
    return answer;
  };
}

/** One streamed call of each kind, by its path. Resolves with the text of the answer. */
function callsTo(model: string, answers: Answers): Record<string, () => Promise<string>> {
  const { fetch } = answers;
  const plain = { maxRetries: 0, fetch };
  const ollama = new Ollama({ host: `${stack.url}/ollama`, fetch });
  const openai = new OpenAI({ baseURL: `${stack.url}/v1`, apiKey: "none", ...plain });
  const anthropic = new Anthropic({ baseURL: `${stack.url}/ollama`, authToken: "none", ...plain });
  const options = { num_predict: 3, seed: 7 };
  return {
    "/ollama/api/chat": async () => {
      let text = "";
      for await (const part of await ollama.chat({ model, messages, options, stream: true }))
        text += part.message.content;
      return text;
    },
    "/ollama/api/generate": async () => {
      let text = "";
      for await (const part of await ollama.generate({
        model,
        prompt: "Why?",
        options,
        stream: true,
      }))
        text += part.response;
      return text;
    },
    "/v1/chat/completions": async () => {
      let text = "";
      for await (const chunk of await openai.chat.completions.create({
        model,
        messages,
        max_tokens: 3,
        stream: true,
      }))
        text += chunk.choices[0]?.delta.content ?? "";
      return text;
    },
    "/v1/completions": async () => {
      let text = "";
      for await (const chunk of await openai.completions.create({
        model,
        prompt: "Why?",
        max_tokens: 3,
        stream: true,
      }))
        text += chunk.choices[0]?.text ?? "";
      return text;
    },
    "/v1/responses": async () => {
      let text = "";
      for await (const event of await openai.responses.create({
        model,
        input: "Why?",
        max_output_tokens: 3,
        stream: true,
      }))
        if (event.type === "response.output_text.delta") text += event.delta;
      return text;
    },
    "/ollama/v1/messages": async () => {
      const message = await anthropic.messages
        .stream({ model, max_tokens: 3, messages: [{ role: "user", content: "Why?" }] })
        .finalMessage();
      const [block] = message.content;
      return block?.type === "text" ? block.text : "";
    },
  };
}

/** Each test waits for the 12 s after which an answer begins early. */
describe.concurrent("a wait of more than 12 s", () => {
  test("gives each client headers with its place, and then the whole answer", async () => {
    const answers = new Answers();
    const calls = callsTo("stays", answers);
    const paths = Object.keys(calls);
    const freeSlot = await takeSlot("stays");
    const texts = Promise.all(Object.values(calls).map((call) => call()));
    texts.catch(() => {});
    const whole = fetch(`${stack.url}/ollama/api/chat`, {
      method: "POST",
      body: JSON.stringify({
        model: "stays",
        messages,
        stream: false,
        options: { num_predict: 3 },
      }),
    });
    await eventually(async () => answers.heads.length === paths.length);
    expect(answers.heads.map(({ path }) => path).sort()).toEqual(paths.sort());
    for (const { path, status, headers } of answers.heads) {
      const isEvents = path.includes("/v1/");
      expect(headers.get("content-type")).toBe(
        isEvents ? "text/event-stream" : "application/x-ndjson",
      );
      expect([status, headers.get("x-box")]).toEqual([200, "busy"]);
      expect(headers.get("x-request-id")).not.toBeNull();
      expect(Number(headers.get("x-queue-position"))).toBeGreaterThan(0);
    }
    freeSlot();
    for (const text of await texts) expect(text.length).toBeGreaterThan(0);
    const late = await whole;
    expect(await late.json()).toMatchObject({ eval_count: 3 });
    expect(Number(late.headers.get("x-queue-position"))).toBeGreaterThan(0);
    expect(Number(late.headers.get("x-queue-waited-ms"))).toBeGreaterThan(1_000);
  });

  test("has each client raise an error of Ollama, which is recorded with status 200", async () => {
    const answers = new Answers();
    const calls = callsTo("gone", answers);
    const freeSlot = await takeSlot("gone");
    const failures = Promise.all(
      Object.values(calls).map((call) => call().then(String, (error: Error) => error)),
    );
    await eventually(async () => answers.heads.length === Object.keys(calls).length);
    await fetch(`${simulated.url}/api/delete`, {
      method: "DELETE",
      body: JSON.stringify({ model: "gone" }),
    });
    freeSlot();
    for (const failure of await failures) {
      expect(failure).toBeInstanceOf(Error);
      expect(String(failure)).toContain("not found");
    }
    for (const { headers } of answers.heads)
      expect(await stack.record(String(headers.get("x-request-id")))).toMatchObject({
        status: "error",
        http_status: 200,
        failed_at: "ollama",
        error_message: expect.stringContaining("not found"),
      });
  });

  test("shows the load of a model, and a caller who leaves is recorded as cancelled", async () => {
    const leaving = new AbortController();
    const answer = await fetch(`${stack.url}/v1/chat/completions`, {
      method: "POST",
      body: JSON.stringify({ model: "cold", messages, stream: true }),
      signal: leaving.signal,
    });
    const first = await (answer.body as ReadableStream<Uint8Array>).getReader().read();
    expect(new TextDecoder().decode(first.value)).toBe(": loading the model\n\n");
    expect([answer.status, answer.headers.get("x-queue-position")]).toEqual([200, null]);
    leaving.abort();
    expect(await stack.record(String(answer.headers.get("x-request-id")))).toMatchObject({
      status: "cancelled",
      http_status: 200,
      box: "loading",
    });
  });
});

/** The phases of calls to APIs that report no durations, against what the box really did. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { LIKELY, TRUNCATED_HEADER } from "../../protocol/answer-headers.ts";
import type { LogEntry } from "../../protocol/api/logs.ts";
import { type SimulatedOllama, startSimulatedOllama } from "../../simulated/ollama.ts";
import { eventually, TestStack } from "../support/stack.ts";
import { MODEL } from "./requests.ts";

const TOKEN_MS = 20;
const TOKENS = 30;
const PREFILL_MS = 600;
/** Long enough for that prefill: a prompt token takes no longer than a generated one. */
const PROMPT = "sea ".repeat(60);
const messages = [{ role: "user", content: PROMPT }];
/** The stated accuracy. */
const WITHIN = 0.05;

let stack: TestStack;
let simulated: SimulatedOllama;

beforeAll(async () => {
  simulated = await startSimulatedOllama({
    models: [`${MODEL}:latest`],
    tokenMs: TOKEN_MS,
    loadMsPerGb: 0,
  });
  stack = await TestStack.start();
  await stack.startAgent({ name: "phases", ollamaUrl: simulated.url });
  simulated.fault([{ kind: "slow_first_token", ms: PREFILL_MS }]);
});

afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  await simulated?.close();
});

async function recordOfCall(path: string, body: object): Promise<LogEntry> {
  simulated.fault([{ kind: "slow_first_token", ms: PREFILL_MS }]);
  const answer = await fetch(stack.url + path, {
    method: "POST",
    body: JSON.stringify({ model: MODEL, messages, max_tokens: TOKENS, ...body }),
  });
  await answer.text();
  expect(answer.status).toBe(200);
  return stack.record(answer.headers.get("x-request-id"));
}

const native = (): Promise<LogEntry> =>
  recordOfCall("/ollama/api/chat", { options: { num_predict: TOKENS } });

test.each(["/v1/chat/completions", "/v1/responses", "/ollama/v1/messages"])(
  "infers the phases of a streamed call to %s, and marks them",
  async (path) => {
    const body =
      path === "/v1/responses" ? { input: PROMPT, max_output_tokens: TOKENS } : undefined;
    for (let i = 0; i < 4; i++) expect(await native()).toMatchObject({ phases_source: "ollama" });
    // The model counts as loaded only for a while after the agent's last poll.
    const record = await eventually(async () => {
      const found = await recordOfCall(path, { stream: true, ...body });
      return found.prefill_ms !== null && found;
    });
    expect(record).toMatchObject({ status: "success", phases_source: "inferred" });
    const { ttft_ms, queue_ms, load_ms, prefill_ms, decode_ms, latency_ms } = record;
    expect(prefill_ms).toBeGreaterThan((1 - WITHIN) * PREFILL_MS);
    expect(prefill_ms).toBeLessThanOrEqual(ttft_ms ?? 0);
    const before = (queue_ms ?? 0) + (load_ms ?? 0) + (prefill_ms ?? 0);
    expect(Math.abs(before / (ttft_ms ?? 0) - 1)).toBeLessThan(WITHIN);
    expect(decode_ms).toBeGreaterThan((1 - WITHIN) * TOKEN_MS * 20);
    expect(decode_ms).toBeLessThanOrEqual(latency_ms - (ttft_ms ?? 0));
  },
);

test("names a prompt that did not fit into the context, on the record and where it can before the answer", async () => {
  const chat = async (words: number) => {
    const answer = await fetch(`${stack.url}/ollama/api/chat`, {
      method: "POST",
      body: JSON.stringify({
        ...{ model: MODEL, options: { num_ctx: 64, num_predict: 1 } },
        messages: [{ role: "user", content: "sea ".repeat(words) }],
      }),
    });
    await answer.text();
    const header = answer.headers.get(TRUNCATED_HEADER);
    return { header, record: await stack.record(answer.headers.get("x-request-id")) };
  };
  const context_length = 64;
  const fits = { prompt_chars: 40, context_length, prompt_truncated: false };
  expect(await chat(10)).toMatchObject({ header: null, record: fits });
  // Words of four characters may be tokens of six: only the count of Ollama shows it.
  const cut = { prompt_chars: 320, context_length, prompt_truncated: true, prompt_tokens: 64 };
  expect(await chat(80)).toMatchObject({ header: null, record: cut });
  const record = { prompt_chars: 1_600, prompt_truncated: true };
  expect(await chat(400)).toMatchObject({ header: LIKELY, record });
});

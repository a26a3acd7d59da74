/** Each fault of the simulated Ollama, as a caller of each API receives it. */
import { afterEach, beforeEach, expect, test } from "vitest";
import * as z from "zod";
import type { Fault } from "../../../simulated/faults.ts";
import { type SimulatedOllama, startSimulatedOllama } from "../../../simulated/ollama.ts";
import { waitFor } from "../../support/wait-for.ts";

let simulated: SimulatedOllama;
beforeEach(async () => {
  simulated = await startSimulatedOllama();
});
afterEach(() => simulated.close());

const chat = (more: Record<string, unknown> = {}) => ({
  model: "llama3.2",
  messages: [{ role: "user", content: "hi" }],
  ...more,
});
const post = (path: string, body: unknown, init: RequestInit = {}) =>
  fetch(simulated.url + path, {
    method: "POST",
    body: typeof body === "string" ? body : JSON.stringify(body),
    ...init,
  });

const STREAM = chat({ stream: true, max_tokens: 6, options: { num_predict: 6 } });
const FAULTS: [name: string, path: string, fault: Fault, expected: RegExp][] = [
  [
    "an error line under 200",
    "/api/chat",
    { kind: "error_line", after_chunks: 2, message: "boom" },
    /\n\{"error":"boom"\}\n$/,
  ],
  ["a stream without its last line", "/api/chat", { kind: "no_terminator" }, /"done":false\}\n$/],
  [
    "a line that is not JSON, then the rest",
    "/api/chat",
    { kind: "malformed", after_chunks: 2 },
    /"created_at":"2026-1\n[\s\S]*"done":true/,
  ],
  [
    "an empty chunk and no [DONE] when an OpenAI stream fails",
    "/v1/chat/completions",
    { kind: "error_line", after_chunks: 2 },
    /"content":""\},"finish_reason":null\}\]\}\n\n$/,
  ],
  [
    "an OpenAI stream without [DONE]",
    "/v1/chat/completions",
    { kind: "no_terminator" },
    /"finish_reason":null\}\]\}\n\n$/,
  ],
  [
    "no message_stop when an Anthropic stream fails",
    "/v1/messages",
    { kind: "error_line", after_chunks: 2 },
    /content_block_delta[^\n]*\n\n$/,
  ],
];

test.each(FAULTS)("sends %s", async (_name, path, fault, expected) => {
  simulated.fault([fault]);
  const response = await post(path, STREAM);
  expect(response.status).toBe(200);
  expect(await response.text()).toMatch(expected);
});

test("cuts the connection after the configured number of chunks, streamed or not", async () => {
  simulated.fault([{ kind: "drop", after_chunks: 3 }]);
  const response = await post("/api/chat", STREAM);
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  const readAll = async () => {
    for (let step = await reader?.read(); step?.done === false; step = await reader?.read())
      text += step.value;
  };
  await expect(readAll()).rejects.toThrow();
  expect(text.split("\n")).toHaveLength(4);
  const whole = await post("/api/chat", { ...STREAM, stream: false });
  await expect(whole.text()).rejects.toThrow();
});

test("reports a busy server in the format of each API", async () => {
  simulated.fault([{ kind: "busy" }]);
  for (const [path, type] of [
    ["/api/chat", null],
    ["/v1/chat/completions", "api_error"],
    ["/v1/messages", "overloaded_error"],
  ] as const) {
    const response = await post(path, STREAM);
    expect(response.status).toBe(503);
    const text = await response.text();
    expect(text).toContain("server busy, please try again.  maximum pending requests exceeded");
    if (type !== null) expect(text).toContain(`"type":"${type}"`);
  }
});

test("hangs until the caller disconnects", async () => {
  simulated.fault([{ kind: "hang", path: "/api/chat", times: 1 }]);
  const leaving = new AbortController();
  const hanging = post("/api/chat", STREAM, { signal: leaving.signal });
  await waitFor(() => expect(simulated.requests()).toHaveLength(1));
  leaving.abort();
  await expect(hanging).rejects.toThrow();
  await waitFor(() => expect(simulated.requests()[0]?.aborted).toBe(true));
  expect((await post("/api/chat", STREAM)).status).toBe(200);
});

test("counts a slow first token as prefill", async () => {
  simulated.fault([{ kind: "slow_first_token", ms: 60 }]);
  const { prompt_eval_duration } = await post("/api/chat", { ...STREAM, stream: false }).then(
    async (response) => Whole.parse(await response.json()),
  );
  expect(prompt_eval_duration).toBeGreaterThan(55e6);
});

test("sets faults over HTTP and refuses unknown ones", async () => {
  expect((await post("/_simulated/faults", [{ kind: "busy", times: 1 }])).status).toBe(200);
  expect((await post("/api/chat", STREAM)).status).toBe(503);
  expect((await post("/api/chat", STREAM)).status).toBe(200);
  expect((await post("/_simulated/faults", [{ kind: "earthquake" }])).status).toBe(400);
  expect(simulated.requests().map(({ path }) => path)).toEqual(["/api/chat", "/api/chat"]);
});

const Whole = z.object({ prompt_eval_duration: z.number() });

/** Behaviour below the client libraries: status lines, headers and bodies as Ollama sends them, queues, and callers that disconnect. */
import { request } from "node:http";
import { afterEach, beforeEach, expect, test } from "vitest";
import * as z from "zod";
import { type SimulatedOllama, startSimulatedOllama } from "../../../simulated/ollama.ts";
import { waitFor } from "../../support/wait-for.ts";

let simulated: SimulatedOllama;
beforeEach(async () => {
  simulated = await startSimulatedOllama();
});
afterEach(() => simulated.close());

const NDJSON = "application/x-ndjson";
const JSON_UTF8 = "application/json; charset=utf-8";
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

const ANSWERS: [
  name: string,
  method: string,
  path: string,
  body: string | null,
  status: number,
  type: string | null,
  text: string | RegExp,
][] = [
  ["the greeting", "GET", "/", null, 200, "text/plain; charset=utf-8", "Ollama is running"],
  ["the greeting without a body", "HEAD", "/", null, 200, "text/plain; charset=utf-8", ""],
  ["the version", "GET", "/api/version", null, 200, JSON_UTF8, '{"version":"0.33.0"}'],
  [
    "the state of the cloud",
    "GET",
    "/api/status",
    null,
    200,
    JSON_UTF8,
    '{"cloud":{"disabled":false,"source":"none"}}',
  ],
  ["an unknown path", "GET", "/metrics", null, 404, "text/plain", "404 page not found"],
  ["a wrong method", "GET", "/api/chat", null, 405, "text/plain", "405 method not allowed"],
  ["an empty body", "POST", "/api/chat", "", 400, JSON_UTF8, '{"error":"missing request body"}'],
  [
    "no JSON",
    "POST",
    "/api/chat",
    "hello",
    400,
    JSON_UTF8,
    `{"error":"invalid character 'h' looking for beginning of value"}`,
  ],
  ["half JSON", "POST", "/api/chat", '{"model":"llama3.2"', 400, JSON_UTF8, /"error":/],
  [
    "a wrong type",
    "POST",
    "/api/chat",
    '{"model":5}',
    400,
    JSON_UTF8,
    /cannot unmarshal number into Go struct field ChatRequest.model of type string/,
  ],
  [
    "no model",
    "POST",
    "/api/chat",
    '{"messages":[]}',
    400,
    JSON_UTF8,
    '{"error":"model is required"}',
  ],
  [
    "an unknown model",
    "POST",
    "/api/chat",
    '{"model":"x","messages":[{"role":"user","content":"a"}]}',
    404,
    JSON_UTF8,
    `{"error":"model 'x' not found"}`,
  ],
  [
    "an unknown embedding model",
    "POST",
    "/api/embeddings",
    '{"model":"x","prompt":"a"}',
    404,
    JSON_UTF8,
    '{"error":"model \\"x\\" not found, try pulling it first"}',
  ],
  [
    "an empty OpenAI body",
    "POST",
    "/v1/chat/completions",
    "",
    400,
    JSON_UTF8,
    '{"error":{"message":"EOF","type":"invalid_request_error","param":null,"code":null}}',
  ],
  [
    "an Anthropic call without max_tokens",
    "POST",
    "/v1/messages",
    '{"model":"x"}',
    400,
    JSON_UTF8,
    /"type":"error","error":{"type":"invalid_request_error","message":"max_tokens is required/,
  ],
  [
    "a path that decodes to a route",
    "DELETE",
    "/api/%64elete",
    '{"MODEL":"x"}',
    404,
    JSON_UTF8,
    `{"error":"model 'x' not found"}`,
  ],
  [
    "an unknown model of /v1",
    "GET",
    "/v1/models/nothing",
    null,
    404,
    "application/json",
    /"type":"not_found_error"/,
  ],
  ["an unknown blob", "HEAD", `/api/blobs/sha256:${"0".repeat(64)}`, null, 404, JSON_UTF8, ""],
];

test.each(ANSWERS)("%s: %s %s", async (_name, method, path, body, status, type, text) => {
  const response = await fetch(simulated.url + path, { method, body });
  expect(response.status).toBe(status);
  expect(response.headers.get("content-type")).toBe(type);
  const answered = await response.text();
  if (typeof text === "string") expect(answered).toBe(text);
  else expect(answered).toMatch(text);
});

test("a native stream is chunked with one JSON object a line and times in nanoseconds", async () => {
  const response = await post("/api/chat", chat({ options: { num_predict: 3 } }));
  expect(response.headers.get("content-type")).toBe(NDJSON);
  expect(response.headers.get("content-length")).toBeNull();
  const lines = (await response.text())
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(lines.map(({ done }) => done)).toEqual([false, false, false, true]);
  expect(lines[0].created_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/);
});

test("a blob is accepted once, and only under its own digest", async () => {
  const digest = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
  expect((await post(`/api/blobs/${digest}`, "hello")).status).toBe(201);
  expect((await post(`/api/blobs/${digest}`, "hello")).status).toBe(200);
  expect((await fetch(`${simulated.url}/api/blobs/${digest}`, { method: "HEAD" })).status).toBe(
    200,
  );
  expect((await post(`/api/blobs/${digest}`, "other")).status).toBe(400);
});

test.each([
  ["a foreign host", { host: "ollama.example.com" }, 403],
  ["a foreign origin", { origin: "https://example.com" }, 403],
  ["a null origin", { origin: "null" }, 403],
  ["localhost", { host: "localhost:11434" }, 200],
  ["a page on localhost", { origin: "http://localhost:3000" }, 200],
])("%s is answered with %o: %i", async (_name, headers, status) => {
  const answered = await new Promise<{ status: number | undefined; text: string }>(
    (resolve, reject) => {
      request(`${simulated.url}/api/tags`, { headers }, (response) => {
        let text = "";
        response
          .on("data", (chunk) => (text += chunk))
          .on("end", () => resolve({ status: response.statusCode, text }));
      })
        .on("error", reject)
        .end();
    },
  );
  expect(answered.status).toBe(status);
  if (status === 403) expect(answered.text).toBe("");
});

test("the last of several keys that differ only in case wins, as in Go", async () => {
  const { status } = await post(
    "/api/chat",
    '{"model":"llama3.2","MODEL":"unknown","messages":[{"role":"user","content":"a"}]}',
  );
  expect(status).toBe(404);
});

test("a caller that disconnects ends the generation and releases its slot", async () => {
  const leaving = new AbortController();
  const response = await post("/api/chat", chat({ options: { num_predict: 10_000_000 } }), {
    signal: leaving.signal,
  });
  const reader = response.body?.getReader();
  await reader?.read();
  expect(await activeNow()).toBe(1);
  leaving.abort();
  await reader?.read().catch(() => {});
  await waitFor(async () => expect(await activeNow()).toBe(0));
  expect(simulated.requests().map(({ path, aborted }) => ({ path, aborted }))).toEqual([
    { path: "/api/chat", aborted: true },
  ]);
});

test("a prompt that has begun is evaluated to its end, even if its caller disconnects", async () => {
  await simulated.close();
  simulated = await startSimulatedOllama({ tokenMs: 1_000, loadMsPerGb: 0 });
  const leaving = new AbortController();
  const prompt = [{ role: "user", content: "word ".repeat(4_000) }];
  const answer = post("/api/chat", chat({ messages: prompt }), { signal: leaving.signal });
  await waitFor(async () => expect(await activeNow()).toBe(1));
  leaving.abort();
  await answer.catch(() => {});
  await waitFor(() => expect(simulated.requests()[0]?.aborted).toBe(true));
  expect(await activeNow()).toBe(1);
});

test("requests beyond the number of slots wait, which only total_duration includes", async () => {
  await simulated.close();
  simulated = await startSimulatedOllama({ slotsPerModel: 1, tokenMs: 4 });
  const ask = chat({ stream: false, options: { num_predict: 20 } });
  await post("/api/chat", ask).then((response) => response.json()); // loads the model
  const answers = await Promise.all([1, 2, 3].map(() => post("/api/chat", ask).then(wholeOf)));
  const waits = answers.map(
    (one) => one.total_duration - one.load_duration - one.prompt_eval_duration - one.eval_duration,
  );
  expect(Math.max(...waits)).toBeGreaterThan(Math.min(...answers.map((one) => one.eval_duration)));
});

test("the same seed generates the same text, and another seed another text", async () => {
  const textOf = async ({ url }: SimulatedOllama) => {
    const body = JSON.stringify(chat({ stream: false, options: { num_predict: 30 } }));
    const { message } = await fetch(`${url}/api/chat`, { method: "POST", body }).then(wholeOf);
    return message.content;
  };
  const other = await startSimulatedOllama({ seed: 2 });
  expect(await textOf(simulated)).toBe(await textOf(simulated));
  expect(await textOf(simulated)).not.toBe(await textOf(other));
  await other.close();
});

test("requests are kept as they arrived", async () => {
  await post("/v1/chat/completions?x=1", chat(), { headers: { "x-mark": "here" } });
  const [seen] = simulated.requests();
  expect(seen).toMatchObject({ method: "POST", path: "/v1/chat/completions?x=1", aborted: false });
  expect(seen?.headers["x-mark"]).toBe("here");
  expect(JSON.parse(seen?.body.toString() ?? "")).toEqual(chat());
});

const Whole = z.object({
  message: z.object({ content: z.string() }),
  total_duration: z.number(),
  load_duration: z.number(),
  prompt_eval_duration: z.number(),
  eval_duration: z.number(),
});
const wholeOf = async (response: Response) => Whole.parse(await response.json());

async function activeNow(): Promise<number> {
  const response = await fetch(`${simulated.url}/_simulated/load`);
  return z.object({ active: z.number() }).parse(await response.json()).active;
}

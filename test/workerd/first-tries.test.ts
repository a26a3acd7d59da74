/** The addresses and credentials that a new caller tries first. */
import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { FrameType, parsePayload } from "../../protocol/frames.ts";
import { Open } from "../../protocol/messages.ts";
import { forgetBoxes } from "../../worker/gateway/known-fleet.ts";
import worker from "../../worker/index.ts";
import { call, textOf } from "./calls.ts";
import { FakeAgent } from "./fake-agent.ts";

const CALLER = "caller:key-0123456789";
const KEYS = {
  AUTH_MODE: "keys",
  ADMIN_KEY: "admin-key-0123456789",
  CALLER_KEY: CALLER,
  READ_KEY: "read-key-0123456789",
};

async function withKeys(path: string, init: RequestInit = {}): Promise<Response> {
  const ctx = createExecutionContext();
  const request = new Request(`https://edge.example${path}`, init);
  const answer = await worker.fetch(request, { ...env, ...KEYS }, ctx);
  const copy = new Response(init.method === "HEAD" ? null : await answer.text(), answer);
  await waitOnExecutionContext(ctx);
  return copy;
}

const JSON_BODY = { method: "POST", body: '{"model":"m"}' };
const JSON_ANSWER = { accept: "application/json" };
const MESSAGES = '"model":"m","messages":[{"role":"user","content":"Hello"}]';
const LINES = { accept: "application/x-ndjson" };
const REACHED: [path: string, init: RequestInit, onOllama: string][] = [
  ["/api/tags", {}, "GET /api/tags"],
  ["/api/ps", {}, "GET /api/ps"],
  ["/api/version", { method: "HEAD" }, "HEAD /api/version"],
  ["/api/show", JSON_BODY, "POST /api/show"],
  ["/api/generate", JSON_BODY, "POST /api/generate"],
  ["/api/embed", JSON_BODY, "POST /api/embed"],
  // The ollama command accepts only lines, and the other clients JSON. Our own /api/chat sends events.
  ["/api/chat", { ...JSON_BODY, headers: LINES }, "POST /api/chat"],
  ["/api/chat", { ...JSON_BODY, headers: JSON_ANSWER }, "POST /api/chat"],
  ["/api/chat", { method: "POST", body: `{${MESSAGES},"stream":false}` }, "POST /api/chat"],
  ["/api/chat", { method: "POST", body: `{${MESSAGES},"Logprobs":true}` }, "POST /api/chat"],
  ["/api/tags/", {}, "GET /api/tags"],
  ["//api/generate", JSON_BODY, "POST /api/generate"],
  ["/ollama//api/generate", JSON_BODY, "POST /api/generate"],
  ["/ollama/api/tags/", {}, "GET /api/tags"],
  ["//v1/models/", {}, "GET /v1/models"],
];

test("reaches Ollama at the root, and with doubled and trailing slashes", async () => {
  const agent = await FakeAgent.connect("first");
  forgetBoxes();
  for (const [path, init, onOllama] of REACHED) {
    const answered = call(path, { ...init, headers: { ...init.headers, "x-box": "first" } });
    const { stream, payload } = await agent.next(FrameType.open);
    const open = parsePayload(Open, payload);
    expect(`${open.method} ${open.path}`, path).toBe(onOllama);
    if (init.body !== undefined) {
      const { payload: sent } = await agent.next(FrameType.data);
      expect(new TextDecoder().decode(sent), path).toBe(init.body);
    }
    agent.answer(stream, 200, [["content-type", "application/json"]], "{}");
    const answer = await answered;
    const body = init.method === "HEAD" ? "" : "{}";
    expect([answer.status, await textOf(answer)], path).toEqual([200, body]);
  }
});

const OURS: [name: string, body: string, accept: string][] = [
  ["a prompt", '{"model":"m","prompt":"Hello"}', "application/json"],
  ["messages", `{${MESSAGES}}`, "*/*"],
  ["messages for events", `{${MESSAGES}}`, "text/event-stream"],
  ["messages for one of several types", `{${MESSAGES}}`, "application/json, text/plain, */*"],
  ["messages with stream:true", `{${MESSAGES},"stream":true}`, "*/*"],
];

test("answers at /api/chat with events unless a call is meant for Ollama", async () => {
  const agent = await FakeAgent.connect("ours");
  forgetBoxes();
  for (const [name, body, accept] of OURS) {
    const headers = { accept, "x-box": "ours" };
    const answered = call("/api/chat", { method: "POST", body, headers });
    const { stream } = await agent.next(FrameType.open);
    const lines = '{"message":{"content":"Hi"},"done":true}\n';
    agent.answer(stream, 200, [["content-type", "application/x-ndjson"]], lines);
    const answer = await answered;
    expect(answer.headers.get("content-type"), name).toMatch(/^text\/event-stream/);
    expect(await textOf(answer), name).toContain('data: {"token":"Hi"');
  }
});

test("errors of /api/chat have the shape that the client reads, and name the place of Ollama", async () => {
  const native = await call("/api/chat", { method: "POST", body: "[", headers: JSON_ANSWER });
  expect([native.status, await native.json()]).toEqual([400, { error: expect.any(String) }]);
  const whole = await call("/api/chat", {
    method: "POST",
    body: '{"model":"x:cloud","messages":[],"stream":false}',
  });
  expect(await whole.json()).toEqual({ error: expect.any(String) });
  const unclear = await call("/api/chat", { method: "POST", body: '{"model":"m"}' });
  expect(await unclear.json()).toMatchObject({
    error: { code: "bad_request", message: expect.stringContaining("/ollama/api/chat") },
  });
});

test("errors at the root have the shape of Ollama's, and those of our own API their own", async () => {
  const refused = await call("/api/generate", { method: "POST", body: "[" });
  expect(await refused.json()).toEqual({ error: expect.any(String) });
  const method = await call("/api/tags", { method: "POST" });
  expect([method.status, await method.json()]).toEqual([405, { error: expect.any(String) }]);
  for (const path of ["/api/me", "/api/chat", "/api/models/", "//api/health"])
    expect(await (await call(path, { method: "PUT" })).json()).toMatchObject({
      error: { code: expect.any(String) },
    });
});

test.each([
  ["the password", `user:${CALLER}`],
  ["the user alone", "read-key-0123456789:"],
  ["the user without a colon", "read-key-0123456789"],
])("accepts a key as %s of Basic credentials", async (_name, credentials) => {
  const headers = { "x-box": "nobody", authorization: `Basic ${btoa(credentials)}` };
  expect((await withKeys("/v1/models", { headers })).status).not.toBe(401);
  const wrong = { authorization: `Basic ${btoa(`${credentials}x`)}` };
  const answer = await withKeys("/v1/models", { headers: wrong });
  expect(answer.status).toBe(401);
  // Otherwise a browser would ask for credentials, keep them, and send them for other sites too.
  expect(answer.headers.get("www-authenticate")).not.toMatch(/basic/i);
});

test.each(["Basic", "Basic ====", "Basic a", "Basic !"])("refuses %j as a key", async (value) => {
  expect((await withKeys("/v1/models", { headers: { authorization: value } })).status).toBe(401);
});

test("names the missing key in the field that the ollama command shows", async () => {
  for (const path of ["/ollama", "/ollama/", "/ollama/k/a-wrong-key-0123456789/"])
    expect((await withKeys(path, { method: "HEAD" })).status, path).toBe(200);
  for (const path of ["/ollama/api/tags", "/api/tags"]) {
    const answer = await withKeys(path);
    const message = expect.stringContaining("OLLAMA_HOST=https://<edge>/ollama/k/<key>");
    expect([answer.status, await answer.json()]).toEqual([
      401,
      { error: message, status: message },
    ]);
  }
});

// Ollama 0.24 prints "You need to be signed in to Ollama to run Cloud models." for any 401.
test("answers the ollama command 403 for a missing or wrong key, whose message it shows", async () => {
  const headers = { "user-agent": "ollama/0.24.0 (amd64 linux) Go/go1.26.8" };
  for (const [path, text] of [
    ["/ollama/api/show", "/ollama/k/<key>"],
    ["/api/generate", "/ollama/k/<key>"],
    ["/ollama/k/a-wrong-key-0123456789/api/show", "not valid"],
  ] as const) {
    const answer = await withKeys(path, { ...JSON_BODY, headers });
    const error = expect.stringContaining(text);
    expect([answer.status, await answer.json()], path).toEqual([403, { error }]);
  }
  expect((await withKeys("/v1/models", { headers })).status).toBe(401);
});

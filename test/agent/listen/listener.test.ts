/** The listener with real sockets, in front of a simulated Ollama, or of one that says exactly what a test wants. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, request as httpRequest, type RequestListener, type Server } from "node:http";
import { connect } from "node:net";
import Anthropic from "@anthropic-ai/sdk";
import { Ollama } from "ollama";
import OpenAI from "openai";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ListenError } from "../../../agent/errors.ts";
import type { Fault } from "../../../local/simulated/faults.ts";
import { type SimulatedOllama, startSimulatedOllama } from "../../../local/simulated/ollama.ts";
import { BODY_BYTES_MAX } from "../../../protocol/limits.ts";
import { RequestRecord } from "../../../protocol/records.ts";
import { Listening } from "../../support/listening.ts";
import { eventually, NOBODY } from "../../support/stack.ts";

const MODEL = "llama3.2";
const EMBEDDER = "nomic-embed-text";
const messages = [{ role: "user" as const, content: "Hello" }];

let simulated: SimulatedOllama;
let listening: Listening;

beforeAll(async () => {
  simulated = await startSimulatedOllama({ models: [`${MODEL}:latest`, `${EMBEDDER}:latest`], loadMsPerGb: 0 });
  listening = await Listening.start(simulated.url);
});

afterAll(async () => {
  await listening?.[Symbol.asyncDispose]();
  await simulated?.close();
});

const post = (path: string, body: object | string, headers: Record<string, string> = {}) =>
  listening.call("POST", path, typeof body === "string" ? body : JSON.stringify(body), headers);
const lastLine = (text: string): unknown => JSON.parse(text.trim().split("\n").at(-1) ?? "");

/** Runs one test against an Ollama that says what the test wants. */
async function inFrontOf(answer: RequestListener, run: (listening: Listening, server: Server) => Promise<void>): Promise<void> {
  const server = createServer(answer);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  try {
    await using own = await Listening.start(`http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`);
    await run(own, server);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

// Every API, streamed and not: what is counted is what was asked for.
const CALLS: [what: string, path: string, body: object, record: Partial<RequestRecord>][] = [
  [
    "a streamed chat",
    "/api/chat",
    { model: MODEL, messages, options: { num_predict: 8 } },
    { api: "ollama", stream: true, completion_tokens: 8, prompt: "Hello", done_reason: "length" },
  ],
  [
    "a whole chat",
    "/api/chat",
    { model: MODEL, messages, stream: false, options: { num_predict: 8 } },
    { api: "ollama", stream: false, completion_tokens: 8 },
  ],
  [
    "a completion",
    "/api/generate",
    { model: MODEL, prompt: "Why?", stream: false, options: { num_predict: 3 } },
    { api: "ollama", completion_tokens: 3, prompt: "Why?" },
  ],
  [
    "an OpenAI stream that did not ask for usage",
    "/v1/chat/completions",
    { model: MODEL, messages, stream: true, max_tokens: 5 },
    { api: "openai", stream: true, completion_tokens: 5 },
  ],
  [
    "an OpenAI answer",
    "/v1/chat/completions",
    { model: MODEL, messages, max_tokens: 5 },
    { api: "openai", stream: false, completion_tokens: 5 },
  ],
  [
    "an Anthropic stream",
    "/v1/messages",
    { model: MODEL, messages, max_tokens: 4, stream: true },
    { api: "anthropic", stream: true, completion_tokens: 4 },
  ],
  [
    "an Anthropic answer",
    "/v1/messages",
    { model: MODEL, messages, max_tokens: 4 },
    { api: "anthropic", stream: false, completion_tokens: 4 },
  ],
  ["embeddings", "/api/embed", { model: EMBEDDER, input: ["one", "two"] }, { api: "ollama", stream: false }],
  ["OpenAI embeddings", "/v1/embeddings", { model: EMBEDDER, input: "one" }, { api: "openai" }],
];

test.each(CALLS)("%s is answered and recorded once, like a tunnelled one", async (_what, path, body, expected) => {
  const before = Date.now();
  const answer = await post(path, body, { "user-agent": Buffer.from("café/1").toString("latin1") }); // as UTF-8
  expect(answer).toMatchObject({ status: 200, isComplete: true });
  expect(answer.text).not.toContain('"choices":[],"usage"'); // what only the agent asked for
  const record = await listening.recordOf(answer);
  expect(record).toMatchObject({
    box: "b",
    endpoint: path,
    status: "success",
    http_status: 200,
    failed_at: null,
    key_id: null,
    ...expected,
  });
  expect(record).toMatchObject({ client_ip: "127.0.0.1", user_agent: "café/1", resumed: 0 });
  expect(Date.parse(record.started_at)).toBeGreaterThanOrEqual(before);
  expect(RequestRecord.parse(record)).toEqual(record);
  expect(listening.records().filter(({ request_id }) => request_id === record.request_id)).toHaveLength(1);
});

test("the published clients work, as their users write them", async () => {
  const ollama = new Ollama({ host: listening.url });
  const direct = new Ollama({ host: simulated.url });
  expect(await ollama.list()).toEqual(await direct.list());
  expect(await ollama.show({ model: MODEL })).toEqual(await direct.show({ model: MODEL }));
  let text = "";
  for await (const part of await ollama.chat({ model: MODEL, messages, stream: true, options: { num_predict: 9, seed: 3 } }))
    text += part.message.content;
  expect(text).toBe((await direct.chat({ model: MODEL, messages, options: { num_predict: 9, seed: 3 } })).message.content);
  const seen: string[] = [];
  for await (const part of await ollama.pull({ model: "qwen3:0.6b", stream: true })) seen.push(part.status);
  expect(seen.at(-1)).toBe("success");
  await ollama.delete({ model: "qwen3:0.6b" });
  await expect(ollama.chat({ model: "nope", messages })).rejects.toMatchObject({ status_code: 404 });

  const openai = new OpenAI({ baseURL: `${listening.url}/v1`, apiKey: "none", maxRetries: 0 });
  expect((await openai.chat.completions.create({ model: MODEL, messages, max_tokens: 6 })).usage?.completion_tokens).toBe(6);
  const anthropic = new Anthropic({ baseURL: listening.url, authToken: "none", maxRetries: 0 });
  expect((await anthropic.messages.create({ model: MODEL, messages, max_tokens: 5 })).usage.output_tokens).toBe(5);
});

test("an upload streams through, and Ollama has it", async () => {
  const blob = Buffer.alloc(3_000_000, "layer");
  const digest = `sha256:${createHash("sha256").update(blob).digest("hex")}`;
  expect(await listening.call("HEAD", `/api/blobs/${digest}`)).toMatchObject({ status: 404, text: "" });
  const created = await listening.call("POST", `/api/blobs/${digest}`, blob);
  expect(created.status).toBe(201);
  expect(simulated.requests().at(-1)?.body.equals(blob)).toBe(true);
  expect(await listening.call("HEAD", `/api/blobs/${digest}`)).toMatchObject({ status: 200 });
  expect(await listening.recordOf(created)).toMatchObject({ endpoint: "/api/blobs/:digest", status: "success", http_status: 201 });
});

test("an answer that comes before the upload was read ends the call, and the connection goes on", () =>
  inFrontOf(
    (request, response) => (request.method === "POST" ? response.writeHead(400).end("no") : response.end("ok")),
    async (own) => {
      const path = `/api/blobs/sha256:${"0".repeat(64)}`;
      const socket = connect(Number(new URL(own.url).port), "127.0.0.1");
      let text = "";
      socket.on("data", (chunk) => {
        text += chunk.toString();
      });
      socket.write(`POST ${path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 8000000\r\n\r\nx`);
      await eventually(async () => text.includes("400 Bad Request"));
      socket.write(Buffer.alloc(8_000_000 - 1));
      socket.write("GET /api/version HTTP/1.1\r\nhost: localhost\r\n\r\n");
      await eventually(async () => text.includes("200 OK"));
      socket.destroy();
      await eventually(async () => own.records().length === 2);
      expect(own.records()[0]).toMatchObject({ status: "error", http_status: 400, failed_at: "ollama" });
    },
  ));

test("the bytes and headers of an answer are Ollama's", () =>
  inFrontOf(
    (request, response) => {
      request.resume().on("end", () => {
        response.writeHead(418, { "content-type": "application/x-odd", "content-length": "4", date: "then", "x-odd": ["1", "2"] });
        response.end(Buffer.from([0, 0xff, 0x0a, 0x7b]));
      });
    },
    async (own) => {
      const answer = await own.call("POST", "/api/show", "{}");
      expect(answer).toMatchObject({ status: 418, isComplete: true });
      expect(answer.headers).toMatchObject({ "content-type": "application/x-odd", "content-length": "4", date: "then", "x-odd": "1, 2" });
      expect(Buffer.from(answer.text)).toEqual(Buffer.from(Buffer.from([0, 0xff, 0x0a, 0x7b]).toString()));
    },
  ));

test("a caller that leaves in the middle stops Ollama, and is cancelled, not an error", async () => {
  const seen = simulated.requests().length;
  const leaving = new AbortController();
  const answer = await fetch(`${listening.url}/api/chat`, {
    method: "POST",
    body: JSON.stringify({ model: MODEL, messages, options: { num_predict: 100_000 } }),
    signal: leaving.signal,
  });
  await answer.body?.getReader().read();
  expect(listening.listener.inFlight).toBe(1);
  expect(listening.listener.queued).toBe(0);
  leaving.abort();
  await eventually(async () => simulated.requests()[seen]?.aborted);
  expect(await listening.recordOf(answer)).toMatchObject({ status: "cancelled", failed_at: null, http_status: 200 });
  expect(listening.listener.inFlight).toBe(0);
});

test("a caller that leaves before the first token stops Ollama too", async () => {
  simulated.fault([{ kind: "hang" }]);
  const seen = simulated.requests().length;
  const known = listening.records().length;
  const leaving = httpRequest(`${listening.url}/api/generate`, { method: "POST", agent: false });
  leaving.on("error", () => {});
  leaving.end(JSON.stringify({ model: MODEL, prompt: "x" }));
  await eventually(async () => simulated.requests().length > seen);
  expect(listening.listener.queued).toBe(1);
  leaving.destroy();
  await eventually(async () => simulated.requests()[seen]?.aborted);
  simulated.fault([]);
  await eventually(async () => listening.records().length === known + 1);
  expect(listening.records().at(-1)).toMatchObject({ status: "cancelled", http_status: 499, model: MODEL });
});

test("a caller that sent twenty calls at once and leaves: each is cancelled", async () => {
  simulated.fault([{ kind: "hang" }]);
  const known = listening.records().length;
  const socket = connect(Number(new URL(listening.url).port), "127.0.0.1");
  const body = JSON.stringify({ model: MODEL, prompt: "x" });
  const call = `POST /api/generate HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
  socket.write(call.repeat(20));
  await eventually(async () => listening.listener.inFlight === 20);
  socket.destroy();
  await eventually(async () => listening.records().length === known + 20);
  simulated.fault([]);
  expect(listening.listener.inFlight).toBe(0);
  expect(
    new Set(
      listening
        .records()
        .slice(known)
        .map(({ status }) => status),
    ),
  ).toEqual(new Set(["cancelled"]));
});

test("a caller that leaves in the middle of its body is cancelled, and Ollama is not asked", async () => {
  const asked = () => simulated.requests().filter(({ path }) => path === "/api/generate").length;
  const seen = asked();
  const known = listening.records().length;
  const leaving = httpRequest(`${listening.url}/api/generate`, { method: "POST", agent: false, headers: { "content-length": 100 } });
  leaving.on("error", () => {});
  leaving.write('{"model":');
  await eventually(async () => listening.listener.inFlight === 1);
  leaving.destroy();
  await eventually(async () => listening.records().length === known + 1);
  expect(listening.records().at(-1)).toMatchObject({ status: "cancelled", http_status: 499, model: null });
  expect(asked()).toBe(seen);
});

const BROKEN = /closed the connection|aborted|hang up|ECONNRESET/;
const BREAKS: [api: string, path: string, body: object, ending: RegExp][] = [
  ["native", "/api/chat", { model: MODEL, messages, options: { num_predict: 9 } }, /\n\{"error":"[^"]+"\}\n$/],
  [
    "OpenAI",
    "/v1/chat/completions",
    { model: MODEL, messages, max_tokens: 9, stream: true },
    /\n\ndata: \{"error":\{"message":"[^"]+","type":"api_error","param":null,"code":"ollama_broke"\}\}\n\n$/,
  ],
  [
    "Anthropic",
    "/v1/messages",
    { model: MODEL, messages, max_tokens: 9, stream: true },
    /\n\nevent: error\ndata: \{"type":"error","error":\{"type":"api_error".*\n\n$/,
  ],
];

test.each(BREAKS)(
  "an answer of the %s API that breaks in its middle ends with an error in its own format",
  async (_api, path, body, ending) => {
    simulated.fault([{ kind: "drop", after_chunks: 3 }]);
    const answer = await post(path, body);
    simulated.fault([]);
    expect(answer).toMatchObject({ status: 200, isComplete: true });
    expect(answer.text).toMatch(ending);
    const record = await listening.recordOf(answer);
    expect(record).toMatchObject({ status: "error", failed_at: "ollama", http_status: 200 });
    expect(record.error_message).toMatch(BROKEN);
  },
);

test("an answer of known length that breaks has no room for an error: it is cut", () =>
  inFrontOf(
    (request, response) => {
      request.resume();
      response.writeHead(200, { "content-type": "application/x-ndjson", "content-length": "100" });
      response.write("half", () => request.socket.resetAndDestroy());
    },
    async (own) => {
      const answer = await own.call("POST", "/api/chat", '{"model":"m"}');
      expect(answer).toMatchObject({ status: 200, text: "half", isComplete: false });
      expect(await own.recordOf(answer)).toMatchObject({ status: "error", failed_at: "ollama" });
    },
  ));

const FAULTS: [what: string, fault: Fault, status: number][] = [
  ["an error line inside a 200", { kind: "error_line", after_chunks: 2, message: "the GPU is lost" }, 200],
  ["an answer without its last line", { kind: "no_terminator" }, 200],
  ["a busy Ollama", { kind: "busy" }, 503],
];

test.each(FAULTS)("%s is one error, of Ollama", async (_what, fault, status) => {
  simulated.fault([fault]);
  const answer = await post("/api/chat", { model: MODEL, messages });
  simulated.fault([]);
  expect(answer.status).toBe(status);
  expect(await listening.recordOf(answer)).toMatchObject({ status: "error", failed_at: "ollama", http_status: status });
});

const SHAPES: [path: string, shape: object][] = [
  ["/api/chat", { error: expect.stringContaining("Ollama does not answer on this box") }],
  ["/v1/chat/completions", { error: { message: expect.any(String), type: "api_error", param: null, code: "ollama_unreachable" } }],
  ["/v1/messages", { type: "error", error: { type: "api_error", message: expect.any(String) }, request_id: expect.any(String) }],
];

test.each(SHAPES)("with no Ollama, %s says so in its own words", async (path, shape) => {
  await using own = await Listening.start(NOBODY);
  const answer = await own.call("POST", path, JSON.stringify({ model: MODEL, messages }));
  expect(answer.status).toBe(502);
  expect(JSON.parse(answer.text)).toMatchObject(shape);
  expect(answer.headers["x-failed-at"]).toBe("ollama");
  expect(await own.recordOf(answer)).toMatchObject({ status: "error", failed_at: "ollama", http_status: 502, model: MODEL });
});

const deep = `{"model":"m","x":${"[".repeat(20_000)}${"]".repeat(20_000)}}`;
const BAD_BODIES: [what: string, body: string | Uint8Array, headers: Record<string, string>, status: number, told: RegExp][] = [
  ["nothing", "", {}, 400, /empty/],
  ["half a JSON", '{"model":', {}, 400, /not JSON/],
  ["an array", "[]", {}, 400, /JSON object/],
  ["bytes that are no text", Uint8Array.of(0x7b, 0xff, 0x7d), {}, 400, /not UTF-8/],
  ["a cloud model", '{"model":"gpt-oss:120b-cloud"}', {}, 403, /cloud model/],
  ["a second model in another case", '{"model":"a","MODEL":"b:cloud"}', {}, 400, /must be written "model"/],
  ["a compressed body", "x", { "content-encoding": "gzip" }, 415, /gzip is not accepted/],
  ["a body nested without end", deep, {}, 400, /nested too deeply/],
  ["a body that is too large, as it says itself", Buffer.alloc(BODY_BYTES_MAX + 1, " "), {}, 413, /larger than 16 MiB/],
  ["a body that is too large, without a word", Buffer.alloc(BODY_BYTES_MAX + 1, " "), { "transfer-encoding": "chunked" }, 413, /larger/],
];

test.each(BAD_BODIES)("%s is refused, recorded, and never reaches Ollama", async (_what, body, headers, status, told) => {
  const seen = simulated.requests().length;
  const length = "transfer-encoding" in headers ? {} : { "content-length": Buffer.byteLength(body) };
  const answer = await listening.call("POST", "/api/chat", body, { ...length, ...headers });
  expect(answer.status).toBe(status);
  expect(JSON.parse(answer.text)).toEqual({ error: expect.stringMatching(told) });
  expect(simulated.requests()).toHaveLength(seen);
  expect(await listening.recordOf(answer)).toMatchObject({ status: "error", failed_at: "gateway", http_status: status, box: "b" });
});

const NO_PATHS: [method: string, path: string, status: number, body: unknown][] = [
  ["GET", "/nope", 404, { error: "GET /nope is not a path of this gateway." }],
  ["POST", "/api/%64elete", 404, { error: expect.any(String) }],
  ["POST", "/api/me", 404, { error: expect.any(String) }],
  ["GET", "/v1/nope", 404, { error: expect.objectContaining({ type: "not_found_error" }) }],
  ["GET", "/api/chat", 405, { error: "/api/chat takes POST, not GET." }],
  ["PUT", "/v1/messages", 405, expect.objectContaining({ type: "error" })],
  ["OPTIONS", "/api/chat", 405, { error: expect.any(String) }],
  ["GET", "/v1/models/gpt-oss:cloud", 403, { error: expect.objectContaining({ code: "cloud_model" }) }],
];

test.each(NO_PATHS)("%s %s is %i, and no request that counts", async (method, path, status, body) => {
  const known = listening.records().length;
  const answer = await listening.call(method, path);
  expect(answer.status).toBe(status);
  expect(JSON.parse(answer.text)).toEqual(body);
  expect(answer.headers.allow).toBe(status === 405 ? "POST" : undefined);
  expect(answer.headers["x-request-id"]).toMatch(/^[0-9a-f-]{36}$/);
  expect(listening.records()).toHaveLength(known);
});

test("a head that is too large is 431", async () => {
  expect((await listening.call("GET", "/api/tags", null, { "x-long": "x".repeat(70_000) })).status).toBe(431);
  expect((await listening.call("GET", "/api/tags", null, { accept: "x".repeat(20_000) })).status).toBe(431);
});

test.each([
  "http://localhost:3000",
  "https://127.0.0.1",
  "http://0.0.0.0:1",
  "http://[::1]:8080",
  "app://obsidian.md",
  "file://",
  "tauri://localhost",
  "vscode-webview://abc",
])("a page of %s may call, and may read its answer", async (origin) => {
  const asked = { origin, "access-control-request-method": "POST", "access-control-request-headers": "content-type,x-stainless-os" };
  const preflight = await listening.call("OPTIONS", "/api/chat", null, asked);
  expect(preflight).toMatchObject({ status: 204, text: "" });
  expect(preflight.headers).toMatchObject({
    "access-control-allow-origin": origin,
    "access-control-allow-headers": "content-type,x-stainless-os",
  });
  expect(preflight.headers["access-control-allow-methods"]).toContain("POST");
  const answer = await listening.call("GET", "/api/tags", null, { origin });
  expect(answer.status).toBe(200);
  expect(answer.headers).toMatchObject({ "access-control-allow-origin": origin, vary: "origin" });
  expect(simulated.requests().at(-1)?.headers.origin).toBeUndefined();
});

test.each([
  "https://evil.example",
  "http://localhost.evil.example",
  "null",
  "http://127.0.0.1.evil.example:80",
  "https://evil.example/app://",
])("a page of %s may not call", async (origin) => {
  const seen = simulated.requests().length;
  for (const method of ["GET", "OPTIONS"]) {
    const answer = await listening.call(method, "/api/tags", null, { origin, "access-control-request-method": "GET" });
    expect(answer.status).toBe(403);
    expect(answer.headers["access-control-allow-origin"]).toBeUndefined();
  }
  expect(simulated.requests()).toHaveLength(seen);
});

test.each([
  ["localhost:11434", 200],
  ["127.0.0.1", 200],
  ["[::1]:5", 200],
  ["gpu.local", 200],
  ["a.localhost", 200],
  ["host.docker.internal:1", 200],
  ["evil.example", 403],
  ["localhost.evil.example:11434", 403],
  ["::1:evil", 403],
])("on loopback, Host %s is answered %i", async (host, status) => {
  expect((await listening.call("GET", "/api/version", null, { host })).status).toBe(status);
});

test("bound to every address, it answers to any name, as Ollama does", async () => {
  await using own = await Listening.start(simulated.url, { host: "0.0.0.0" });
  expect((await own.call("GET", "/api/version", null, { host: "gpu.example" })).status).toBe(200);
  expect((await own.call("GET", "/api/version", null, { host: "gpu.example", origin: "http://gpu.example" })).status).toBe(403);
});

test("a caller that does not read stops Ollama instead of filling memory", () => {
  const total = 64 * 1024 * 1024;
  let written = 0;
  return inFrontOf(
    async (request, response) => {
      request.resume();
      const gone = once(response, "close");
      const chunk = Buffer.alloc(64 * 1024);
      for (; written < total && !response.destroyed; written += chunk.length)
        if (!response.write(chunk)) await Promise.race([once(response, "drain"), gone]);
      response.end();
    },
    async (own) => {
      const answer = await fetch(`${own.url}/api/show`, { method: "POST", body: "{}" });
      const reader = answer.body?.getReader();
      await reader?.read();
      let before = -1;
      await eventually(async () => {
        const isStill = written === before;
        before = written;
        await new Promise((resolve) => setTimeout(resolve, 200));
        return isStill && written === before;
      });
      expect(written).toBeLessThan(total / 2);
      let part = await reader?.read();
      while (part && !part.done) part = await reader?.read();
      expect(written).toBe(total);
      expect(await own.recordOf(answer)).toMatchObject({ status: "success" });
    },
  );
});

test("an address that cannot be had is said with its name", async () => {
  const listen = (host: string, port: number) => Listening.start(NOBODY, { host, port });
  const port = Number(new URL(listening.url).port);
  await expect(listen("127.0.0.1", port)).rejects.toThrow(
    new ListenError(`cannot listen on 127.0.0.1:${port}: the port is in use by another program`),
  );
  await expect(listen("203.0.113.7", 0)).rejects.toThrow("cannot listen on 203.0.113.7:0: that is no address of this machine");
  await expect(listen("no-such-host.invalid", 0)).rejects.toThrow("cannot listen on no-such-host.invalid:0: that host is not known");
});

test.each(["127.0.0.1", "localhost", "0.0.0.0", "::"])("on %s it does not listen where its own Ollama is", async (host) => {
  const port = Number(new URL(simulated.url).port);
  await expect(Listening.start(simulated.url, { host, port })).rejects.toThrow(/that is the Ollama to forward to/);
});

test("draining: what is open is finished, what is new is refused", async () => {
  await using own = await Listening.start(simulated.url);
  simulated.fault([{ kind: "slow_first_token", ms: 300 }]);
  const seen = simulated.requests().length;
  const socket = connect(Number(new URL(own.url).port), "127.0.0.1");
  let text = "";
  socket.on("data", (chunk) => {
    text += chunk.toString();
  });
  const body = JSON.stringify({ model: MODEL, messages, stream: false, options: { num_predict: 2 } });
  const ask = () => socket.write(`POST /api/chat HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
  ask();
  await eventually(async () => simulated.requests().length > seen);
  const drained = own.listener.drain();
  ask(); // on the open connection: it waits for the first, and comes too late
  await drained;
  simulated.fault([]);
  expect(own.records()[0]).toMatchObject({ status: "success", completion_tokens: 2 });
  await eventually(async () => text.includes("503 Service Unavailable"));
  expect(text).toContain("Box b is being drained and takes no new requests.");
  expect(own.records()).toHaveLength(1);
  await expect(fetch(`${own.url}/api/version`)).rejects.toThrow();
  socket.destroy();
});

test("stopping: an open answer ends with an error in its own format, and is recorded", async () => {
  const own = await Listening.start(simulated.url);
  const answer = await fetch(`${own.url}/api/chat`, {
    method: "POST",
    body: JSON.stringify({ model: MODEL, messages, options: { num_predict: 100_000 } }),
  });
  const text = answer.text();
  await eventually(async () => own.listener.inFlight === 1 && own.listener.queued === 0);
  const stopped = own.listener.stop();
  expect(lastLine(await text)).toEqual({ error: "The agent was stopped while it served this request." });
  await stopped;
  expect(await own.recordOf(answer)).toMatchObject({ status: "error", failed_at: "gateway", http_status: 200 });
  await own[Symbol.asyncDispose]();
});

test("without a spool nothing is recorded, and a body reaches Ollama as the caller meant it", async () => {
  await using own = await Listening.start(simulated.url, { records: false });
  const body = { model: MODEL, messages, stream: true, max_tokens: 2 };
  const answer = await own.call("POST", "/v1/chat/completions", JSON.stringify(body));
  expect(answer.status).toBe(200);
  expect(JSON.parse(simulated.requests().at(-1)?.body.toString() ?? "")).toEqual(body);
  expect(own.records()).toEqual([]);
});

test("where texts are not kept, there are none in the record", async () => {
  await using own = await Listening.start(simulated.url, { keepsText: false });
  const answer = await own.call("POST", "/api/chat", JSON.stringify({ model: MODEL, messages }));
  const record = await own.recordOf(answer);
  expect(record).toMatchObject({ prompt: null, response: null, status: "success" });
  expect(record.completion_tokens).toBeGreaterThan(0);
});

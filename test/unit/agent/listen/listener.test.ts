/** The listener with real sockets, in front of a simulated Ollama, or of a server scripted by the test. */
import { createHash } from "node:crypto";
import { connect } from "node:net";
import Anthropic from "@anthropic-ai/sdk";
import { Ollama } from "ollama";
import OpenAI from "openai";
import { expect, test } from "vitest";
import { RequestRecord } from "../../../../protocol/records.ts";
import { eventually } from "../../../support/stack.ts";
import {
  EMBEDDER,
  inFrontOf,
  listenForAll,
  listening,
  MODEL,
  messages,
  post,
  simulated,
} from "./scene.ts";

listenForAll();

// Every API, streamed and not. The counted tokens are the requested ones.
const CALLS: [name: string, path: string, body: object, record: Partial<RequestRecord>][] = [
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
    "an OpenAI stream without usage",
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
  [
    "embeddings",
    "/api/embed",
    { model: EMBEDDER, input: ["one", "two"] },
    { api: "ollama", stream: false },
  ],
  ["OpenAI embeddings", "/v1/embeddings", { model: EMBEDDER, input: "one" }, { api: "openai" }],
];

test.each(CALLS)(
  "answers %s and records it once, like a tunnelled call",
  async (_name, path, body, expected) => {
    const before = Date.now();
    const answer = await post(path, body, {
      "user-agent": Buffer.from("café/1").toString("latin1"),
    }); // sent as UTF-8
    expect(answer).toMatchObject({ status: 200, isComplete: true });
    expect(answer.text).not.toContain('"choices":[],"usage"'); // the agent requests it for itself and hides it
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
    expect(
      listening.records().filter(({ request_id }) => request_id === record.request_id),
    ).toHaveLength(1);
  },
);

test("serves the published Ollama, OpenAI and Anthropic clients", async () => {
  const ollama = new Ollama({ host: listening.url });
  const direct = new Ollama({ host: simulated.url });
  expect(await ollama.list()).toEqual(await direct.list());
  expect(await ollama.show({ model: MODEL })).toEqual(await direct.show({ model: MODEL }));
  let text = "";
  for await (const part of await ollama.chat({
    model: MODEL,
    messages,
    stream: true,
    options: { num_predict: 9, seed: 3 },
  }))
    text += part.message.content;
  expect(text).toBe(
    (await direct.chat({ model: MODEL, messages, options: { num_predict: 9, seed: 3 } })).message
      .content,
  );
  const seen: string[] = [];
  for await (const part of await ollama.pull({ model: "qwen3:0.6b", stream: true }))
    seen.push(part.status);
  expect(seen.at(-1)).toBe("success");
  await ollama.delete({ model: "qwen3:0.6b" });
  await expect(ollama.chat({ model: "nope", messages })).rejects.toMatchObject({
    status_code: 404,
  });

  const openai = new OpenAI({ baseURL: `${listening.url}/v1`, apiKey: "none", maxRetries: 0 });
  expect(
    (await openai.chat.completions.create({ model: MODEL, messages, max_tokens: 6 })).usage
      ?.completion_tokens,
  ).toBe(6);
  const anthropic = new Anthropic({ baseURL: listening.url, authToken: "none", maxRetries: 0 });
  expect(
    (await anthropic.messages.create({ model: MODEL, messages, max_tokens: 5 })).usage
      .output_tokens,
  ).toBe(5);
});

test("streams an upload through to Ollama", async () => {
  const blob = Buffer.alloc(3_000_000, "layer");
  const digest = `sha256:${createHash("sha256").update(blob).digest("hex")}`;
  expect(await listening.call("HEAD", `/api/blobs/${digest}`)).toMatchObject({
    status: 404,
    text: "",
  });
  const created = await listening.call("POST", `/api/blobs/${digest}`, blob);
  expect(created.status).toBe(201);
  expect(simulated.requests().at(-1)?.body.equals(blob)).toBe(true);
  expect(await listening.call("HEAD", `/api/blobs/${digest}`)).toMatchObject({ status: 200 });
  expect(await listening.recordOf(created)).toMatchObject({
    endpoint: "/api/blobs/:digest",
    status: "success",
    http_status: 201,
  });
});

test("ends a call that Ollama answers before reading the upload, and keeps the connection", () =>
  inFrontOf(
    (request, response) =>
      request.method === "POST" ? response.writeHead(400).end("no") : response.end("ok"),
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
      expect(own.records()[0]).toMatchObject({
        status: "error",
        http_status: 400,
        failed_at: "ollama",
      });
    },
  ));

test("passes on the bytes of Ollama's answer unchanged, but only its harmless headers", () =>
  inFrontOf(
    (request, response) => {
      request.resume().on("end", () => {
        response.writeHead(418, {
          "content-type": "text/html",
          "content-length": "4",
          "retry-after": "7",
          "set-cookie": "a=b",
          location: "https://evil.example/",
          "access-control-allow-origin": "*",
        });
        response.end(Buffer.from([0, 0xff, 0x0a, 0x7b]));
      });
    },
    async (own) => {
      const answer = await own.call("POST", "/api/show", "{}");
      expect(answer).toMatchObject({ status: 418, isComplete: true });
      expect(answer.headers).toMatchObject({
        "content-type": "application/octet-stream",
        "content-length": "4",
        "retry-after": "7",
        "x-content-type-options": "nosniff",
        "content-security-policy": "sandbox; default-src 'none'",
      });
      for (const name of ["set-cookie", "location", "access-control-allow-origin"])
        expect(answer.headers).not.toHaveProperty(name);
      expect(Buffer.from(answer.text)).toEqual(
        Buffer.from(Buffer.from([0, 0xff, 0x0a, 0x7b]).toString()),
      );
    },
  ));

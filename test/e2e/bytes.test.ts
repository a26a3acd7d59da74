/** Byte-true: Ollama and a caller get the same bytes through the tunnel as in a direct call. */
import { createServer, type Server } from "node:http";
import { connect } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { TestStack } from "../support/stack.ts";

type Answer = { status: number; type: string; chunks: string[]; length?: boolean };

// Fixed answers, so that two calls can be compared. Written one chunk at a time, as a model writes.
const ANSWERS: Record<string, Answer> = {
  "POST /api/chat": {
    status: 200,
    type: "application/x-ndjson",
    chunks: [
      '{"message":{"content":"Žluť"},"done":false}\n',
      '{"message":{"content":"oučký"},"done":fal',
      'se}\n{"done":true,"eval_count":2}\n',
    ],
  },
  "POST /api/generate": {
    status: 404,
    type: "application/json; charset=utf-8",
    chunks: ['{"error":"model \'nope\' not found"}'],
    length: true,
  },
  "POST /api/embed": {
    status: 200,
    type: "application/json; charset=utf-8",
    chunks: [JSON.stringify({ embeddings: [Array.from({ length: 60_000 }, (_, i) => i / 7)] })],
  },
  "GET /api/tags": {
    status: 200,
    type: "application/json; charset=utf-8",
    chunks: ['{"models":[]}'],
    length: true,
  },
  "GET /api/ps": { status: 500, type: "text/plain", chunks: ["\u0000\u0001 not text \ufffd"] },
  "HEAD /": { status: 200, type: "text/plain; charset=utf-8", chunks: [] },
  "POST /v1/completions": {
    status: 200,
    type: "text/event-stream",
    chunks: ['data: {"choices":[{"text":"a"}]}\n\n', "data: [DONE]\n\n"],
  },
  "POST /v1/messages": {
    status: 200,
    type: "text/event-stream",
    chunks: ["event: message_start\r\ndata: {}\r\n\r\n", "event: message_stop\ndata: {}\n\n"],
  },
  "POST /api/copy": { status: 200, type: "", chunks: [] },
  "POST /api/show": {
    status: 200,
    type: "application/json",
    chunks: [JSON.stringify({ license: "x".repeat(3_000_000) })],
  },
};

let stack: TestStack;
let ollama: Server;
let direct = "";
/** The latest body that Ollama received for a chat: the agent requests lists meanwhile. */
let received = "";

beforeAll(async () => {
  ollama = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    if (request.url === "/api/chat") received = Buffer.concat(chunks).toString();
    const answer = ANSWERS[`${request.method} ${request.url}`] ?? {
      status: 200,
      type: "application/json",
      chunks: ["{}"],
    };
    const length = answer.length
      ? { "content-length": Buffer.byteLength(answer.chunks.join("")) }
      : {};
    response.writeHead(answer.status, {
      ...(answer.type ? { "content-type": answer.type } : {}),
      ...length,
    });
    for (const chunk of answer.chunks)
      await new Promise((resolve) => setTimeout(() => response.write(chunk, resolve), 3));
    response.end();
  });
  await new Promise<void>((resolve) => ollama.listen(0, "127.0.0.1", resolve));
  const address = ollama.address();
  direct = `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
  stack = await TestStack.start();
  await stack.startAgent({ name: "bytes", ollamaUrl: direct });
});

afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  ollama?.close();
});

test.each(Object.keys(ANSWERS))("returns the same bytes as Ollama for %s", async (line) => {
  const [method = "", path = ""] = line.split(" ");
  const init: RequestInit =
    method === "POST"
      ? { method, body: '{"model":"m","stream":true,"stream_options":{"include_usage":true}}' }
      : { method };
  const [there, through] = await Promise.all([
    fetch(direct + path, init),
    fetch(`${stack.url}${path.startsWith("/v1") ? path : `/ollama${path}`}`, init),
  ]);
  expect(through.status).toBe(there.status);
  expect(through.headers.get("content-type")).toBe(there.headers.get("content-type"));
  // The length header may differ: wrangler's proxy, like Cloudflare's edge, may compress on the way.
  expect(
    Buffer.from(await through.arrayBuffer()).equals(Buffer.from(await there.arrayBuffer())),
  ).toBe(true);
});

test.each([
  ["integers beyond 2^53", '{"model":"m","options":{"seed":9007199254740993}}'],
  ["fields in another case", '{"Model":"m","STREAM":false}'],
  ["bytes behind the JSON", '{"model":"m"}\n{"model":'],
  ["spaces, escapes and the forms of numbers", ' {\r\n"model" : "\\u006d", "x":[1E+2,-0,1.0] } '],
  ["20 MB of photos", `{"model":"m","images":["${"A".repeat(20_000_000)}"]}`],
])("Ollama receives %s as the caller sent them", async (_name, body) => {
  const answer = await fetch(`${stack.url}/ollama/api/chat`, { method: "POST", body });
  expect(answer.status).toBe(200);
  expect(received === body).toBe(true);
});

test.each(["/ollama/api/chat", "/v1/messages", `/ollama/api/blobs/sha256:${"0".repeat(64)}`])(
  "answers a malformed chunk on %s with 400, not 500",
  async (path) => {
    const answer = await rawAnswer(
      `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n` +
        '9\r\n{"model":\r\nnot a size\r\n\r\n',
    );
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).not.toMatch(/ {4}at /);
  },
);

/** Sends bytes, and returns all that is answered. */
async function rawAnswer(bytes: string): Promise<string> {
  const socket = connect(stack.port, "127.0.0.1");
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => {
    chunks.push(chunk);
    if (Buffer.concat(chunks).includes("}")) socket.destroy();
  });
  socket.on("error", () => {}); // closing follows
  socket.write(bytes);
  await new Promise((resolve) => socket.once("close", resolve));
  return Buffer.concat(chunks).toString();
}

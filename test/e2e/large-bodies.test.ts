/** Large bodies, many at once or slow ones: the Worker stays within the memory of an isolate. */
import { readFileSync, writeFileSync } from "node:fs";
import { createServer, request, type Server } from "node:http";
import { connect } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { BODY_BYTES_MAX } from "../../protocol/limits.ts";
import { TestStack } from "../support/stack.ts";

const CALLS = 8;
const MIB = 1024 * 1024;
const HEAD = '{"model":"m","stream":false,"messages":[{"role":"user","content":"';
const END = '"}]}';
const bodyOf = (bytes: number): Buffer =>
  Buffer.from(HEAD + "x".repeat(bytes - HEAD.length - END.length) + END);
const BODY = bodyOf(BODY_BYTES_MAX);

let stack: TestStack;
let ollama: Server;
/** Lengths of the bodies that Ollama received. */
const received: number[] = [];

beforeAll(async () => {
  ollama = createServer((call, answer) => {
    let bytes = 0;
    call.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
    });
    call.on("end", () => {
      if (call.url === "/api/chat") received.push(bytes);
      answer.setHeader("content-type", "application/json");
      answer.end('{"models":[],"done":true}');
    });
  });
  await new Promise<void>((resolve) => ollama.listen(0, "127.0.0.1", resolve));
  stack = await TestStack.start();
  await stack.startAgent({ name: "large", ollamaUrl: ollamaUrl() });
});

function ollamaUrl(): string {
  const address = ollama.address();
  return `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
}

afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  ollama?.close();
});

type Answer = { status: number; retryAfter: string | undefined; text: string };

/** @param isAnnounced  with a content-length, otherwise in chunks */
const call = (body: Buffer, isAnnounced: boolean, url = stack.url): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const headers = isAnnounced ? { "content-length": body.length } : {};
    const sending = request(
      `${url}/ollama/api/chat`,
      { method: "POST", agent: false, headers },
      (answer) => {
        let text = "";
        answer.setEncoding("utf8").on("data", (chunk: string) => {
          text += chunk;
        });
        answer.on("end", () => {
          const { statusCode = 0, headers: head } = answer;
          resolve({ status: statusCode, retryAfter: head["retry-after"], text });
        });
      },
    );
    sending.on("error", reject);
    sending.end(body);
  });

const megabytesOf = (pid: number, field: "VmRSS" | "VmHWM"): number =>
  Number(
    new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1],
  ) / 1024;

test.runIf(process.platform === "linux").each([
  ["with announced lengths", true],
  ["in chunks", false],
])(
  "takes or refuses eight bodies of 40 MiB at once %s, in bounded memory",
  async (_how, isAnnounced) => {
    received.length = 0;
    expect(await call(Buffer.from(`${HEAD}warm${END}`), isAnnounced)).toMatchObject({
      status: 200,
    });
    writeFileSync(`/proc/${stack.workerPid}/clear_refs`, "5"); // begins a new peak
    const before = megabytesOf(stack.workerPid, "VmRSS");
    const answers = await Promise.all(Array.from({ length: CALLS }, () => call(BODY, isAnnounced)));
    const peak = megabytesOf(stack.workerPid, "VmHWM");
    const taken = answers.filter(({ status }) => status === 200);
    expect(taken.length).toBeGreaterThan(0);
    for (const refused of answers.filter(({ status }) => status !== 200)) {
      expect(refused).toMatchObject({ status: 503, retryAfter: "5" });
      expect(JSON.parse(refused.text)).toEqual({ error: expect.stringContaining("large request") });
    }
    expect(received.filter((bytes) => bytes === BODY.length)).toHaveLength(taken.length);
    // Two bodies, those that the runtime reads them into, and garbage: less than all of them.
    expect(peak - before).toBeLessThan((CALLS * BODY_BYTES_MAX) / MIB);
    await expect.poll(async () => (await stack.logs()).total).toBeGreaterThanOrEqual(CALLS);
  },
);

test.runIf(process.platform === "linux").each([
  ["with an announced length", true],
  ["in chunks", false],
])("holds a body of 16 MiB %s once in the Worker", async (_how, isAnnounced) => {
  await using fresh = await TestStack.start(); // an engine keeps the memory that it once had
  await fresh.startAgent({ name: "large", ollamaUrl: ollamaUrl() });
  for (let n = 0; n < 20; n++) await call(bodyOf(10_000), isAnnounced, fresh.url);
  writeFileSync(`/proc/${fresh.workerPid}/clear_refs`, "5");
  const before = megabytesOf(fresh.workerPid, "VmRSS");
  const body = bodyOf(16 * MIB);
  expect(await call(body, isAnnounced, fresh.url)).toMatchObject({ status: 200 });
  expect(received.at(-1)).toBe(body.length);
  expect(megabytesOf(fresh.workerPid, "VmHWM") - before).toBeLessThan(2 * 16);
});

test("ends a large upload that makes no progress once another body waits for its memory", async () => {
  let refusal = "";
  const slow = Array.from({ length: 2 }, () => {
    const socket = connect(Number(new URL(stack.url).port), "127.0.0.1");
    socket.write(
      `POST /ollama/api/chat HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: ${BODY.length}\r\n\r\n`,
    );
    const dribbling = setInterval(() => socket.write("{"), 100);
    socket.once("close", () => clearInterval(dribbling));
    socket.on("error", () => {}); // it was refused while it sent
    return socket.on("data", (answer: Buffer) => {
      refusal += answer.toString();
    });
  });
  // Until the slow ones hold all memory, nobody waits for it.
  while (refusal === "") expect(await call(bodyOf(2 * MIB), true)).toMatchObject({ status: 200 });
  expect(refusal).toMatch(/^HTTP\/1\.1 408 /);
  expect(refusal).toContain("too slowly");
  for (const socket of slow) socket.destroy();
});

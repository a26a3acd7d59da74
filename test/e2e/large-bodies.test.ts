/** Many large bodies at once: the Worker stays within the memory of an isolate. */
import { readFileSync, writeFileSync } from "node:fs";
import { createServer, request, type Server } from "node:http";
import { afterAll, beforeAll, expect, test } from "vitest";
import { BODY_BYTES_MAX } from "../../protocol/limits.ts";
import { TestStack } from "../support/stack.ts";

const CALLS = 8;
const MIB = 1024 * 1024;
const HEAD = '{"model":"m","stream":false,"messages":[{"role":"user","content":"';
const END = '"}]}';
const BODY = Buffer.from(HEAD + "x".repeat(BODY_BYTES_MAX - HEAD.length - END.length) + END);

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
  const address = ollama.address();
  const port = typeof address === "object" ? address?.port : 0;
  stack = await TestStack.start();
  await stack.startAgent({ name: "large", ollamaUrl: `http://127.0.0.1:${port}` });
});

afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  ollama?.close();
});

type Answer = { status: number; retryAfter: string | undefined; text: string };

/** @param isAnnounced  with a content-length, otherwise in chunks */
const call = (body: Buffer, isAnnounced: boolean): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const headers = isAnnounced ? { "content-length": body.length } : {};
    const sending = request(
      `${stack.url}/ollama/api/chat`,
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

/**
 * Texts that must not be stored are in no file: neither of the edge, nor of the agent, nor of the
 * external stores.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Child } from "../../local/processes.ts";
import { Canaries } from "../support/canaries.ts";
import { dumpOf } from "../support/engines/dump.ts";
import { type Engines, RunningEngines } from "../support/engines/engines.ts";
import { runProgram } from "../support/engines/programs.ts";
import {
  QUOTING_MODEL,
  type Quote,
  type QuotingOllama,
  startQuotingOllama,
} from "../support/quoting-ollama.ts";
import { eventually, freePort, TestStack } from "../support/stack.ts";

const engines = new RunningEngines();
let started: Engines;
let ollama: QuotingOllama;
let stack: TestStack;
let agent: Child;
let port = 0;

const run = (program: string) => runProgram(program, started.settings);

const settingsWith = (LOG_CONTENT: "on" | "off") => ({
  AUTH_MODE: "open",
  LOG_CONTENT,
  METRICS_EXPORT_INTERVAL: "1",
  ...started.settings,
});

const startAgent = () =>
  stack.startAgent({
    name: "box",
    ollamaUrl: ollama.url,
    args: ["--listen", `127.0.0.1:${port}`],
  });

beforeAll(async () => {
  started = await engines.start();
  ollama = await startQuotingOllama();
  expect((await run("migrate.ts")).status).toBe(0);
  stack = await TestStack.start(settingsWith("off"));
  port = await freePort();
  agent = await startAgent();
});

afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  await ollama?.close();
  await engines[Symbol.asyncDispose]();
});

const switchText = (log_content: "on" | "off" | null) =>
  stack.json("/api/config", { method: "PATCH", body: JSON.stringify({ log_content }) });

type Call = [path: string, body: unknown, ends?: Quote["ends"]];

/** Every kind of call, with a canary wherever a caller, a file or a model may put a text. */
function callsWith(canaries: Canaries): Call[] {
  const c = (name: string) => canaries.of(name);
  const tools = [
    {
      type: "function",
      function: {
        name: "look",
        description: c("tool description"),
        parameters: { type: "object", properties: { [c("tool argument")]: { type: "string" } } },
      },
    },
  ];
  const chat = () => ({
    model: QUOTING_MODEL,
    messages: [
      { role: "system", content: c("system prompt") },
      { role: "user", content: c("earlier prompt") },
      {
        role: "assistant",
        content: c("earlier answer"),
        tool_calls: [{ function: { name: "look", arguments: { place: c("tool call") } } }],
      },
      { role: "tool", tool_name: "look", content: c("tool result") },
      {
        role: "user",
        content: `${c("prompt")} "quoted" \\ é`,
        images: [Buffer.from(c("image")).toString("base64")],
      },
    ],
    tools,
  });
  const openAi = () => ({
    model: QUOTING_MODEL,
    messages: [
      { role: "system", content: c("system prompt") },
      {
        role: "user",
        content: [
          { type: "text", text: c("prompt") },
          {
            type: "image_url",
            image_url: { url: `data:image/png;name=${c("image name")};base64,AA==` },
          },
          { type: "file", file: { filename: `${c("file name")}.pdf`, file_data: "AA==" } },
        ],
      },
    ],
    tools,
  });
  const generate = () => ({
    model: QUOTING_MODEL,
    system: c("system prompt"),
    prompt: c("prompt"),
    suffix: c("suffix"),
    template: c("template"),
  });
  return [
    ["/ollama/api/chat", chat()],
    ["/ollama/api/chat", { ...chat(), stream: false }],
    ["/ollama/api/chat", chat(), "with an error"],
    ["/ollama/api/chat", chat(), "broken by an error"],
    ["/ollama/api/chat", chat(), "never"],
    ["/ollama/api/generate", generate()],
    ["/ollama/api/generate", generate(), "with an error"],
    ["/ollama/api/embed", { model: QUOTING_MODEL, input: [c("input")] }, "with an error"],
    [
      "/ollama/api/create",
      {
        model: "new",
        from: QUOTING_MODEL,
        system: c("system"),
        files: { [`${c("file name")}.gguf`]: "sha256:0" },
      },
      "with an error",
    ],
    ["/v1/chat/completions", { ...openAi(), stream: true }],
    ["/v1/chat/completions", openAi(), "with an error"],
    ["/v1/completions", { model: QUOTING_MODEL, prompt: c("prompt") }, "with an error"],
    [
      "/v1/responses",
      { model: QUOTING_MODEL, instructions: c("system"), input: c("prompt") },
      "with an error",
    ],
    ["/v1/messages", { ...openAi(), system: c("system"), max_tokens: 5, stream: true }],
    [
      "/v1/messages",
      { model: QUOTING_MODEL, max_tokens: 5, messages: [{ role: "user", content: c("prompt") }] },
      "with an error",
    ],
    ["/api/chat", { model: QUOTING_MODEL, prompt: c("prompt") }],
    ["/api/chat", { model: QUOTING_MODEL, messages: chat().messages }, "broken by an error"],
    // Malformed bodies: the messages of parsers quote them.
    ["/ollama/api/chat", `{"model":"${QUOTING_MODEL}","messages":[${c("malformed body")}]}`],
    ["/ollama/api/chat", `{"model":["${c("model of another type")}"]}`],
    ["/ollama/api/chat", `{"${c("unknown field")}":1`],
    ["/ollama/api/generate", `{"prompt":"${c("prompt")}","model":"x","MODEL":"y"}`],
    ["/api/chat", `{"prompt":${c("malformed prompt")}}`],
    ["/v1/chat/completions", `[${JSON.stringify(c("body of another type"))}]`],
  ];
}

/** @returns the id of the request; null for a call that the caller left before its answer */
async function send([path, body, ends = "well"]: Call, base: string, quote: string) {
  ollama.next = { text: quote, ends };
  const left = new AbortController();
  const answer = await fetch(base + path, {
    method: "POST",
    body: typeof body === "string" ? body : JSON.stringify(body),
    signal: left.signal,
    headers: { "content-type": "application/json" },
  });
  if (ends === "never") {
    await answer.body?.getReader().read();
    left.abort();
  } else await answer.text().catch(() => "");
  return answer.headers.get("x-request-id");
}

/** Makes all calls, through the edge and to the listener, and waits until their records arrived. */
async function makeCalls(canaries: Canaries): Promise<void> {
  const ids: (string | null)[] = [];
  for (const call of callsWith(canaries))
    ids.push(await send(call, stack.url, canaries.of("completion")));
  for (const [path, ...rest] of callsWith(canaries)) {
    if (!/^\/(?:ollama|v1)\//.test(path)) continue;
    const call: Call = [path.replace("/ollama", ""), ...rest];
    ids.push(await send(call, `http://127.0.0.1:${port}`, canaries.of("completion")));
  }
  const stored = ids.filter((id) => id !== null);
  expect(stored.length).toBeGreaterThan(30);
  await eventually(
    async () => {
      const known = new Set((await stack.logs("limit=1000&texts=short")).logs.map(({ id }) => id));
      return stored.every((id) => known.has(id));
    },
    () => `${stored.length} records were expected`,
  );
  await eventually(async () => (await stack.health()).sinks.every(({ backlog }) => backlog === 0));
}

/** Kills the agent in the middle of an answer, and starts it again. */
async function killAgent(canaries: Canaries): Promise<void> {
  ollama.next = { text: canaries.of("completion"), ends: "never" };
  const answer = await fetch(`${stack.url}/ollama/api/generate`, {
    method: "POST",
    body: JSON.stringify({ model: QUOTING_MODEL, prompt: canaries.of("prompt") }),
  });
  await answer.body?.getReader().read();
  agent.kill();
  await agent.ended;
  agent = await startAgent();
  await stack.record(answer.headers.get("x-request-id"));
}

const inStores = async (canaries: Canaries) => canaries.in(Buffer.from(await dumpOf(started)));
const inOutput = (canaries: Canaries) => canaries.in(Buffer.from(stack.output().join("\n")));
/** Also waits for the agent, which scrubs its spool a moment after a delivery. */
const expectNothing = async (canaries: Canaries) => {
  await expect.poll(() => canaries.inFolder(stack.folder), { interval: 500 }).toEqual([]);
  expect(inOutput(canaries)).toEqual([]);
};

test("with text off no file contains a text of any call", async () => {
  const canaries = new Canaries();
  await makeCalls(canaries);
  await killAgent(canaries);
  expect(canaries.count).toBeGreaterThan(200);
  await expectNothing(canaries);
  expect(await inStores(canaries)).toEqual([]);
  expect(await canaries.inFolder(engines.folder)).toEqual([]);
  expect(canaries.in(Buffer.from(JSON.stringify(await stack.logs())))).toEqual([]);
});

test("switching text off at run time removes every text that was stored before", async () => {
  const canaries = new Canaries();
  await switchText("on");
  await makeCalls(canaries);
  await killAgent(canaries);
  expect((await canaries.inFolder(stack.folder)).length).toBeGreaterThan(20);
  expect((await inStores(canaries)).length).toBeGreaterThan(20);
  const { total } = await stack.logs();
  await switchText("off");
  await expectNothing(canaries);
  expect(await stack.logs()).toMatchObject({ total });
  // The stores are the owner's: one command removes the texts there.
  expect(await run("erase-texts.ts")).toEqual({
    status: 0,
    output: "clickhouse: contains no texts\npostgres: contains no texts\n",
  });
  expect(await inStores(canaries)).toEqual([]);
  const inTables = (path: string) => path.includes("/neon/data/base/");
  expect(await canaries.inFolder(engines.folder, inTables)).toEqual([]);
  await switchText(null);
});

test("clearing the logs removes every text from the files of the edge and from the stores", async () => {
  const canaries = new Canaries();
  await switchText("on");
  await makeCalls(canaries);
  expect((await canaries.inFolder(stack.folder)).length).toBeGreaterThan(20);
  await stack.json("/api/data/logs", { method: "DELETE" });
  await expectNothing(canaries);
  expect(await inStores(canaries)).toEqual([]);
  await switchText(null);
});

test("a deployment with text off removes every text that an earlier one stored", async () => {
  const canaries = new Canaries();
  const deploy = async (logContent: "on" | "off") => {
    await stack.stopEdge();
    await stack.startEdge(settingsWith(logContent));
    await eventually(async () => (await stack.health()).boxes.some(({ state }) => state === "up"));
  };
  await deploy("on");
  await makeCalls(canaries);
  expect((await canaries.inFolder(stack.folder)).length).toBeGreaterThan(20);
  await deploy("off");
  await expectNothing(canaries);
});

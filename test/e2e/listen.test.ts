/** Calls to the agent's own listener count at the edge like tunnelled calls, whatever fails. */
import { Ollama } from "ollama";
import { afterAll, beforeAll, expect, test } from "vitest";
import { SIMULATED_SMI } from "../../local/edge.ts";
import { type SimulatedOllama, startSimulatedOllama } from "../../simulated/ollama.ts";
import { eventually, freePort, TestStack } from "../support/stack.ts";

const MODEL = "llama3.2";
const messages = [{ role: "user", content: "Hello" }];

let stack: TestStack;
let ollama: SimulatedOllama;
let port = 0;

beforeAll(async () => {
  ollama = await startSimulatedOllama({ models: [`${MODEL}:latest`], tokenMs: 5, loadMsPerGb: 0 });
  stack = await TestStack.start();
});

afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  await ollama?.close();
});

/** Starts an agent, and waits until its listener answers, whether or not its edge does. */
async function listening(
  name: string,
  start: "startAgent" | "spawnAgent" = "startAgent",
  env: Record<string, string> = {},
) {
  port = await freePort();
  const agent = await stack[start]({
    name,
    ollamaUrl: ollama.url,
    args: ["--listen", `127.0.0.1:${port}`],
    env,
  });
  await eventually(
    async () =>
      (await fetch(`http://127.0.0.1:${port}/`).then(
        ({ ok }) => ok,
        () => false,
      )) || undefined,
    () => agent.tail().join("\n"),
  );
  return agent;
}

const chat = (tokens: number) =>
  fetch(`http://127.0.0.1:${port}/api/chat`, {
    method: "POST",
    body: JSON.stringify({ model: MODEL, messages, options: { num_predict: tokens } }),
  });
const idOf = (answer: Response) => answer.headers.get("x-request-id");
const countOf = async (id: string | null) =>
  (await stack.logs()).logs.filter((entry) => entry.id === id).length;

test("logs a local call at the edge once, with its tokens", async () => {
  const agent = await listening("local");
  const answer = await chat(6);
  expect((await answer.text()).trim().split("\n")).toHaveLength(7);
  expect(await stack.record(idOf(answer))).toMatchObject({
    box: "local",
    model: MODEL,
    endpoint: "/api/chat",
    status: "success",
    completion_tokens: 6,
    prompt: "Hello",
    client_ip: "127.0.0.1",
    key_id: null,
    resumed: 0,
    edge_ms: null,
    tunnel_ms: null,
    source: "listener",
  });
  const whole = await new Ollama({ host: `http://127.0.0.1:${port}` }).chat({
    model: MODEL,
    messages,
    options: { num_predict: 4 },
  });
  await eventually(
    async () => (await stack.logs("limit=1")).logs[0]?.completion_tokens === whole.eval_count,
  );
  expect(await countOf(idOf(answer))).toBe(1);
  await agent.stop(5_000);
});

test("records the energy of a local call, even if its record has to wait for the edge", async () => {
  const gpu = { NVIDIA_SMI: SIMULATED_SMI, SIMULATED_OLLAMA: ollama.url };
  const agent = await listening("warm", "startAgent", gpu);
  const called = async () => {
    const answer = await chat(20);
    await answer.text();
    return idOf(answer);
  };
  await eventually(async () => (await stack.record(await called())).energy_j !== null);
  await stack.stopEdge();
  const id = await called();
  await stack.startEdge();
  expect((await stack.record(id)).energy_j).toBeGreaterThan(0);
  await agent.stop(5_000);
});

test("counts two local calls of one slot as in flight, and one of them in the queue depth at the edge", async () => {
  const agent = await listening("queue");
  ollama.fault([{ kind: "hang" }]);
  const leaving = new AbortController();
  const call = () =>
    fetch(`http://127.0.0.1:${port}/api/chat`, {
      method: "POST",
      body: JSON.stringify({ model: MODEL, messages }),
      signal: leaving.signal,
    }).catch(() => null);
  const answers = [call(), call()];
  await eventually(async () => {
    const { in_flight, queue_depth } = await stack.stats();
    return in_flight === 2 && queue_depth === 1;
  });
  leaving.abort();
  await Promise.all(answers);
  ollama.fault([]);
  await eventually(async () => (await stack.stats()).queue_depth === 0);
  await agent.stop(5_000);
});

test("leaves one error record when an agent is killed in the middle of a local call", async () => {
  const agent = await listening("killed");
  const answer = await chat(10_000);
  const reader = answer.body?.getReader();
  await reader?.read();
  agent.kill();
  await agent.ended;
  await expect(reader?.read().then(() => reader.read())).rejects.toThrow();
  const next = await listening("killed");
  expect(await stack.record(idOf(answer))).toMatchObject({
    status: "error",
    box: "killed",
    error_message: "the agent stopped while it served this request",
    prompt: "Hello",
  });
  expect(await countOf(idOf(answer))).toBe(1);
  await next.stop(5_000);
});

test("serves a local caller while the edge is down, and delivers the record when it is back", async () => {
  await stack.stopEdge();
  const agent = await listening("patient", "spawnAgent");
  const answer = await chat(3);
  await answer.text();
  await stack.startEdge();
  expect(await stack.record(idOf(answer))).toMatchObject({
    status: "success",
    completion_tokens: 3,
    box: "patient",
  });
  expect(await countOf(idOf(answer))).toBe(1);
  await agent.stop(5_000);
});

test("finishes an open local call after SIGTERM, and delivers its record to the edge", async () => {
  const agent = await listening("drain");
  ollama.fault([{ kind: "slow_first_token", ms: 500 }]);
  const seen = ollama.requests().length;
  const open = chat(5);
  await eventually(async () => ollama.requests().length > seen);
  agent.signal("SIGTERM");
  const answer = await open;
  const text = await answer.text();
  ollama.fault([]);
  expect(JSON.parse(text.trim().split("\n").at(-1) ?? "")).toMatchObject({
    done: true,
    eval_count: 5,
  });
  expect(await agent.ended).toMatchObject({ code: 0 });
  expect(await stack.record(idOf(answer))).toMatchObject({
    status: "success",
    completion_tokens: 5,
  });
});

const WRONG: [name: string, listen: () => string, message: RegExp][] = [
  [
    "a host without a port",
    () => "everywhere",
    /^--listen must be \[host:\]port.*got "everywhere"/m,
  ],
  [
    "the edge's port",
    () => String(stack.port),
    /^cannot listen on 127\.0\.0\.1:\d+: another program uses that port/m,
  ],
  [
    "Ollama's own address",
    () => `localhost:${ollama.port}`,
    /^cannot listen on localhost:\d+: that is the address of the Ollama to forward to/m,
  ],
];

test.each(WRONG)(
  "exits with code 2 and the reason for --listen with %s",
  async (_name, listen, message) => {
    const agent = stack.spawnAgent({
      name: "wrong",
      ollamaUrl: ollama.url,
      args: ["--listen", listen()],
    });
    expect(await agent.ended).toMatchObject({ code: 2 });
    expect(agent.tail().join("\n")).toMatch(message);
  },
);

test("--check reports whether the agent could listen", async () => {
  const check = async (listen: string) => {
    const agent = stack.spawnAgent({
      name: "checked",
      ollamaUrl: ollama.url,
      args: ["--check", "--listen", listen],
    });
    return { ...(await agent.ended), text: agent.tail().join("\n") };
  };
  const free = String(await freePort());
  expect(await check(free)).toMatchObject({
    code: 0,
    text: expect.stringMatching(`ok +listen +can listen on 127.0.0.1:${free}`),
  });
  expect(await check(String(stack.port))).toMatchObject({
    code: 1,
    text: expect.stringMatching(/FAILED listen +cannot listen/),
  });
});

test("keeps no text of a local call if LOG_CONTENT is off, even of one made while the edge was down", async () => {
  await using silent = await TestStack.start({ AUTH_MODE: "open", LOG_CONTENT: "off" });
  await silent.stopEdge();
  port = await freePort();
  silent.spawnAgent({ name: "silent", ollamaUrl: ollama.url, args: ["--listen", String(port)] });
  const answer = await eventually(() => chat(2).catch(() => undefined));
  await answer.text();
  await silent.startEdge();
  expect(await silent.record(idOf(answer))).toMatchObject({
    prompt: null,
    response: null,
    completion_tokens: 2,
  });
});

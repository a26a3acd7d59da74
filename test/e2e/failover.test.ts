/** Two boxes with the same model: a call whose box fails before its answer begins moves to the other. */
import { Ollama } from "ollama";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { Child } from "../../local/processes.ts";
import { type SimulatedOllama, startSimulatedOllama } from "../../simulated/ollama.ts";
import { CuttingProxy } from "../support/cutting-proxy.ts";
import { eventually, freePort, TestStack } from "../support/stack.ts";

const MODEL = "twin:latest";

let stack: TestStack;
let ports: number[] = [];
let ollamas: SimulatedOllama[] = [];
let agents: Child[] = [];
/** Between the first agent and the edge. */
let way: CuttingProxy;

const startOllama = (port: number) =>
  startSimulatedOllama({ port, models: [MODEL], tokenMs: 1, loadMsPerGb: 0 });
const startAgent = (n: number) =>
  stack.startAgent({
    name: `box-${n}`,
    ollamaUrl: `http://127.0.0.1:${ports[n]}`,
    edgeUrl: n === 0 ? way.url : stack.url,
  });

beforeAll(async () => {
  ports = [await freePort(), await freePort()];
  ollamas = await Promise.all(ports.map(startOllama));
  stack = await TestStack.start();
  way = await CuttingProxy.start(stack.port);
  agents = await Promise.all([startAgent(0), startAgent(1)]);
});

afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  await way?.[Symbol.asyncDispose]();
  await Promise.all(ollamas.map((ollama) => ollama.close()));
});

afterEach(async () => {
  await Promise.all(ollamas.map((ollama) => ollama.close()));
  ollamas = await Promise.all(ports.map(startOllama));
});

beforeEach(async () => {
  await untilBothReady();
  await untilBothServe();
});

/** A conversation of its own, since the edge keeps one on its box. */
const chat = (stream = true, headers: Record<string, string> = {}) =>
  fetch(`${stack.url}/ollama/api/chat`, {
    method: "POST",
    headers,
    body: JSON.stringify({
      model: MODEL,
      stream,
      messages: [{ role: "user", content: crypto.randomUUID() }],
    }),
  });

/** Enough calls at once to be spread over both boxes. */
const several = <Result>(call: () => Result): Result[] => Array.from({ length: 8 }, call);

/** Waits until both boxes are up, and known to have the model. */
const untilBothReady = () =>
  eventually(async () => {
    const boxes = await stack.boxes();
    return boxes.every(
      ({ state, ollama_reachable, models }) =>
        state === "up" && ollama_reachable === true && models.length === 1,
    );
  });

/**
 * Waits until the edge spreads calls over both boxes. One whose Ollama has started a moment ago, or that
 * was slow once, would get none for a while: the edge would rather queue them at the other. So calls that
 * name a box load its model and show how fast it is now.
 */
async function untilBothServe(): Promise<void> {
  const seen = new Set<string | null>();
  await eventually(async () => {
    const named = await Promise.all(["box-0", "box-1"].map((box) => chat(true, { "x-box": box })));
    await Promise.all(named.map((answer) => answer.text()));
    const answers = await Promise.all(several(() => chat()));
    await Promise.all(answers.map((answer) => answer.text()));
    for (const { headers } of answers) seen.add(headers.get("x-box"));
    return seen.size === 2;
  });
}

/**
 * Calls until the first Ollama holds a call, which it does not answer. New calls leave once all others were
 * answered, so there are few.
 */
async function callsHeldByFirst() {
  const before = ollamas[0]?.requests().length;
  const held = () =>
    (ollamas[0]?.requests() ?? []).slice(before).filter(({ path }) => path === "/api/chat");
  ollamas[0]?.fault([{ kind: "hang" }]);
  const calls: Promise<Response>[] = [];
  await eventually(async () => {
    const round = several(() => chat());
    calls.push(...round);
    let areAnswered = false;
    void Promise.allSettled(round).then(() => {
      areAnswered = true;
    });
    await eventually(async () => areAnswered || held().length > 0);
    return held().length > 0;
  });
  return { calls, held };
}

/** Waits for the record of an answer, and checks that it is the only one. */
async function recordOf(answer: Response) {
  const id = answer.headers.get("x-request-id");
  const record = await stack.record(id);
  expect((await stack.logs()).logs.filter((entry) => entry.id === id)).toHaveLength(1);
  return record;
}

/** Makes calls, all of which must succeed. Returns the record of one that has moved, if any has. */
async function movedOne(stream = true) {
  const answers = await Promise.all(several(() => chat(stream)));
  for (const answer of answers)
    expect([answer.status, await answer.text()]).toEqual([
      200,
      expect.stringContaining('"done":true'),
    ]);
  const answer = answers.find(({ headers }) => headers.get("x-route-reason") === "failover");
  return answer !== undefined && recordOf(answer);
}

test("11 of 11 calls succeed while the Ollama of one box is dead", async () => {
  await ollamas[0]?.close();
  const answers = await Promise.all(Array.from({ length: 11 }, () => chat()));
  const texts = await Promise.all(answers.map((answer) => answer.text()));
  expect(texts.every((text) => text.includes('"done":true'))).toBe(true);
  expect(new Set(answers.map(({ headers }) => headers.get("x-box")))).toEqual(new Set(["box-1"]));
  const records = await Promise.all(answers.map(recordOf));
  const moves = records.filter(({ moved_from }) => moved_from !== null);
  expect(moves.length).toBeGreaterThan(0);
  for (const record of moves) {
    expect(record).toMatchObject({ status: "success", attempts: 2, route_reason: "failover" });
    expect(record.moved_from).toMatch(/^box-0:ollama_unreachable:\d+ms$/);
  }
  const { total_requests } = await stack.stats();
  expect((await stack.logs()).total).toBe(total_requests);
});

test.each([true, false])(
  "a call moves from an Ollama that answers 5xx; streamed: %s",
  async (streamed) => {
    ollamas[0]?.fault([{ kind: "error_line", after_chunks: 0 }]);
    expect(await eventually(() => movedOne(streamed))).toMatchObject({
      box: "box-1",
      attempts: 2,
      moved_from: expect.stringMatching(/^box-0:http_500:\d+ms$/),
    });
  },
);

test("a call moves from a box that no longer has the model", async () => {
  const body = JSON.stringify({ model: MODEL });
  // The edge may know of it before a call does. Then the box gets the model back, for another try.
  const record = await eventually(async () => {
    await fetch(`${ollamas[0]?.url}/api/delete`, { method: "DELETE", body });
    const moved = await movedOne();
    if (moved !== false) return moved;
    await ollamas[0]?.close();
    ollamas[0] = await startOllama(ports[0] ?? 0);
    await untilBothReady();
    await untilBothServe();
    return false;
  });
  expect(record).toMatchObject({
    box: "box-1",
    attempts: 2,
    moved_from: expect.stringContaining("box-0:model_not_found:"),
  });
});

test("a call moves from an agent that is killed before the first byte, and keeps one record", async () => {
  const { calls } = await callsHeldByFirst();
  agents[0]?.signal("SIGKILL");
  await agents[0]?.ended;
  ollamas[0]?.fault([]);
  agents[0] = await startAgent(0);
  const answers = await Promise.all(calls);
  await Promise.all(answers.map((answer) => answer.text()));
  const records = await Promise.all(answers.map(recordOf));
  expect(new Set(records.map(({ status }) => status))).toEqual(new Set(["success"]));
  expect(records.map(({ moved_from }) => moved_from)).toContainEqual(
    // An agent that takes longer than 4 s to start is lost by then.
    expect.stringMatching(/^box-0:(agent_restarted|tunnel_lost):\d+ms$/),
  );
});

test("Ollama's own client works with two boxes while one dies, and after that", async () => {
  const client = new Ollama({ host: `${stack.url}/ollama` });
  const names = async () => (await client.list()).models.map(({ name }) => name).sort();
  const messages = () => [{ role: "user", content: crypto.randomUUID() }];
  const streamed = async () => {
    let text = "";
    const parts = await client.chat({ model: MODEL, messages: messages(), stream: true });
    for await (const { message } of parts) text += message.content;
    return text;
  };
  const whole = async () => (await client.chat({ model: MODEL, messages: messages() })).message;
  const calls = [...several(streamed), ...several(whole)];
  await ollamas[0]?.close();
  // A stream that had begun on the box that died ends with an error; all others are served.
  for (const answer of await Promise.allSettled([...calls, ...several(whole)]))
    if (answer.status === "rejected") expect(String(answer.reason)).toContain("Ollama closed");
  await eventually(async () =>
    (await stack.boxes()).some(({ ollama_reachable }) => ollama_reachable === false),
  );
  expect(await names()).toEqual([MODEL]);
  expect((await client.show({ model: MODEL })).details).toBeDefined();
  await client.pull({ model: "qwen3:0.6b" });
  await client.create({ model: "mine:1b", from: MODEL, stream: false });
  await client.copy({ source: "mine:1b", destination: "copied:1b" });
  expect(await names()).toEqual(["copied:1b", "mine:1b", "qwen3:0.6b", MODEL].sort());
  expect((await client.ps()).models.map(({ name }) => name)).toContain(MODEL);
  for (const model of ["copied:1b", "mine:1b", "qwen3:0.6b"]) await client.delete({ model });
  expect(await names()).toEqual([MODEL]);
  expect(await streamed()).not.toBe("");
});

test("a call moves from a box that the network lost, which never answers it too", async () => {
  const { calls, held } = await callsHeldByFirst();
  // Packets vanish: nobody closes a connection, and dialling again fails too.
  way.isOpen = false;
  way.swallow("up", "down");
  const answers = await Promise.all(calls);
  const texts = await Promise.all(answers.map((answer) => answer.text()));
  expect(texts.every((text) => text.includes('"done":true'))).toBe(true);
  // By then the first box has stopped.
  expect(held().map(({ aborted }) => aborted)).not.toContain(false);
  const served = held().length;
  ollamas[0]?.fault([]);
  way.isOpen = true;
  await untilBothReady();
  const records = await Promise.all(answers.map(recordOf));
  expect(new Set(records.map(({ status }) => status))).toEqual(new Set(["success"]));
  expect(records.map(({ moved_from }) => moved_from)).toContainEqual(
    expect.stringMatching(/^box-0:tunnel_lost:\d+ms$/),
  );
  expect(held()).toHaveLength(served); // and does not begin again once it is back
});

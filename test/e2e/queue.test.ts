/** Callers who share a box take turns, see their place, and leave without a trace at Ollama. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { MadeKey } from "../../protocol/api/keys.ts";
import { Live } from "../../protocol/api/live.ts";
import { Logs } from "../../protocol/api/logs.ts";
import { QUEUED_MAX } from "../../protocol/limits.ts";
import { type SimulatedOllama, startSimulatedOllama } from "../../simulated/ollama.ts";
import { eventually, TestStack } from "../support/stack.ts";

const ADMIN = "admin-key-0123456789-abcdefghij";
const CALLER = "caller-key-9876543210-jihgfedcba";
const SECRET = "box-secret-5647382910-kjhgfdsapo";

let stack: TestStack;
let ollama: SimulatedOllama;

beforeAll(async () => {
  ollama = await startSimulatedOllama({
    models: ["m"],
    tokenMs: 10,
    loadMsPerGb: 0,
    slotsPerModel: 1,
  });
  stack = await TestStack.start({
    AUTH_MODE: "keys",
    ADMIN_KEY: ADMIN,
    CALLER_KEY: CALLER,
    BOX_SECRETS: `shared=${SECRET}`,
  });
  const agent = stack.spawnAgent({
    name: "shared",
    ollamaUrl: ollama.url,
    env: { BOX_SECRET: SECRET, OLLAMA_NUM_PARALLEL: "1" },
  });
  await eventually(
    async () => (await live()).boxes.some(({ state }) => state === "up"),
    () => agent.tail().join("\n"),
  );
});

afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  await ollama?.close();
});

const admin = { headers: { authorization: `Bearer ${ADMIN}` } };
const live = async () => Live.parse(await stack.json("/api/live", admin));
const logs = async () => Logs.parse(await stack.json("/api/stats/logs?limit=1000", admin)).logs;

/** A streamed chat; resolves with its request id when it has ended. */
async function chat(key: string, more: { tokens?: number; signal?: AbortSignal }): Promise<string> {
  const { tokens = 5, signal } = more;
  const answer = await fetch(`${stack.url}/ollama/api/chat`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}` },
    body: JSON.stringify({
      model: "m",
      messages: [{ role: "user", content: "Hello" }],
      options: { num_predict: tokens },
    }),
    ...(signal === undefined ? {} : { signal }),
  });
  await answer.text();
  return answer.headers.get("x-request-id") ?? "";
}

/** Takes the only slot until it is aborted. */
async function takeSlot(): Promise<{ end: () => Promise<void> }> {
  const seen = chats();
  const leaving = new AbortController();
  const taken = chat(ADMIN, { tokens: 10_000, signal: leaving.signal }).catch(() => null);
  await eventually(async () => chats() > seen);
  return {
    end: async () => {
      leaving.abort();
      await taken;
    },
  };
}

/** The calls that Ollama has seen. */
const chats = () => ollama.requests().filter(({ path }) => path === "/api/chat").length;

const waitingPlaces = async () =>
  (await live()).in_flight
    .flatMap(({ queue_position }) => queue_position ?? [])
    .sort((a, b) => a - b);

test("a caller with many requests waiting does not delay another, and all have a place", async () => {
  const slot = await takeSlot();
  const ended: string[] = [];
  const called = async (key: string) => {
    const id = await chat(key, { tokens: 5 });
    ended.push(id);
    return id;
  };
  const many = Array.from({ length: 6 }, () => called(ADMIN));
  await eventually(async () => String(await waitingPlaces()) === "1,2,3,4,5,6");
  const other = called(CALLER);
  await eventually(async () => (await waitingPlaces()).length === 7);
  await slot.end();
  await Promise.all([...many, other]);
  expect(ended.indexOf(await other)).toBe(0);
  const entry = await eventually(async () =>
    (await logs()).find(({ key_id }) => key_id === "caller"),
  );
  expect(entry).toMatchObject({ id: await other, status: "success" });
  expect(entry.queue_ms).toBeGreaterThan(0);
  expect(entry.ttft_ms).toBeGreaterThanOrEqual(entry.queue_ms ?? Number.NaN);
});

test("a key of high priority has its turns before those of others, and one of low priority after them", async () => {
  const make = async (priority: string) => {
    const body = JSON.stringify({ name: priority, scopes: ["infer"], priority });
    return (await stack.json("/api/keys", { ...admin, method: "POST", body })) as MadeKey;
  };
  const [low, high] = [await make("low"), await make("high")];
  const slot = await takeSlot();
  const ended: string[] = [];
  const calls: Promise<unknown>[] = [];
  for (const { key, name } of [low, { key: CALLER, name: "normal" }, high])
    for (let n = 0; n < 3; n++) {
      calls.push(chat(key, { tokens: 2 }).then(() => ended.push(name)));
      await eventually(async () => (await waitingPlaces()).length === calls.length);
    }
  await slot.end();
  await Promise.all(calls);
  expect(ended.slice(0, 4).filter((name) => name === "high")).toHaveLength(3);
  expect(ended.slice(-2)).toEqual(["low", "low"]);
});

test("a record names the key, the user and the session of its caller", async () => {
  const answer = await fetch(`${stack.url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${CALLER}`, "x-session-id": "session 42" },
    body: JSON.stringify({ model: "m", messages: [], user: "ada", max_tokens: 1 }),
  });
  await answer.text();
  const entry = await eventually(async () => {
    const found = await stack.json("/api/stats/logs?user=ada&session=session%2042", admin);
    return Logs.parse(found).logs[0];
  });
  expect(entry).toMatchObject({
    id: answer.headers.get("x-request-id"),
    key_id: "caller",
    key_name: "CALLER_KEY",
    end_user: "ada",
    session_id: "session 42",
  });
});

test("a caller who leaves while waiting costs Ollama nothing, and is recorded as cancelled", async () => {
  const slot = await takeSlot();
  const seen = chats();
  const leaving = new AbortController();
  const left = chat(CALLER, { signal: leaving.signal }).catch(() => null);
  await eventually(async () => String(await waitingPlaces()) === "1");
  leaving.abort();
  await left;
  const cancelled = await eventually(async () =>
    (await logs()).find(({ status, key_id }) => status === "cancelled" && key_id === "caller"),
  );
  expect(cancelled).toMatchObject({ prompt_tokens: null, energy_j: null });
  await slot.end();
  expect(chats()).toBe(seen);
});

/** Calls at once: hundreds hold up every process of a busy machine, and the agent loses its tunnel. */
const BURST = QUEUED_MAX / 8;

test("a full queue refuses one more request, with its place and when to come again", async () => {
  const slot = await takeSlot();
  const seen = chats();
  const leaving = new AbortController();
  const call = () =>
    fetch(`${stack.url}/ollama/api/chat`, {
      method: "POST",
      headers: { authorization: `Bearer ${ADMIN}`, "x-session-id": "full" },
      body: JSON.stringify({ model: "m", stream: false, messages: [] }),
      signal: leaving.signal,
    });
  const waiting: Promise<Response>[] = [];
  while (waiting.length < QUEUED_MAX) {
    for (let n = 0; n < BURST; n++) waiting.push(call());
    await eventually(async () => (await live()).boxes[0]?.queue_depth === waiting.length);
  }
  const ended = Promise.allSettled(waiting);
  const refused = await call();
  expect([refused.status, Number(refused.headers.get("retry-after")) > 0]).toEqual([503, true]);
  expect(await refused.text()).toMatch(
    new RegExp(`at most ${QUEUED_MAX} requests .* position ${QUEUED_MAX + 1}`),
  );
  leaving.abort();
  const answered = (await ended).filter(({ status }) => status === "fulfilled");
  expect(answered).toEqual([]);
  const id = refused.headers.get("x-request-id");
  const entry = await eventually(async () => (await logs()).find((each) => each.id === id));
  expect(entry).toMatchObject({ status: "error", http_status: 503, box: "shared" });
  // While one of them still waits at the agent, the free slot would be its turn.
  await eventually(async () => {
    const found = await stack.json("/api/stats/logs?limit=1000&session=full", admin);
    const cancelled = Logs.parse(found).logs.filter(({ status }) => status === "cancelled");
    return cancelled.length === QUEUED_MAX;
  });
  await slot.end();
  expect(chats()).toBe(seen);
});

/** The limits of keys, counted by the Box that serves them: never exceeded, and one round trip. */
import { evictDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, expect, test } from "vitest";
import type { MadeKey } from "../../protocol/api/keys.ts";
import { newRequestId } from "../../protocol/request-id.ts";
import { attachUrl, LIMIT_IS_REACHED } from "../../worker/box/attach.ts";
import worker from "../../worker/index.ts";
import { eventually, textOf } from "./calls.ts";
import { FakeBox } from "./fake-box.ts";
import { ADMIN, bearer, call, keys } from "./keyed-edge.ts";

const MODEL = "qwen3:8b";

const boxes: FakeBox[] = [];
afterEach(async () => {
  for (const box of boxes.splice(0)) await box[Symbol.asyncDispose]();
});

async function boxNamed(name: string): Promise<FakeBox> {
  const box = await FakeBox.connect(name, [MODEL]);
  boxes.push(box);
  return box;
}

const make = (policy: object) =>
  call("/api/keys", {
    method: "POST",
    headers: bearer(ADMIN),
    body: JSON.stringify({ name: "Ada", scopes: ["infer"], ...policy }),
  });
const keyWith = async (policy: object) => (await (await make(policy)).json<MadeKey>()).key;

/** Begins a call. Not through `call`, which waits for its end. */
function chat(key: string, path = "/ollama/api/chat"): Promise<Response> {
  const body = JSON.stringify({ model: MODEL, messages: [], max_tokens: 1 });
  const request = new Request(`https://edge.example${path}`, {
    method: "POST",
    headers: bearer(key),
    body,
  });
  const context = { waitUntil: () => {}, passThroughOnException: () => {} };
  return Promise.resolve(worker.fetch(request, keys(), context as never));
}

const answerTo = (box: FakeBox, stream: string) =>
  box.agent.answer(stream, 200, [["content-type", "application/json"]], "{}");

/** Offers a call to a Box, as a Worker does. Returns its socket; null if the limit is reached. */
async function offered({ name: box, agent }: FakeBox): Promise<WebSocket | null> {
  agent.socket.send("ping"); // a busy machine may need long for all calls
  const limits = { parallel: 10, requests: null };
  const answer = await env.BOX.getByName(box).fetch(
    attachUrl({
      box,
      id: newRequestId(Date.now()),
      model: null,
      key: { id: "00112233aabbccdd", version: Number.MAX_SAFE_INTEGER, isFresh: true, limits },
      openMost: null,
      isResume: false,
      keepsText: false,
      waitMs: 0,
    }),
    { headers: { upgrade: "websocket" } },
  );
  if (answer.webSocket === null) {
    expect(answer.status).toBe(LIMIT_IS_REACHED);
    await answer.json(); // an eviction waits for answers that nobody has read
  }
  answer.webSocket?.accept();
  return answer.webSocket;
}

test("admits exactly ten of a thousand parallel calls, also after the Box hibernated", async () => {
  const box = await boxNamed("ten");
  const calls: (WebSocket | null)[] = [];
  while (calls.length < 1_000)
    calls.push(...(await Promise.all(Array.from({ length: 50 }, () => offered(box)))));
  const [first, ...others] = calls.filter((socket) => socket !== null);
  expect(others).toHaveLength(9);
  await evictDurableObject(env.BOX.getByName("ten"));
  expect(await offered(box)).toBeNull();
  // As soon as a call is over, another one is admitted, and only one.
  first?.close(1000);
  const next = await eventually(async () => (await offered(box)) ?? undefined);
  expect(await offered(box)).toBeNull();
  for (const socket of [next, ...others]) socket.close(1000);
});

test.each([
  ["/ollama/api/chat", { error: expect.stringContaining("its limit of 2 for requests per day") }],
  ["/v1/chat/completions", { error: { type: "rate_limit_error", code: "limit_reached" } }],
  ["/v1/messages", { type: "error", error: { type: "rate_limit_error" } }],
])(
  "the call beyond the limit of a day is refused in the words of %s, with its reset",
  async (path, error) => {
    const box = await boxNamed("day");
    const key = await keyWith({ boxes: ["day"], limits: { requests: { day: 2 } } });
    for (let n = 0; n < 2; n++) {
      const calling = chat(key, path);
      answerTo(box, (await box.next()).stream);
      const answer = await calling;
      expect(answer.status).toBe(200);
      await textOf(answer);
    }
    const { status, headers, ...answer } = await chat(key, path).then(async (refused) => ({
      status: refused.status,
      headers: refused.headers,
      body: await refused.json(),
    }));
    expect([status, answer.body]).toMatchObject([429, error]);
    const untilMidnight = Math.ceil((86_400_000 - (Date.now() % 86_400_000)) / 1_000);
    expect(Math.abs(Number(headers.get("retry-after")) - untilMidnight)).toBeLessThan(5);
    expect(headers.get("x-ratelimit-limit")).toBe("2");
    expect(headers.get("x-ratelimit-remaining")).toBe("0");
  },
);

test("a caller who makes one call after another stays within one at once", async () => {
  const box = await boxNamed("next");
  const key = await keyWith({ boxes: ["next"], limits: { parallel: 1 } });
  for (let n = 0; n < 20; n++) {
    const calling = chat(key);
    const begun = await Promise.race([box.next(), calling]);
    if (begun instanceof Response) expect(await begun.text()).toBe("no refusal");
    else answerTo(box, begun.stream);
    await textOf(await calling);
  }
});

test("a list does not count, and a call does", async () => {
  const box = await boxNamed("counts");
  const key = await keyWith({ boxes: ["counts"], limits: { requests: { day: 1 }, parallel: 1 } });
  expect((await call("/ollama/api/tags", { headers: bearer(key) })).status).toBe(200);
  const calling = chat(key);
  const { stream } = await box.next();
  answerTo(box, stream);
  await textOf(await calling);
  expect((await chat(key)).status).toBe(429);
});

test.each([
  [{ limits: { parallel: 0 }, boxes: ["flaw"] }, "limits.parallel: must be at least 1"],
  [{ limits: { requests: { hour: 1 } }, boxes: ["flaw"] }, "limits.requests"],
  [{ limits: { parallel: 1 } }, "a key with limits is served by one box"],
])("refuses the limits of %j", async (policy, why) => {
  await boxNamed("flaw");
  const answer = await make(policy);
  expect([answer.status, await answer.text()]).toEqual([400, expect.stringContaining(why)]);
});

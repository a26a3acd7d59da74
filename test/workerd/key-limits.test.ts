/** The limits of keys, counted by one object for all boxes. */
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, expect, test } from "vitest";
import type { Key, MadeKey } from "../../protocol/api/keys.ts";
import { FrameType, tunnelFrame } from "../../protocol/frames.ts";
import { factsOf } from "../../protocol/messages.ts";
import type { RequestRecord } from "../../protocol/records.ts";
import { newRequestId } from "../../protocol/request-id.ts";
import { attachUrl, LIMIT_IS_REACHED } from "../../worker/box/attach.ts";
import worker from "../../worker/index.ts";
import { limitsOf } from "../support/key-limits.ts";
import { recordOf } from "../support/records.ts";
import { eventually, textOf } from "./calls.ts";
import { FakeBox } from "./fake-box.ts";
import { ADMIN, bearer, call, keys } from "./keyed-edge.ts";

const MODEL = "qwen3:8b";
const LINEAGE = "00112233aabbccdd";
let position = 0;

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
const made = async (policy: object) => (await make(policy)).json<MadeKey>();
const keyWith = async (policy: object) => (await made(policy)).key;
const manage = (path: string, method = "GET", body?: object) =>
  call(`/api/keys/${path}`, {
    method,
    headers: bearer(ADMIN),
    ...(body && { body: JSON.stringify(body) }),
  });
const shown = async (id: string) => (await manage(id)).json<Key>();

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

const NOT_COUNTED = 503;

/** Offers a call to a Box, as a Worker does. Returns its socket; null if the limit is reached. */
async function offered({ name: box }: Pick<FakeBox, "name">): Promise<WebSocket | null> {
  const limits = limitsOf({ parallel: 10 });
  const answer = await env.BOX.getByName(box).fetch(
    attachUrl({
      box,
      id: newRequestId(Date.now()),
      model: null,
      key: {
        id: LINEAGE,
        version: Number.MAX_SAFE_INTEGER,
        isFresh: true,
        lineage: LINEAGE,
        limits,
      },
      openMost: null,
      isResume: false,
      keepsText: false,
      waitMs: 0,
    }),
    { headers: { upgrade: "websocket" } },
  );
  if (answer.webSocket === null) {
    await answer.json(); // an eviction waits for answers that nobody has read
    // A busy machine may not count a call in time. It is refused, and made again.
    if (answer.status === NOT_COUNTED) return offered({ name: box });
    expect(answer.status).toBe(LIMIT_IS_REACHED);
  }
  answer.webSocket?.accept();
  return answer.webSocket;
}

test("admits exactly ten of a thousand parallel calls over two boxes, through evictions", async () => {
  const both = [await boxNamed("ten"), await boxNamed("twin")] as const;
  const calls: (WebSocket | null)[] = [];
  while (calls.length < 1_000)
    calls.push(
      ...(await Promise.all(Array.from({ length: 50 }, (_, n) => offered(both[n % 2 ? 1 : 0])))),
    );
  const [first, ...others] = calls.filter((socket) => socket !== null);
  expect(others).toHaveLength(9);
  await evictDurableObject(env.BOX.getByName("ten"));
  await evictDurableObject(env.QUOTA.getByName(LINEAGE));
  expect(await offered(both[0])).toBeNull();
  expect(await offered(both[1])).toBeNull();
  // As soon as a call is over, another one is admitted, and only one.
  first?.close(1000);
  const next = await eventually(async () => (await offered(both[1])) ?? undefined);
  expect(await offered(both[0])).toBeNull();
  for (const socket of [next, ...others]) socket.close(1000);
});

/** Makes a call, whose record has these figures. */
async function spend(box: FakeBox, key: string, figures: Partial<RequestRecord>): Promise<void> {
  const calling = chat(key);
  const { stream, open } = await box.next();
  answerTo(box, stream);
  await textOf(await calling);
  const record = { ...recordOf(Date.now(), figures), ...factsOf(stream, open), seal: open.seal };
  box.agent.send(tunnelFrame(FrameType.records, { position: ++position, records: [record] }));
  await box.agent.next(FrameType.recorded);
}

test("the tokens and the energy of all boxes count when their records come, for a key and its successor", async () => {
  const [one, other] = [await boxNamed("one"), await boxNamed("other")];
  const limits = { tokens: { day: 1_000 }, wh: { month: 1 } };
  const first = await made({ limits, boxes: ["one"] });
  await spend(one, first.key, { prompt_tokens: 300, completion_tokens: 100, energy_j: 720 });
  const day = { limit: 1_000, used: 400, reserved: 0, remaining: 600 };
  const month = { limit: 1, used: 0.2, reserved: 0, remaining: 0.8 };
  const left = { tokens: { day }, wh: { month } };
  await eventually(async () =>
    (await shown(first.id)).left?.tokens?.day?.used ? true : undefined,
  );
  expect((await shown(first.id)).left).toMatchObject(left);
  expect((await manage(first.id, "PATCH", { boxes: ["other"] })).status).toBe(200);
  const next = await (await manage(`${first.id}/rotate`, "POST", {})).json<MadeKey>();
  await spend(other, next.key, { prompt_tokens: 500, completion_tokens: 100, energy_j: 720 });
  await eventually(async () =>
    (await shown(next.id)).left?.tokens?.day?.used === 1_000 ? true : undefined,
  );
  expect((await shown(next.id)).left?.wh?.month?.used).toBeCloseTo(0.4);
  for (const { key } of [first, next]) {
    const refused = await chat(key);
    expect([refused.status, refused.headers.get("x-ratelimit-limit")]).toEqual([429, "1000"]);
    expect(await refused.text()).toContain("its limit of 1000 for tokens per day");
  }
});

test("the count of a deleted key is removed, unless another one shares it", async () => {
  const box = await boxNamed("deleted");
  const first = await made({ boxes: ["deleted"], limits: { requests: { day: 5 } } });
  const calling = chat(first.key);
  answerTo(box, (await box.next()).stream);
  await textOf(await calling);
  const rows = () =>
    runInDurableObject(
      env.QUOTA.getByName(first.id),
      (_, { storage }) => [...storage.kv.list()].length,
    );
  const next = await (await manage(`${first.id}/rotate`, "POST", { overlap_s: 0 })).json<MadeKey>();
  await manage(first.id, "DELETE");
  expect([(await manage(first.id)).status, await rows()]).toEqual([404, 1]);
  expect((await shown(next.id)).left?.requests?.day).toMatchObject({ used: 1, remaining: 4 });
  await manage(next.id, "DELETE");
  await manage(next.id, "DELETE");
  expect([(await manage(next.id)).status, await rows()]).toEqual([404, 0]);
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
  [{ limits: { tokens: { day: 0 } } }, "limits.tokens.day: must be at least 1"],
  [{ limits: { tokens: { day: 1.5 } } }, "limits.tokens.day: must be a whole number"],
  [{ limits: { wh: { month: -1 } } }, "limits.wh.month: must be more than 0"],
  [{ limits: { money: { day: 1 } } }, "calls have no price without a tariff"],
])("refuses the limits of %j", async (policy, why) => {
  await boxNamed("flaw");
  const answer = await make(policy);
  expect([answer.status, await answer.text()]).toEqual([400, expect.stringContaining(why)]);
});

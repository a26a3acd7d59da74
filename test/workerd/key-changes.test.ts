/**
 * Changes of keys: a Box holds off an isolate that has missed one, and stops the open calls of a key that
 * has ended. So a call with a made key waits for nothing but its Box.
 */
import { evictDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, expect, test } from "vitest";
import type { MadeKey } from "../../protocol/api/keys.ts";
import { FrameType, parsePayload } from "../../protocol/frames.ts";
import { Abort } from "../../protocol/messages.ts";
import { newRequestId } from "../../protocol/request-id.ts";
import type { Fleet } from "../../worker/aggregator/fleet.ts";
import { aggregatorOf } from "../../worker/aggregator/stub.ts";
import type { Bindings } from "../../worker/env.ts";
import { fleetFor, forgetBoxes } from "../../worker/gateway/known-fleet.ts";
import { CallerKey, callKeysFor } from "../../worker/gateway/known-keys.ts";
import { serve } from "../../worker/gateway/serve.ts";
import worker from "../../worker/index.ts";
import { onBusyMachine } from "../support/patience.ts";
import { textOf } from "./calls.ts";
import { FakeBox } from "./fake-box.ts";
import { callOf, HeldTrips } from "./held-trips.ts";
import { ADMIN, bearer, call, keys } from "./keyed-edge.ts";

const MODEL = "qwen3:8b";
/** A revocation holds everywhere within this. */
const REVOKED_WITHIN_MS = onBusyMachine(1_000);

const boxes: FakeBox[] = [];
afterEach(async () => {
  for (const box of boxes.splice(0)) await box[Symbol.asyncDispose]();
});

async function boxNamed(name: string): Promise<FakeBox> {
  const box = await FakeBox.connect(name, [MODEL]);
  boxes.push(box);
  return box;
}

const admin = (path: string, method: string, body: object = {}) =>
  call(path, { method, headers: bearer(ADMIN), body: JSON.stringify(body) });

async function make(policy: object = {}): Promise<MadeKey> {
  const answer = await admin("/api/keys", "POST", { name: "Ada", scopes: ["infer"], ...policy });
  return answer.json<MadeKey>();
}

/** Begins a call whose answer streams. Not through `call`, which waits for its end. */
function streamed(key: string, path: string, bindings: Bindings = keys()): Promise<Response> {
  const init = {
    method: "POST",
    headers: bearer(key),
    body: JSON.stringify({ model: MODEL, messages: [], stream: true, max_tokens: 9 }),
  };
  const context = { waitUntil: () => {}, passThroughOnException: () => {} };
  const request = new Request(`https://edge.example${path}`, init);
  return Promise.resolve(worker.fetch(request, bindings, context as never));
}

/** Has the isolate know what it knew before, as if another one had handled the changes since. */
async function knowAgain(fleet: Fleet): Promise<void> {
  forgetBoxes();
  const AGGREGATOR = { getByName: () => ({ fleet: async () => fleet }) };
  const shell = { env: { ...env, AGGREGATOR } as unknown as Bindings, waitUntil: () => {} };
  await fleetFor(shell, Date.now(), () => true);
}

const silent = (): Bindings => {
  const AGGREGATOR = { getByName: () => ({ fleet: () => new Promise(() => {}) }) };
  return keys({ AGGREGATOR: AGGREGATOR as never });
};

const known = () => fleetFor({ env: env as Bindings, waitUntil: () => {} }, Date.now(), () => true);

const TYPES = { ollama: "application/x-ndjson", events: "text/event-stream" };

test("a call with a made key waits for one round trip, to its Box", async () => {
  const box = await boxNamed("near-key");
  const { id } = await make();
  await known();
  const fleet = await aggregatorOf(env).fleet();
  const issued = fleet.keys?.all?.find((key) => key.id === id);
  if (issued === undefined) throw new Error("the key is missing");
  const trips = new HeldTrips(env as Bindings);
  const key = new CallerKey({ issued, version: fleet.keys?.version ?? 0 }, "infer", true);
  const made = { ...callOf("near-key", newRequestId(Date.now()), Date.now()), key };
  const answer = serve({ env: trips.env, waitUntil: () => {} }, made, async () => ({
    bytes: new TextEncoder().encode("{}"),
    model: MODEL,
    stream: true,
  }));
  void box.next().then(({ stream }) => box.agent.answer(stream, 200, [], "{}"));
  expect(await trips.until(answer)).toEqual([["box.fetch"]]);
  // However long ago the isolate learned the keys.
  const old = await knownKeysCalls(100_000);
  expect(old).toEqual([]);
});

/** Returns the calls of the Aggregator that finding a key waits for, this long after the last one. */
async function knownKeysCalls(ageMs: number): Promise<string[]> {
  const { id } = await make();
  await known();
  const calls: string[] = [];
  const AGGREGATOR = { getByName: () => ({ fleet: async () => void calls.push("fleet") }) };
  const now = Date.now;
  Date.now = () => now() + ageMs;
  try {
    const c = { env: { ...env, AGGREGATOR }, executionCtx: { waitUntil: () => {} } };
    expect((await callKeysFor(c as never)(id))?.issued.id).toBe(id);
  } finally {
    Date.now = now;
  }
  return calls;
}

test("an isolate that missed a revocation is refused by the Box, also while the Aggregator is silent", async () => {
  const box = await boxNamed("strict");
  const { id, key } = await make();
  const before = await aggregatorOf(env).fleet();
  await admin(`/api/keys/${id}`, "DELETE");
  await knowAgain(before);
  const refused = await streamed(key, "/ollama/api/chat");
  expect([refused.status, await textOf(refused)]).toEqual([
    401,
    expect.stringContaining("This API key was revoked."),
  ]);
  await knowAgain(before);
  const unchecked = await streamed(key, "/ollama/api/chat", silent());
  expect([unchecked.status, await textOf(unchecked)]).toEqual([
    503,
    expect.stringContaining("cannot check"),
  ]);
  expect(box.received).toEqual([]);
});

test("an isolate that missed another key's change reads the keys again, and its call goes on", async () => {
  const box = await boxNamed("other-change");
  const { key } = await make();
  const before = await aggregatorOf(env).fleet();
  await make();
  await knowAgain(before);
  const answered = streamed(key, "/ollama/api/chat");
  const { stream } = await box.next();
  box.agent.answer(stream, 200, [], "{}");
  expect((await answered).status).toBe(200);
});

test("a key that was moved to another box goes there at once, from each isolate", async () => {
  const [first, second] = [await boxNamed("before"), await boxNamed("after")];
  const { id, key } = await make({ boxes: ["before"] });
  const before = await aggregatorOf(env).fleet();
  await admin(`/api/keys/${id}`, "PATCH", { boxes: ["after"] });
  await knowAgain(before);
  const answered = streamed(key, "/ollama/api/chat");
  const { stream } = await second.next();
  second.agent.answer(stream, 200, [], "{}");
  expect((await answered).headers.get("x-box")).toBe("after");
  expect(first.received).toEqual([]);
});

test("a Box that was restarted takes a call only from an isolate that has read the keys since", async () => {
  const box = await boxNamed("restarted");
  const { id, key } = await make();
  const before = await aggregatorOf(env).fleet();
  await admin(`/api/keys/${id}`, "DELETE");
  await evictDurableObject(env.BOX.getByName("restarted"));
  await knowAgain(before);
  expect((await streamed(key, "/ollama/api/chat")).status).toBe(401);
  const other = await make();
  await evictDurableObject(env.BOX.getByName("restarted"));
  const answered = streamed(other.key, "/ollama/api/chat");
  const { stream } = await box.next();
  box.agent.answer(stream, 200, [], "{}");
  expect((await answered).status).toBe(200);
});

test.each([
  ["/ollama/api/chat", TYPES.ollama, /^\{"error":"This API key was revoked\."/],
  [
    "/v1/chat/completions",
    TYPES.events,
    /^data: \{"error":\{"message":"This API key was revoked\."/,
  ],
  [
    "/v1/messages",
    TYPES.events,
    /^event: error\ndata: \{"type":"error".*"This API key was revoked\."/,
  ],
])("revoking a key stops an open answer of %s within a second", async (path, type, ending) => {
  const box = await boxNamed("open-answer");
  const { id, key } = await make();
  const answering = streamed(key, path);
  const { stream } = await box.next();
  const first = "data: {}\n\n";
  box.agent.begin(stream, 200, [["content-type", type]], first);
  const answer = await answering;
  expect(answer.status).toBe(200);
  const startMs = Date.now();
  await admin(`/api/keys/${id}`, "DELETE");
  const text = await textOf(answer);
  const abort = parsePayload(Abort, (await box.agent.next(FrameType.abort)).payload);
  expect(Date.now() - startMs).toBeLessThan(REVOKED_WITHIN_MS);
  expect(abort).toEqual({
    code: "gave_up",
    message: "This API key was revoked.",
    failed_at: "gateway",
  });
  expect(text.slice(first.length).trim()).toMatch(ending);
});

test("revoking a key stops a call that waits for its answer, which then has a status", async () => {
  const box = await boxNamed("waits");
  const { id, key } = await make();
  const answering = streamed(key, "/ollama/api/chat");
  await box.next();
  await admin(`/api/keys/${id}`, "DELETE");
  const answer = await answering;
  expect([answer.status, await answer.json()]).toMatchObject([
    401,
    { error: "This API key was revoked." },
  ]);
  await box.agent.next(FrameType.abort);
});

test("a key that expires ends its open calls, at the time that was set last", async () => {
  const box = await boxNamed("expires");
  const inMs = (ms: number) => new Date(Date.now() + ms).toISOString();
  const { id, key } = await make({ expires_at: inMs(3_600_000) });
  const answering = streamed(key, "/ollama/api/chat");
  await box.next();
  const endsMs = Date.now() + 2_000;
  const expires_at = new Date(endsMs).toISOString();
  expect((await admin(`/api/keys/${id}`, "PATCH", { expires_at })).status).toBe(200);
  const answer = await answering;
  expect(Date.now()).toBeGreaterThanOrEqual(endsMs);
  expect(Date.now() - endsMs).toBeLessThan(REVOKED_WITHIN_MS);
  expect([answer.status, await textOf(answer)]).toEqual([
    401,
    expect.stringContaining("has expired"),
  ]);
});

test("a stream that lost its socket before its key was revoked does not come back", async () => {
  const box = await boxNamed("lost-socket");
  const { id, key } = await make();
  const answering = streamed(key, "/ollama/api/chat");
  await box.next();
  const before = await aggregatorOf(env).fleet();
  // The Box is being restarted: it learns of the revocation, but has no socket to pass it on.
  const revoked = admin(`/api/keys/${id}`, "DELETE");
  await evictDurableObject(env.BOX.getByName("lost-socket"));
  await revoked;
  await knowAgain(before);
  expect((await answering).status).toBe(401);
});

test("a stream of /api/live ends within a second of its key", async () => {
  const { id, key } = await make({ scopes: ["stats"] });
  const headers = { ...bearer(key), accept: "text/event-stream" };
  const request = new Request("https://edge.example/api/live?every=30", { headers });
  const context = { waitUntil: () => {}, passThroughOnException: () => {} };
  const answer = await worker.fetch(request, keys(), context as never);
  const reader = answer.body?.getReader();
  expect((await reader?.read())?.done).toBe(false);
  const ended = reader?.read();
  const startMs = Date.now();
  await admin(`/api/keys/${id}`, "DELETE");
  expect((await ended)?.done).toBe(true);
  expect(Date.now() - startMs).toBeLessThan(REVOKED_WITHIN_MS);
});

test("a key that the isolate does not know is looked for before it is refused", async () => {
  const before = await aggregatorOf(env).fleet();
  const { key } = await make({ scopes: ["stats"] });
  await knowAgain(before);
  expect((await call("/api/stats/current", { headers: bearer(key) })).status).toBe(200);
});

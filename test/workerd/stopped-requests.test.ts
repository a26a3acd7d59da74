/** A request in flight is stopped: its caller gets an error, the box ends it, and the record names who stopped it. */
import { env } from "cloudflare:workers";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { MadeKey } from "../../protocol/api/keys.ts";
import { FrameType, parsePayload } from "../../protocol/frames.ts";
import { Abort } from "../../protocol/messages.ts";
import { newRequestId } from "../../protocol/request-id.ts";
import { aggregatorOf } from "../../worker/aggregator/stub.ts";
import worker from "../../worker/index.ts";
import { textOf } from "./calls.ts";
import { FakeBox } from "./fake-box.ts";
import { ADMIN, bearer, CALLER, call, keys, READ } from "./keyed-edge.ts";

const MODEL = "qwen3:8b";
let box: FakeBox;
beforeAll(async () => {
  box = await FakeBox.connect("stops", [MODEL]);
});
afterAll(() => box[Symbol.asyncDispose]());

const stop = (id: string, key: string) =>
  call(`/api/requests/${id}`, { method: "DELETE", headers: bearer(key) });

async function make(name: string): Promise<MadeKey> {
  const body = JSON.stringify({ name, scopes: ["infer"] });
  return (await call("/api/keys", { method: "POST", headers: bearer(ADMIN), body })).json();
}

/** Begins a call. Not through `call`, which waits for its end. */
function begin(key: string, path = "/ollama/api/chat"): Promise<Response> {
  const body = JSON.stringify({ model: MODEL, messages: [], stream: true, max_tokens: 9 });
  const context = { waitUntil: () => {}, passThroughOnException: () => {} };
  const request = new Request(`https://edge.example${path}`, {
    method: "POST",
    headers: bearer(key),
    body,
  });
  return Promise.resolve(worker.fetch(request, keys(), context as never));
}

test.each([
  [
    "/ollama/api/chat",
    "application/x-ndjson",
    /^\{"error":"This request was stopped by the key admin\."\}/,
  ],
  [
    "/v1/chat/completions",
    "text/event-stream",
    /^data: \{"error":\{"message":"This request was stopped by the key admin\."/,
  ],
  [
    "/v1/messages",
    "text/event-stream",
    /^event: error\ndata: \{"type":"error".*stopped by the key admin\."/,
  ],
])("an answer of %s that has begun ends with an error of that API", async (path, type, ending) => {
  const answering = begin(CALLER, path);
  const { stream } = await box.next();
  const first = "data: {}\n\n";
  box.agent.begin(stream, 200, [["content-type", type]], first);
  const answer = await answering;
  expect(await (await stop(stream, ADMIN)).json()).toEqual({
    status: "stopped",
    id: stream,
    box: "stops",
  });
  expect((await textOf(answer)).slice(first.length).trim()).toMatch(ending);
  expect(parsePayload(Abort, (await box.agent.next(FrameType.abort)).payload)).toEqual({
    code: "gave_up",
    message: "This request was stopped by the key admin.",
    failed_at: "gateway",
  });
});

test("a request that waits is stopped with its own key, moves to no other box, and is in the audit log", async () => {
  const { key, id: keyId } = await make("Ada");
  const answering = begin(key);
  const { stream } = await box.next();
  expect((await stop(stream.toUpperCase(), key)).status).toBe(200);
  const answer = await answering;
  expect([answer.status, await answer.json()]).toEqual([
    403,
    { error: "This request was stopped by Ada." },
  ]);
  await box.agent.next(FrameType.abort);
  const { entries } = await aggregatorOf(env).audit({ limit: 1, action: "request_stopped" });
  expect(entries).toMatchObject([{ outcome: "done", target: stream, key_id: keyId }]);
});

test("a request is stopped while the agent is away, and the agent gets the end when it is back", async () => {
  const answering = begin(CALLER);
  const { stream } = await box.next();
  await box[Symbol.asyncDispose](); // resolves once the registry shows the box as down
  try {
    expect((await stop(stream, ADMIN)).status).toBe(200);
    expect((await answering).status).toBe(403);
  } finally {
    box = await FakeBox.connect("stops", [MODEL]);
  }
  expect((await box.agent.next(FrameType.abort)).stream).toBe(stream);
});

test("nobody stops the request of another key without the scope admin", async () => {
  const answering = begin(CALLER);
  const { stream } = await box.next();
  const other = await make("Grace");
  for (const key of [other.key, CALLER, READ]) {
    const refused = await stop(stream, key);
    expect([refused.status, await refused.text()]).toEqual([403, expect.stringContaining("admin")]);
  }
  box.agent.answer(stream, 200, [], "{}");
  expect((await answering).status).toBe(200);
});

test("a request that is over, or never was, cannot be stopped", async () => {
  const refused = await stop(newRequestId(Date.now()), ADMIN);
  expect([refused.status, await refused.json()]).toMatchObject([
    404,
    { error: { code: "not_in_flight" } },
  ]);
  expect((await stop("not-an-id", ADMIN)).status).toBe(400);
});

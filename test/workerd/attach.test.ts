/**
 * The first frames of a stream travel with the request that attaches it. The request may be lost on
 * its way, before or after the Box passed them on.
 */
import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { FrameType, NO_PAYLOAD, parsePayload } from "../../protocol/frames.ts";
import { DATA_BYTES_MAX } from "../../protocol/limits.ts";
import { Open } from "../../protocol/messages.ts";
import { newRequestId } from "../../protocol/request-id.ts";
import { CARRIED_BYTES_MAX } from "../../worker/box/attach.ts";
import type { Bindings } from "../../worker/env.ts";
import { forgetBoxes } from "../../worker/gateway/known-fleet.ts";
import { serve } from "../../worker/gateway/serve.ts";
import { call, chat, eventually, logOf, textOf } from "./calls.ts";
import { FakeAgent } from "./fake-agent.ts";
import { callOf } from "./held-trips.ts";

type Fetch = (url: string, init: { headers: Record<string, string> }) => Promise<Response>;

/** Bindings whose first request to a Box goes through `first`. */
function withFirst(first: (fetch: Fetch, ...args: Parameters<Fetch>) => Promise<Response>) {
  let calls = 0;
  const getByName = (name: string) => {
    const stub = (env as Bindings).BOX.getByName(name);
    const fetch: Fetch = (url, init) => stub.fetch(url, init);
    return {
      fetch: (...args: Parameters<Fetch>) =>
        calls++ === 0 ? first(fetch, ...args) : fetch(...args),
    };
  };
  const bindings = { ...env, BOX: { getByName } } as unknown as Bindings;
  return { bindings, calls: () => calls };
}

const BODY = { bytes: new TextEncoder().encode('{"model":"m"}'), model: "m", stream: true };
const LOST = new Error("the connection was lost");

/** Serves a call to this box, whose first request goes through `first`. */
async function served(
  box: string,
  first: Parameters<typeof withFirst>[0],
): Promise<{ agent: FakeAgent; answered: Promise<Response>; id: string; calls: () => number }> {
  const agent = await FakeAgent.connect(box);
  forgetBoxes();
  const { bindings, calls } = withFirst(first);
  const id = newRequestId(Date.now());
  const invocation = { env: bindings, waitUntil: () => {} };
  const answered = serve(invocation, callOf(box, id, Date.now()), async () => BODY);
  return { agent, answered, id, calls };
}

const bodyOf = async (agent: FakeAgent) =>
  new TextDecoder().decode((await agent.next(FrameType.data)).payload);

test("a request that is lost after the Box passed it on goes on there, and is made once", async () => {
  const { agent, answered, id, calls } = await served("lost-after", async (fetch, ...args) => {
    const answer = await fetch(...args);
    answer.webSocket?.accept();
    answer.webSocket?.close(1011, "lost"); // as the platform does to the Box's end
    throw LOST;
  });
  expect((await agent.next(FrameType.open)).stream).toBe(id);
  expect(await bodyOf(agent)).toBe('{"model":"m"}');
  // The stream attaches again, and the agent has everything already.
  expect(await agent.next(FrameType.resume)).toMatchObject({ stream: id, seq: 0 });
  agent.send({ type: FrameType.resume, stream: id, seq: 3, payload: NO_PAYLOAD });
  agent.answer(id, 200, [["content-type", "application/json"]], '{"done":true}');
  expect(await textOf(await answered)).toBe('{"done":true}');
  expect(agent.frames.filter(({ type }) => type === FrameType.open)).toEqual([]);
  expect(agent.frames.filter(({ type }) => type === FrameType.abort)).toEqual([]);
  expect(calls()).toBe(2);
});

test("a request that is lost before the Box got it goes on there too", async () => {
  const { agent, answered, id } = await served("lost-before", () => Promise.reject(LOST));
  expect(await agent.next(FrameType.resume)).toMatchObject({ stream: id, seq: 0 });
  // As an agent does that has never seen the stream.
  agent.send({ type: FrameType.resume, stream: id, seq: 0, payload: NO_PAYLOAD });
  expect((await agent.next(FrameType.open)).stream).toBe(id);
  expect(await bodyOf(agent)).toBe('{"model":"m"}');
  agent.answer(id, 200, [["content-type", "application/json"]], "{}");
  expect((await answered).status).toBe(200);
});

test("a caller that leaves while its stream attaches is cancelled on the box, and recorded", async () => {
  const agent = await FakeAgent.connect("left-early");
  forgetBoxes();
  const caller = new AbortController();
  const { bindings } = withFirst(async (fetch, ...args) => {
    const answer = await fetch(...args);
    caller.abort();
    return answer;
  });
  const id = newRequestId(Date.now());
  const invocation = { env: bindings, waitUntil: () => {} };
  const left = { ...callOf("left-early", id, Date.now()), signal: caller.signal };
  const answered = serve(invocation, left, async () => BODY);
  expect((await agent.next(FrameType.open)).stream).toBe(id);
  expect((await agent.next(FrameType.abort)).stream).toBe(id);
  expect((await answered).status).toBe(499);
});

test("a Box that does not know carried frames gets them on the socket", async () => {
  const { agent, answered, id } = await served("older-box", (fetch, url) =>
    fetch(url, { headers: { upgrade: "websocket" } }),
  );
  expect((await agent.next(FrameType.open)).stream).toBe(id);
  expect(await bodyOf(agent)).toBe('{"model":"m"}');
  await agent.next(FrameType.end);
  agent.answer(id, 200, [["content-type", "application/json"]], "{}");
  expect((await answered).status).toBe(200);
});

test.each([
  ["the most that travels with the request", CARRIED_BYTES_MAX - 2_000],
  ["more than travels with it", CARRIED_BYTES_MAX],
  ["several frames", 3 * DATA_BYTES_MAX],
])("a body of %s arrives whole and in order", async (_name, bytes) => {
  const agent = await FakeAgent.connect(`body-${bytes}`);
  forgetBoxes();
  const body = JSON.stringify({ model: "m", prompt: "x".repeat(bytes) });
  const headers = { "x-box": `body-${bytes}` };
  const answered = call("/ollama/api/generate", { method: "POST", body, headers });
  const { stream } = await agent.next(FrameType.open);
  await agent.next(FrameType.end);
  const parts = agent.frames.filter(({ type }) => type === FrameType.data);
  expect(parts.map(({ seq }) => seq)).toEqual(parts.map((_, index) => index + 1));
  expect(parts.map(({ payload }) => new TextDecoder().decode(payload)).join("")).toBe(body);
  agent.answer(stream, 200, [["content-type", "application/json"]], "{}");
  expect((await answered).status).toBe(200);
});

test("a request whose head is too large to travel with the attach follows it", async () => {
  const agent = await FakeAgent.connect("large-head");
  forgetBoxes();
  const headers = { "x-box": "large-head", accept: "x".repeat(CARRIED_BYTES_MAX) };
  const answered = call("/ollama/api/tags", { headers });
  const { stream, payload } = await agent.next(FrameType.open);
  expect(payload.length).toBeGreaterThan(CARRIED_BYTES_MAX);
  agent.answer(stream, 200, [["content-type", "application/json"]], "{}");
  expect((await answered).status).toBe(200);
});

test("the edge's time of a call that waited for its agent includes the wait", async () => {
  const id = crypto.randomUUID();
  const lost = await FakeAgent.connect("awaited", id);
  forgetBoxes();
  const startMs = Date.now();
  lost.socket.close(1000);
  await eventually(async () =>
    (await env.BOX.getByName("awaited").status()).isUp ? undefined : true,
  );
  const answered = chat("awaited");
  const waitedMs = 300;
  await scheduler.wait(waitedMs);
  const agent = await FakeAgent.connect("awaited", id);
  const { stream, payload } = await agent.next(FrameType.open);
  const { edge_ms } = parsePayload(Open, payload);
  // On a busy machine the call begins a part of the wait later.
  expect(edge_ms).toBeGreaterThanOrEqual(waitedMs / 3);
  expect(edge_ms).toBeLessThanOrEqual(Date.now() - startMs);
  expect(agent.frames.filter(({ type }) => type === FrameType.open)).toEqual([]);
  agent.answer(stream, 200, [["content-type", "application/json"]], "{}");
  expect((await answered).status).toBe(200);
  expect(await logOf(stream)).toBeUndefined(); // the agent's record, not the edge's
});

import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env, exports } from "cloudflare:workers";
import { expect, test } from "vitest";
import { decodeFrames, FrameType, jsonBytes, NO_PAYLOAD, parsePayload, TUNNEL } from "../../protocol/frames.ts";
import { NOTICE_MS } from "../../protocol/limits.ts";
import { Abort, Open } from "../../protocol/messages.ts";
import type { Aggregator } from "../../worker/aggregator.ts";
import { theAggregator } from "../../worker/aggregator-stub.ts";
import type { Box } from "../../worker/box.ts";
import { forgetBoxes } from "../../worker/relay/fleet.ts";
import { recordOf } from "../support/records.ts";
import { FakeAgent } from "./fake-agent.ts";

const call = (path: string, init?: RequestInit) => exports.default.fetch(`http://localhost${path}`, init);
const chat = (box: string, model = "m:1b") =>
  call("/ollama/api/chat", { method: "POST", headers: { "x-box": box }, body: JSON.stringify({ model, messages: [] }) });
const logOf = async (id: string | null) =>
  (await theAggregator(env).logs({ limit: 1000, offset: 0 })).logs.find((entry) => entry.id === id);

/** Not `text()`: the runtime warns of it where the type is not text. */
const textOf = async (answer: Response) => new TextDecoder().decode(await answer.arrayBuffer());

async function eventually<T>(read: () => Promise<T | undefined>): Promise<T> {
  for (;;) {
    const value = await read();
    if (value !== undefined) return value;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test("a call goes to the box and its answer comes back as it is", async () => {
  const agent = await FakeAgent.connect("echo");
  forgetBoxes();
  const answered = chat("echo");
  const open = await agent.next(FrameType.open);
  const head = parsePayload(Open, open.payload);
  expect(head).toMatchObject({ method: "POST", path: "/api/chat", endpoint: "/api/chat", model: "m:1b", stream: true, api: "ollama" });
  expect(head.edge_ms).toBeGreaterThanOrEqual(0);
  expect(new TextDecoder().decode((await agent.next(FrameType.data)).payload)).toBe('{"model":"m:1b","messages":[]}');
  await agent.next(FrameType.end);
  agent.answer(open.stream, 200, [["content-type", "application/x-ndjson"]], '{"done":true}\n');
  const answer = await answered;
  expect(answer.status).toBe(200);
  expect(answer.headers.get("content-type")).toBe("application/x-ndjson");
  expect(answer.headers.get("x-request-id")).toBe(open.stream);
  expect(answer.headers.get("x-box")).toBe("echo");
  expect(await textOf(answer)).toBe('{"done":true}\n');
  expect((await agent.next(FrameType.ack)).seq).toBe(3);
});

test("a caller's credentials, cookies and origin never reach the box", async () => {
  const agent = await FakeAgent.connect("headers");
  forgetBoxes();
  const answered = call("/v1/chat/completions", {
    method: "POST",
    headers: {
      "x-box": "headers",
      authorization: "Bearer secret",
      cookie: "a=b",
      origin: "http://localhost:3000",
      "x-api-key": "k",
      "cf-ray": "1",
      "content-type": "application/json",
    },
    body: "{}",
  });
  const open = await agent.next(FrameType.open);
  expect(parsePayload(Open, open.payload).headers).toEqual([["content-type", "application/json"]]);
  agent.answer(open.stream, 200, [], "{}");
  await textOf(await answered);
});

test("frames that come twice, or again after a gap, make the same answer", async () => {
  const agent = await FakeAgent.connect("resume");
  forgetBoxes();
  const answered = chat("resume");
  const { stream } = await agent.next(FrameType.open);
  const data = (seq: number, text: string) => ({ type: FrameType.data, stream, seq, payload: new TextEncoder().encode(text) });
  agent.send({
    type: FrameType.head,
    stream,
    seq: 0,
    payload: jsonBytes({ status: 200, headers: [["content-type", "application/x-ndjson"]] }),
  });
  const answer = await answered;
  const text = textOf(answer);
  agent.send(data(1, "one\n"), data(1, "one\n"), data(3, "three\n"));
  expect((await agent.next(FrameType.resume)).seq).toBe(2);
  agent.send(data(2, "two\n"), data(3, "three\n"), { type: FrameType.end, stream, seq: 4, payload: NO_PAYLOAD });
  expect(await text).toBe("one\ntwo\nthree\n");
});

test("a stream goes on when the agent comes back over a new socket", async () => {
  const id = crypto.randomUUID();
  const first = await FakeAgent.connect("cut", id);
  forgetBoxes();
  const answered = chat("cut");
  const { stream } = await first.next(FrameType.open);
  first.send(
    { type: FrameType.head, stream, seq: 0, payload: jsonBytes({ status: 200, headers: [["content-type", "application/x-ndjson"]] }) },
    { type: FrameType.data, stream, seq: 1, payload: new TextEncoder().encode("before\n") },
  );
  const text = answered.then(textOf);
  first.socket.close(1011, "cut");
  const second = await FakeAgent.connect("cut", id);
  expect((await second.next(FrameType.resume)).seq).toBe(2);
  second.send(
    { type: FrameType.resume, stream, seq: 3, payload: NO_PAYLOAD },
    { type: FrameType.data, stream, seq: 2, payload: new TextEncoder().encode("after\n") },
    { type: FrameType.end, stream, seq: 3, payload: NO_PAYLOAD },
  );
  expect(await text).toBe("before\nafter\n");
});

test("the Box may hibernate in the middle of a stream", async () => {
  const agent = await FakeAgent.connect("sleepy");
  forgetBoxes();
  const answered = chat("sleepy");
  const { stream } = await agent.next(FrameType.open);
  await evictDurableObject(env.BOX.getByName("sleepy"));
  agent.answer(stream, 200, [["content-type", "application/x-ndjson"]], "slept\n");
  expect(await textOf(await answered)).toBe("slept\n");
});

test("an agent that ends a stream in its middle ends it in the answer's own format", async () => {
  const agent = await FakeAgent.connect("broken");
  forgetBoxes();
  const answered = chat("broken");
  const { stream } = await agent.next(FrameType.open);
  agent.send(
    { type: FrameType.head, stream, seq: 0, payload: jsonBytes({ status: 200, headers: [["content-type", "application/x-ndjson"]] }) },
    { type: FrameType.data, stream, seq: 1, payload: new TextEncoder().encode('{"half":') },
    { type: FrameType.abort, stream, seq: 0, payload: jsonBytes({ code: "ollama_broke", message: "Ollama closed the connection" }) },
  );
  expect(await textOf(await answered)).toBe('{"half":\n{"error":"Ollama closed the connection"}\n');
});

test("an Ollama that does not answer is told in the API's words, and who failed", async () => {
  const agent = await FakeAgent.connect("silent");
  forgetBoxes();
  const answered = call("/v1/messages", { method: "POST", headers: { "x-box": "silent" }, body: "{}" });
  const { stream } = await agent.next(FrameType.open);
  agent.send({
    type: FrameType.abort,
    stream,
    seq: 0,
    payload: jsonBytes({ code: "ollama_unreachable", message: "Ollama does not answer on this box" }),
  });
  const answer = await answered;
  expect(answer.status).toBe(502);
  expect(answer.headers.get("x-failed-at")).toBe("ollama");
  expect(await answer.json()).toMatchObject({ type: "error", error: { type: "api_error", message: "Ollama does not answer on this box" } });
});

test("garbage from an agent closes its socket only, and its streams go on over the next", async () => {
  const id = crypto.randomUUID();
  const other = await FakeAgent.connect("other");
  const agent = await FakeAgent.connect("garbage", id);
  forgetBoxes();
  const answered = chat("garbage");
  const { stream } = await agent.next(FrameType.open);
  agent.socket.send(new Uint8Array([0xff, 1, 2, 3]));
  expect(await agent.untilClosed()).toMatchObject({ code: 1002 });
  expect(other.closed).toBeNull();
  const again = await FakeAgent.connect("garbage", id);
  await again.next(FrameType.resume);
  again.answer(stream, 200, [["content-type", "text/plain"]], "mended");
  expect(await textOf(await answered)).toBe("mended");
});

test("a second agent of the same name is refused, with the reason; the first goes on", async () => {
  const first = await FakeAgent.connect("mine");
  const second = await FakeAgent.dial("mine");
  second.hello("mine", crypto.randomUUID());
  expect(await second.untilClosed()).toEqual({ code: 4009, reason: "another agent is connected as box mine; set another BOX_NAME" });
  expect(first.closed).toBeNull();
});

test("the same agent again replaces its old socket", async () => {
  const id = crypto.randomUUID();
  const first = await FakeAgent.connect("twice", id);
  await FakeAgent.connect("twice", id);
  expect((await first.untilClosed()).code).toBe(4000);
  expect(await env.BOX.getByName("twice").look()).toMatchObject({ isUp: true });
});

test("a box cannot say hello as another box", async () => {
  const agent = await FakeAgent.dial("a");
  agent.hello("b", crypto.randomUUID());
  expect(await agent.untilClosed()).toMatchObject({ code: 1002, reason: "box a says hello as b" });
});

test("a box is forgotten when it is gone, not while it is connected, and is known again when it comes back", async () => {
  const agent = await FakeAgent.connect("old");
  const boxes = async () => (await theAggregator(env).registry()).map(({ name }) => name);
  const forget = (box: string) => call(`/api/boxes/${box}`, { method: "DELETE" });
  const refused = await forget("old");
  expect([refused.status, await refused.json()]).toMatchObject([
    409,
    { error: { code: "box_connected", message: expect.stringContaining("old") } },
  ]);
  expect(await boxes()).toContain("old");
  agent.socket.close(1000);
  await eventually(async () => ((await env.BOX.getByName("old").look()).isUp ? undefined : true));
  expect(await (await forget("old")).json()).toEqual({ status: "deleted", box: "old" });
  expect(await boxes()).not.toContain("old");
  expect((await forget("old")).status).toBe(404);
  expect((await forget("a b")).status).toBe(400);
  await FakeAgent.connect("old");
  await eventually(async () => ((await boxes()).includes("old") ? true : undefined));
});

test("a box that drains takes no new calls", async () => {
  const agent = await FakeAgent.connect("tired");
  forgetBoxes();
  agent.send({ type: FrameType.drain, stream: TUNNEL, seq: 0, payload: NO_PAYLOAD });
  await eventually(async () => ((await env.BOX.getByName("tired").look()).isDraining ? true : undefined));
  const answer = await chat("tired");
  expect(answer.status).toBe(503);
  expect(answer.headers.get("retry-after")).toBe("5");
  expect(await answer.json()).toEqual({ error: "Box tired is being drained and takes no new requests." });
});

test("calls to a box whose agent was lost a moment ago wait for it", async () => {
  const agentId = crypto.randomUUID();
  const agent = await FakeAgent.connect("blinking", agentId);
  forgetBoxes();
  const isDown = () => eventually(async () => ((await env.BOX.getByName("blinking").look()).isUp ? undefined : true));
  agent.socket.close(1000);
  await isDown();
  const answered = [chat("blinking"), chat("blinking")];
  await isDown(); // asked again: the calls are with the Box by now
  const back = await FakeAgent.connect("blinking", agentId);
  for (const body of ["one", "other"]) {
    const { stream } = await back.next(FrameType.open);
    back.answer(stream, 200, [["content-type", "text/plain"]], body);
  }
  expect((await Promise.all(answered.map(async (answer) => textOf(await answer)))).sort()).toEqual(["one", "other"]);
});

test("a box whose agent does not come back is told to be down", async () => {
  const agent = await FakeAgent.connect("leaving");
  forgetBoxes();
  agent.socket.close(1000);
  const answer = await chat("leaving");
  expect(answer.status).toBe(503);
  expect(answer.headers.get("retry-after")).toBe("5");
  expect(await answer.json()).toEqual({ error: expect.stringContaining("leaving") });
});

test("a caller that goes away cancels the request on the box", async () => {
  const agent = await FakeAgent.connect("gone");
  forgetBoxes();
  const caller = new AbortController();
  const answered = call("/ollama/api/chat", { method: "POST", headers: { "x-box": "gone" }, body: '{"model":"m"}', signal: caller.signal });
  const { stream } = await agent.next(FrameType.open);
  caller.abort();
  await expect(answered).rejects.toThrow();
  const abort = await agent.next(FrameType.abort);
  expect(abort.stream).toBe(stream);
  expect(new TextDecoder().decode(abort.payload)).toContain("caller_gone");
});

test("an answer that the edge cannot read ends the call on both sides, with one record", async () => {
  const agent = await FakeAgent.connect("unreadable");
  forgetBoxes();
  for (const headers of [
    Array<[string, string]>(200).fill(["a", "b"]),
    [["bad name", "x"]] as [string, string][],
    [["a", "b\r\nc: d"]] as [string, string][],
  ]) {
    const answered = chat("unreadable");
    const { stream } = await agent.next(FrameType.open);
    agent.send({ type: FrameType.head, stream, seq: 0, payload: jsonBytes({ status: 200, headers }) });
    expect((await answered).status).toBe(502);
    expect((await agent.next(FrameType.abort)).stream).toBe(stream);
    expect(await eventually(() => logOf(stream))).toMatchObject({ status: "error", box: "unreadable" });
  }
});

test("a plain answer that breaks off breaks, and is an error, not a caller that left", async () => {
  const agent = await FakeAgent.connect("plain");
  forgetBoxes();
  const answered = chat("plain");
  const { stream } = await agent.next(FrameType.open);
  agent.send(
    { type: FrameType.head, stream, seq: 0, payload: jsonBytes({ status: 200, headers: [["content-type", "application/json"]] }) },
    { type: FrameType.data, stream, seq: 1, payload: new TextEncoder().encode('{"half":') },
  );
  const answer = await answered;
  agent.send({ type: FrameType.abort, stream, seq: 0, payload: jsonBytes({ code: "draining", message: "x" }) });
  await expect(textOf(answer)).rejects.toThrow();
  expect(await eventually(() => logOf(stream))).toMatchObject({ status: "error", failed_at: "gateway" });
  expect(agent.frames.filter(({ type }) => type === FrameType.abort)).toEqual([]);
});

test("the late close of a stream's old socket does not cancel the stream that has attached again", async () => {
  const agent = await FakeAgent.connect("late");
  const box = env.BOX.getByName("late");
  const id = crypto.randomUUID();
  const attach = async (more: string) => {
    const { webSocket } = await box.fetch(`https://box/attach?box=late&stream=${id}${more}`, { headers: { upgrade: "websocket" } });
    webSocket?.accept();
    return webSocket;
  };
  const old = await attach("");
  const current = await attach("&resume=1");
  old?.close(1011, "lost");
  await eventually(async () => ((await box.look()).inFlight === 1 ? true : undefined));
  expect(agent.frames.filter(({ type }) => type === FrameType.abort)).toEqual([]);
  current?.close(1011, "lost");
  expect((await agent.next(FrameType.abort)).stream).toBe(id);
});

test("a stream that loses its socket again and again while it attaches is not taken for a caller that left", async () => {
  const agent = await FakeAgent.connect("shaky");
  const box = env.BOX.getByName("shaky");
  const id = crypto.randomUUID();
  const attach = async (more: string) => {
    const { webSocket } = await box.fetch(`https://box/attach?box=shaky&stream=${id}${more}`, { headers: { upgrade: "websocket" } });
    webSocket?.accept();
    return webSocket;
  };
  let socket = await attach("");
  // Longer in all than the Box waits for a stream, but never so long at a time.
  for (let i = 0; i < 6; i++) {
    socket?.close(1011, "lost");
    await scheduler.wait(150);
    socket = await attach("&resume=1");
  }
  expect(agent.frames.filter(({ type }) => type === FrameType.abort)).toEqual([]);
  socket?.close(1011, "lost");
  const abort = await agent.next(FrameType.abort);
  expect(parsePayload(Abort, abort.payload)).toMatchObject({ code: "caller_gone", presumed: true });
});

test("a stream that attaches again is told when there is no agent", async () => {
  const id = crypto.randomUUID();
  const { webSocket } = await env.BOX.getByName("empty").fetch(`https://box/attach?box=empty&stream=${id}&resume=1`, {
    headers: { upgrade: "websocket" },
  });
  if (webSocket === null) throw new Error("not attached");
  webSocket.binaryType = "arraybuffer";
  const message = new Promise<ArrayBuffer>((resolve) => webSocket.addEventListener("message", ({ data }) => resolve(data as ArrayBuffer)));
  webSocket.accept();
  expect(decodeFrames(await message)).toMatchObject([{ type: FrameType.gone, stream: id }]);
  webSocket.close(1000);
});

test("an agent without a heartbeat is noticed in time while a caller waits, and not looked for while none does", async () => {
  const agent = await FakeAgent.connect("half-open"); // it never says ping
  const idle = await FakeAgent.connect("idle");
  const startMs = Date.now();
  forgetBoxes();
  const caller = new AbortController();
  const answered = call("/ollama/api/chat", {
    method: "POST",
    headers: { "x-box": "half-open" },
    body: '{"model":"m"}',
    signal: caller.signal,
  });
  await agent.next(FrameType.open);
  expect(await agent.untilClosed()).toEqual({ code: 4000, reason: "no heartbeat" });
  expect(Date.now() - startMs).toBeLessThan(NOTICE_MS + 200); // its hello was a sign of life, too
  expect(idle.closed).toBeNull();
  caller.abort();
  await expect(answered).rejects.toThrow();
});

/** The next call of a method throws, as it does when the object is reset under it. Calls from outside go to the prototype. */
function failOnce(object: object, method: string): void {
  const prototype: object = Object.getPrototypeOf(object);
  const whole = Object.getOwnPropertyDescriptor(prototype, method);
  if (whole === undefined) throw new Error(`no method ${method}`);
  const restoring = () => {
    Object.defineProperty(prototype, method, whole);
    throw new Error("the object was reset");
  };
  Object.defineProperty(prototype, method, { ...whole, value: restoring });
}

test("an agent that the registry could not take is told to dial again", async () => {
  await runInDurableObject(theAggregator(env), (aggregator: Aggregator) => {
    failOnce(aggregator, "connected");
  });
  const agent = await FakeAgent.connect("unlucky");
  expect(await agent.untilClosed()).toMatchObject({ code: 1011 });
});

test("a Box that throws is a box that is down: said so, and recorded", async () => {
  await FakeAgent.connect("moved");
  forgetBoxes();
  await runInDurableObject(env.BOX.getByName("moved"), (box: Box) => {
    failOnce(box, "fetch");
  });
  const answer = await chat("moved");
  expect(answer.status).toBe(503);
  expect(await eventually(() => logOf(answer.headers.get("x-request-id")))).toMatchObject({
    status: "error",
    failed_at: "gateway",
    http_status: 503,
  });
});

test("records are confirmed once they are in the ledger; a bad one does not hold up the others", async () => {
  const agent = await FakeAgent.connect("ledger");
  const record = recordOf(Date.now(), { box: "somebody-else", prompt: "hi", prompt_tokens: 1, completion_tokens: 2 });
  const batch = { position: 7, records: [{ nonsense: true }, record, record] };
  agent.send({ type: FrameType.records, stream: TUNNEL, seq: 0, payload: jsonBytes(batch) });
  const recorded = await agent.next(FrameType.recorded);
  expect(JSON.parse(new TextDecoder().decode(recorded.payload))).toEqual({ position: 7 });
  // A box writes under its own name only.
  expect(await logOf(record.request_id)).toMatchObject({ box: "ledger", tokens_used: 3, prompt: "hi" });
});

// What the edge refuses by itself, in each API's own shape.
const REFUSED: [what: string, path: string, init: RequestInit, status: number, body: unknown][] = [
  ["not JSON", "/ollama/api/chat", { method: "POST", body: "{" }, 400, { error: expect.stringMatching(/^The request body is not JSON/) }],
  [
    "a cloud model",
    "/v1/chat/completions",
    { method: "POST", body: '{"model":"x:cloud"}' },
    403,
    { error: { type: "permission_error", code: "cloud_model" } },
  ],
  ["a cloud model by path", "/v1/models/x%3Acloud", {}, 403, { error: { code: "cloud_model" } }],
  [
    "an encoded body",
    "/v1/responses",
    { method: "POST", body: "x", headers: { "content-encoding": "zstd" } },
    415,
    { error: { code: "encoded_body" } },
  ],
  ["an escaped path", "/ollama/api/%64elete", { method: "DELETE" }, 404, { error: "DELETE /api/%64elete is not a path of this gateway." }],
  ["a doubled slash", "/ollama//api/delete", { method: "DELETE" }, 404, { error: expect.any(String) }],
  ["a path that never passes", "/ollama/api/me", { method: "POST" }, 404, { error: expect.any(String) }],
  ["the wrong method", "/ollama/api/chat", {}, 405, { error: "/api/chat takes POST, not GET." }],
  ["an unknown box", "/ollama/api/tags", { headers: { "x-box": "nobody" } }, 404, { error: "There is no box named nobody." }],
  ["a box name that is none", "/ollama/api/tags", { headers: { "x-box": "../x" } }, 400, { error: expect.any(String) }],
  [
    "an unknown model of Anthropic's",
    "/v1/messages",
    { method: "POST", body: "[]" },
    400,
    { type: "error", error: { type: "invalid_request_error" } },
  ],
  [
    "an unknown path of the API",
    "/api/nothing",
    {},
    404,
    { error: { code: "not_found", failed_at: "gateway", request_id: expect.any(String) } },
  ],
  [
    "a limit out of range",
    "/api/stats/logs?limit=0",
    {},
    400,
    { error: { code: "bad_request", message: expect.stringContaining("limit") } },
  ],
  [
    "a status that is none",
    "/api/stats/logs?status=maybe",
    {},
    400,
    { error: { code: "bad_request", message: expect.stringContaining("status") } },
  ],
  ["a range that is none", "/api/stats/history?time_range=2h", {}, 400, { error: { code: "bad_request" } }],
  [
    "too many points",
    "/api/stats/history?time_range=90d&granularity=1m",
    {},
    400,
    { error: { message: expect.stringContaining("coarser") } },
  ],
  [
    "sums that are kept in a store alone",
    "/api/stats/history?time_range=30d&granularity=5m&format=csv",
    {},
    400,
    { error: { message: "Without ClickHouse or Postgres beyond 7 days sums are by the hour: use 1h or 1d." } },
  ],
  [
    "what is older than anything that is kept",
    "/api/stats/history?time_range=365d",
    {},
    400,
    { error: { message: "Without ClickHouse or Postgres sums are kept for 90 days." } },
  ],
  ["a chat without words", "/api/chat", { method: "POST", body: "{}" }, 400, { error: { code: "bad_request", failed_at: "gateway" } }],
  [
    "a chat with a misspelt field",
    "/api/chat",
    { method: "POST", body: '{"prompt":"x","modell":"y"}' },
    400,
    { error: { message: expect.stringContaining("modell") } },
  ],
];

test.each(REFUSED)("%s is refused in the words of the API", async (_what, path, init, status, body) => {
  const answer = await call(path, init);
  expect(answer.status).toBe(status);
  expect(await answer.json()).toMatchObject(body as object);
  expect(answer.headers.get("x-failed-at")).toBe("gateway");
});

test("a call that the edge refuses leaves one record, an error at the gateway", async () => {
  const answer = await call("/ollama/api/generate", { method: "POST", body: "{" });
  const id = answer.headers.get("x-request-id");
  const entry = await eventually(() => logOf(id));
  expect(entry).toMatchObject({ endpoint: "/api/generate", status: "error", http_status: 400, failed_at: "gateway", box: null });
});

test("a body beyond the limit is refused at once, by its length and by its bytes", async () => {
  const long = new Uint8Array(17 * 1024 * 1024);
  const answer = await call("/ollama/api/chat", { method: "POST", body: long });
  expect(answer.status).toBe(413);
  const stream = new ReadableStream({
    start(controller) {
      for (let i = 0; i < 17; i++) controller.enqueue(long.slice(0, 1024 * 1024));
      controller.close();
    },
  });
  expect((await call("/ollama/api/chat", { method: "POST", body: stream })).status).toBe(413);
});

test("open mode serves loopback only, and no foreign page", async () => {
  const elsewhere = await exports.default.fetch("http://evil.example/api/health");
  expect(elsewhere.status).toBe(403);
  expect(await elsewhere.json()).toMatchObject({ error: { code: "open_mode_elsewhere" } });
  const page = await call("/ollama/api/tags", { headers: { origin: "https://evil.example" } });
  expect(page.status).toBe(403);
  expect(await page.json()).toEqual({ error: "A page of https://evil.example may not call this gateway." });
});

test("another version of the protocol is refused before any frame, and told what to do", async () => {
  const answer = await call("/agent/connect?box=old", { headers: { upgrade: "websocket", "sec-websocket-protocol": "ollama-edge.v0" } });
  expect(answer.status).toBe(426);
  expect(await answer.json()).toMatchObject({ error: { code: "protocol_mismatch", message: expect.stringContaining("/agent/agent.mjs") } });
});

test("a plain request to the agents' path is told what the path is", async () => {
  expect((await call("/agent/connect?box=x")).status).toBe(426);
  expect((await call("/agent/connect?box=../x", { headers: { upgrade: "websocket" } })).status).toBe(400);
});

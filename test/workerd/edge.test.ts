/** A call, from the edge to a fake agent and back. */
import { evictDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { FrameType, jsonBytes, NO_PAYLOAD, parsePayload } from "../../protocol/frames.ts";
import { Open } from "../../protocol/messages.ts";
import { forgetBoxes } from "../../worker/gateway/known-fleet.ts";
import { call, chat, eventually, logOf, textOf } from "./calls.ts";
import { FakeAgent } from "./fake-agent.ts";

test("passes a call to the box and its answer back unchanged", async () => {
  const agent = await FakeAgent.connect("echo");
  forgetBoxes();
  const answered = chat("echo");
  const open = await agent.next(FrameType.open);
  const head = parsePayload(Open, open.payload);
  expect(head).toMatchObject({
    method: "POST",
    path: "/api/chat",
    endpoint: "/api/chat",
    model: "m:1b",
    stream: true,
    api: "ollama",
  });
  expect(head.edge_ms).toBeGreaterThanOrEqual(0);
  expect(new TextDecoder().decode((await agent.next(FrameType.data)).payload)).toBe(
    '{"model":"m:1b","messages":[]}',
  );
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

test("passes no header of a box but type, length and retry-after, and has a browser run nothing", async () => {
  const agent = await FakeAgent.connect("hostile");
  forgetBoxes();
  const answered = call("/ollama/", { headers: { "x-box": "hostile" } });
  const { stream } = await agent.next(FrameType.open);
  const page: [string, string][] = [
    ["content-type", "text/html"],
    ["retry-after", "7"],
    ["set-cookie", "a=b"],
    ["location", "https://evil.example/"],
    ["service-worker-allowed", "/"],
    ["access-control-allow-origin", "*"],
    ["content-security-policy", "default-src *"],
  ];
  agent.answer(stream, 302, page, "<script>take()</script>");
  const answer = await answered;
  expect(Object.fromEntries(answer.headers)).toEqual({
    "content-type": "application/octet-stream",
    "retry-after": "7",
    "x-request-id": stream,
    "x-box": "hostile",
    "x-route-reason": "named",
    "x-content-type-options": "nosniff",
    "content-security-policy": "sandbox; default-src 'none'",
  });
  expect(await textOf(answer)).toBe("<script>take()</script>");
});

test("refuses a service worker before any box receives the request", async () => {
  const answer = await call("/ollama/v1/models/worker", {
    headers: { "service-worker": "script" },
  });
  expect(answer.status).toBe(403);
  expect(answer.headers.get("x-failed-at")).toBe("gateway");
  expect(await textOf(answer)).toContain("may not become a service worker");
});

test("never passes a caller's credentials, cookies or origin to the box", async () => {
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

test("makes the same answer of frames that arrive twice, or again after a gap", async () => {
  const agent = await FakeAgent.connect("resume");
  forgetBoxes();
  const answered = chat("resume");
  const { stream } = await agent.next(FrameType.open);
  const data = (seq: number, text: string) => ({
    type: FrameType.data,
    stream,
    seq,
    payload: new TextEncoder().encode(text),
  });
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
  agent.send(data(2, "two\n"), data(3, "three\n"), {
    type: FrameType.end,
    stream,
    seq: 4,
    payload: NO_PAYLOAD,
  });
  expect(await text).toBe("one\ntwo\nthree\n");
});

test("resumes a stream when the agent is back on a new socket", async () => {
  const id = crypto.randomUUID();
  const first = await FakeAgent.connect("cut", id);
  forgetBoxes();
  const answered = chat("cut");
  const { stream } = await first.next(FrameType.open);
  first.send(
    {
      type: FrameType.head,
      stream,
      seq: 0,
      payload: jsonBytes({ status: 200, headers: [["content-type", "application/x-ndjson"]] }),
    },
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

test("lets the Box hibernate in the middle of a stream", async () => {
  const agent = await FakeAgent.connect("sleepy");
  forgetBoxes();
  const answered = chat("sleepy");
  const { stream } = await agent.next(FrameType.open);
  await evictDurableObject(env.BOX.getByName("sleepy"));
  agent.answer(stream, 200, [["content-type", "application/x-ndjson"]], "slept\n");
  expect(await textOf(await answered)).toBe("slept\n");
});

test("ends an answer that its agent aborts in the answer's own format", async () => {
  const agent = await FakeAgent.connect("broken");
  forgetBoxes();
  const answered = chat("broken");
  const { stream } = await agent.next(FrameType.open);
  agent.send(
    {
      type: FrameType.head,
      stream,
      seq: 0,
      payload: jsonBytes({ status: 200, headers: [["content-type", "application/x-ndjson"]] }),
    },
    { type: FrameType.data, stream, seq: 1, payload: new TextEncoder().encode('{"half":') },
    {
      type: FrameType.abort,
      stream,
      seq: 0,
      payload: jsonBytes({ code: "ollama_broke", message: "Ollama closed the connection" }),
    },
  );
  expect(await textOf(await answered)).toBe('{"half":\n{"error":"Ollama closed the connection"}\n');
});

test("reports an unreachable Ollama in the error shape of the API, and where it failed", async () => {
  const agent = await FakeAgent.connect("silent");
  forgetBoxes();
  const answered = call("/v1/messages", {
    method: "POST",
    headers: { "x-box": "silent" },
    body: "{}",
  });
  const { stream } = await agent.next(FrameType.open);
  agent.send({
    type: FrameType.abort,
    stream,
    seq: 0,
    payload: jsonBytes({
      code: "ollama_unreachable",
      message: "Ollama does not answer on box talks",
    }),
  });
  const answer = await answered;
  expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "5"]);
  expect(answer.headers.get("x-failed-at")).toBe("ollama");
  expect(await answer.json()).toMatchObject({
    type: "error",
    error: { type: "overloaded_error", message: "Ollama does not answer on box talks" },
  });
});

test("cancels the request on the box when the caller leaves", async () => {
  const agent = await FakeAgent.connect("gone");
  forgetBoxes();
  const caller = new AbortController();
  const answered = call("/ollama/api/chat", {
    method: "POST",
    headers: { "x-box": "gone" },
    body: '{"model":"m"}',
    signal: caller.signal,
  });
  const { stream } = await agent.next(FrameType.open);
  caller.abort();
  await expect(answered).rejects.toThrow();
  const abort = await agent.next(FrameType.abort);
  expect(abort.stream).toBe(stream);
  expect(new TextDecoder().decode(abort.payload)).toContain("caller_gone");
});

test("ends a call with an invalid HEAD on both sides, with one record", async () => {
  const agent = await FakeAgent.connect("unreadable");
  forgetBoxes();
  for (const headers of [
    Array<[string, string]>(200).fill(["a", "b"]),
    [["bad name", "x"]] as [string, string][],
    [["a", "b\r\nc: d"]] as [string, string][],
  ]) {
    const answered = chat("unreadable");
    const { stream } = await agent.next(FrameType.open);
    agent.send({
      type: FrameType.head,
      stream,
      seq: 0,
      payload: jsonBytes({ status: 200, headers }),
    });
    expect((await answered).status).toBe(502);
    expect((await agent.next(FrameType.abort)).stream).toBe(stream);
    expect(await eventually(() => logOf(stream))).toMatchObject({
      status: "error",
      box: "unreadable",
    });
  }
});

test("breaks a plain answer that breaks off, and records an error instead of a cancellation", async () => {
  const agent = await FakeAgent.connect("plain");
  forgetBoxes();
  const answered = chat("plain");
  const { stream } = await agent.next(FrameType.open);
  agent.send(
    {
      type: FrameType.head,
      stream,
      seq: 0,
      payload: jsonBytes({ status: 200, headers: [["content-type", "application/json"]] }),
    },
    { type: FrameType.data, stream, seq: 1, payload: new TextEncoder().encode('{"half":') },
  );
  const answer = await answered;
  agent.send({
    type: FrameType.abort,
    stream,
    seq: 0,
    payload: jsonBytes({ code: "draining", message: "x" }),
  });
  await expect(textOf(answer)).rejects.toThrow();
  expect(await eventually(() => logOf(stream))).toMatchObject({
    status: "error",
    failed_at: "gateway",
  });
  expect(agent.frames.filter(({ type }) => type === FrameType.abort)).toEqual([]);
});

/** A Box and its sockets: of agents that come, go and are replaced, of streams that attach, and what it passes on. */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import {
  decodeFrames,
  FrameType,
  jsonBytes,
  NO_PAYLOAD,
  parsePayload,
  TUNNEL,
  tunnelFrame,
} from "../../protocol/frames.ts";
import { NOTICE_MS } from "../../protocol/limits.ts";
import { Abort } from "../../protocol/messages.ts";
import type { Aggregator } from "../../worker/aggregator/aggregator.ts";
import { aggregatorOf } from "../../worker/aggregator/stub.ts";
import type { Box } from "../../worker/box/box.ts";
import { forgetBoxes } from "../../worker/gateway/fleet.ts";
import { recordOf } from "../support/records.ts";
import { call, chat, eventually, logOf, textOf } from "./calls.ts";
import { FakeAgent } from "./fake-agent.ts";

const agentSockets = (box: string) =>
  runInDurableObject(
    env.BOX.getByName(box),
    (_box: Box, state) => state.getWebSockets("agent").length,
  );

test("what a replaced agent goes on saying reaches no caller and no ledger", async () => {
  const id = crypto.randomUUID();
  const old = await FakeAgent.connect("replaced", id, {}, { allowHalfOpen: true });
  forgetBoxes();
  const answered = chat("replaced");
  const { stream } = await old.next(FrameType.open);
  const current = await FakeAgent.connect("replaced", id);
  await current.next(FrameType.resume);
  expect((await old.untilClosed()).code).toBe(4000);

  const record = recordOf(Date.now(), { box: "replaced" });
  old.answer(stream, 200, [["content-type", "text/plain"]], "of the old one");
  old.send(tunnelFrame(FrameType.records, { position: 1, records: [record] }));
  old.send(tunnelFrame(FrameType.drain));
  old.socket.close(1000);
  // Closed in full: all that it said was heard.
  await expect.poll(() => agentSockets("replaced")).toBe(1);

  expect(await env.BOX.getByName("replaced").status()).toMatchObject({
    isUp: true,
    isDraining: false,
  });
  current.answer(stream, 200, [["content-type", "text/plain"]], "of the new one");
  expect(await textOf(await answered)).toBe("of the new one");
  const { logs } = await aggregatorOf(env).logs({ limit: 1000, offset: 0 });
  expect(logs.map((entry) => entry.id)).not.toContain(record.request_id);
  expect(old.frames.filter(({ type }) => type === FrameType.recorded)).toEqual([]);
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
  expect(await second.untilClosed()).toEqual({
    code: 4009,
    reason: "another agent is connected as box mine; set another BOX_NAME",
  });
  expect(first.closed).toBeNull();
});

test("the same agent again replaces its old socket", async () => {
  const id = crypto.randomUUID();
  const first = await FakeAgent.connect("twice", id);
  await FakeAgent.connect("twice", id);
  expect((await first.untilClosed()).code).toBe(4000);
  expect(await env.BOX.getByName("twice").status()).toMatchObject({ isUp: true });
});

test("a box cannot say hello as another box", async () => {
  const agent = await FakeAgent.dial("a");
  agent.hello("b", crypto.randomUUID());
  expect(await agent.untilClosed()).toMatchObject({
    code: 1002,
    reason: "HELLO of box b on the socket of box a",
  });
});

test("a box is forgotten when it is gone, not while it is connected, and is known again when it comes back", async () => {
  const agent = await FakeAgent.connect("old");
  const boxes = async () => (await aggregatorOf(env).registry()).map(({ name }) => name);
  const forget = (box: string) => call(`/api/boxes/${box}`, { method: "DELETE" });
  const refused = await forget("old");
  expect([refused.status, await refused.json()]).toMatchObject([
    409,
    { error: { code: "box_connected", message: expect.stringContaining("old") } },
  ]);
  expect(await boxes()).toContain("old");
  agent.socket.close(1000);
  await eventually(async () => ((await env.BOX.getByName("old").status()).isUp ? undefined : true));
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
  await eventually(async () =>
    (await env.BOX.getByName("tired").status()).isDraining ? true : undefined,
  );
  const answer = await chat("tired");
  expect(answer.status).toBe(503);
  expect(answer.headers.get("retry-after")).toBe("5");
  expect(await answer.json()).toEqual({
    error: "Box tired is being drained and takes no new requests.",
  });
});

test("calls to a box whose agent was lost a moment ago wait for it", async () => {
  const agentId = crypto.randomUUID();
  const agent = await FakeAgent.connect("blinking", agentId);
  forgetBoxes();
  const isDown = () =>
    eventually(async () =>
      (await env.BOX.getByName("blinking").status()).isUp ? undefined : true,
    );
  agent.socket.close(1000);
  await isDown();
  const answered = [chat("blinking"), chat("blinking")];
  await isDown(); // asked again: the calls are with the Box by now
  const back = await FakeAgent.connect("blinking", agentId);
  for (const body of ["one", "other"]) {
    const { stream } = await back.next(FrameType.open);
    back.answer(stream, 200, [["content-type", "text/plain"]], body);
  }
  expect((await Promise.all(answered.map(async (answer) => textOf(await answer)))).sort()).toEqual([
    "one",
    "other",
  ]);
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

test("the late close of a stream's old socket does not cancel the stream that has attached again", async () => {
  const agent = await FakeAgent.connect("late");
  const box = env.BOX.getByName("late");
  const id = crypto.randomUUID();
  const attach = async (more: string) => {
    const { webSocket } = await box.fetch(`https://box/attach?box=late&stream=${id}${more}`, {
      headers: { upgrade: "websocket" },
    });
    webSocket?.accept();
    return webSocket;
  };
  const old = await attach("");
  const current = await attach("&resume=1");
  old?.close(1011, "lost");
  await eventually(async () => ((await box.status()).inFlight === 1 ? true : undefined));
  expect(agent.frames.filter(({ type }) => type === FrameType.abort)).toEqual([]);
  current?.close(1011, "lost");
  expect((await agent.next(FrameType.abort)).stream).toBe(id);
});

test("a stream that loses its socket again and again while it attaches is not taken for a caller that left", async () => {
  const agent = await FakeAgent.connect("shaky");
  const box = env.BOX.getByName("shaky");
  const id = crypto.randomUUID();
  const attach = async (more: string) => {
    const { webSocket } = await box.fetch(`https://box/attach?box=shaky&stream=${id}${more}`, {
      headers: { upgrade: "websocket" },
    });
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
  const { webSocket } = await env.BOX.getByName("empty").fetch(
    `https://box/attach?box=empty&stream=${id}&resume=1`,
    {
      headers: { upgrade: "websocket" },
    },
  );
  if (webSocket === null) throw new Error("not attached");
  webSocket.binaryType = "arraybuffer";
  const message = new Promise<ArrayBuffer>((resolve) =>
    webSocket.addEventListener("message", ({ data }) => resolve(data as ArrayBuffer)),
  );
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
  await runInDurableObject(aggregatorOf(env), (aggregator: Aggregator) => {
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
  const record = recordOf(Date.now(), {
    box: "somebody-else",
    prompt: "hi",
    prompt_tokens: 1,
    completion_tokens: 2,
  });
  const batch = { position: 7, records: [{ nonsense: true }, record, record] };
  agent.send({ type: FrameType.records, stream: TUNNEL, seq: 0, payload: jsonBytes(batch) });
  const recorded = await agent.next(FrameType.recorded);
  expect(JSON.parse(new TextDecoder().decode(recorded.payload))).toEqual({ position: 7 });
  // A box writes under its own name only.
  expect(await logOf(record.request_id)).toMatchObject({
    box: "ledger",
    tokens_used: 3,
    prompt: "hi",
  });
});

/** A Box and its agents: they connect, leave, drain, are replaced, and send records. */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { FrameType, jsonBytes, NO_PAYLOAD, TUNNEL, tunnelFrame } from "../../protocol/frames.ts";
import type { Aggregator } from "../../worker/aggregator/aggregator.ts";
import { aggregatorOf } from "../../worker/aggregator/stub.ts";
import type { Box } from "../../worker/box/box.ts";
import { forgetBoxes } from "../../worker/gateway/known-fleet.ts";
import { readingsOf, recordOf } from "../support/records.ts";
import { call, chat, eventually, logOf, textOf } from "./calls.ts";
import { FakeAgent } from "./fake-agent.ts";

const agentSockets = (box: string) =>
  runInDurableObject(
    env.BOX.getByName(box),
    (_box: Box, state) => state.getWebSockets("agent").length,
  );

test("reports at most as many waiting requests as are open, though the agent's report is older", async () => {
  const agent = await FakeAgent.connect("ended");
  const readings = { ...readingsOf(Date.now(), []), now_ms: Date.now(), in_flight: 5, queued: 4 };
  agent.send(tunnelFrame(FrameType.readings, { ...readings, local_in_flight: 1 }));
  const status = () => env.BOX.getByName("ended").status();
  await expect.poll(async () => (await status()).queueDepth).not.toBeNull();
  expect(await status()).toMatchObject({ inFlight: 1, queueDepth: 1 });
});

test("marks the answers of a simulated box on the wire", async () => {
  const agent = await FakeAgent.dial("made-up");
  agent.send(
    tunnelFrame(FrameType.hello, {
      box: "made-up",
      agent_id: crypto.randomUUID(),
      boot_id: crypto.randomUUID(),
      agent_version: "0.1.0",
      now_ms: Date.now(),
      simulated: true,
    }),
  );
  await agent.next(FrameType.welcome);
  const real = await FakeAgent.connect("real");
  forgetBoxes();
  for (const [box, from, mark] of [
    ["made-up", agent, "1"],
    ["real", real, null],
  ] as const) {
    const answered = chat(box);
    const { stream } = await from.next(FrameType.open);
    from.answer(stream, 200, [["content-type", "application/json"]], "{}");
    expect((await answered).headers.get("x-simulated")).toBe(mark);
  }
});

test("drops everything that a replaced agent still sends", async () => {
  const id = crypto.randomUUID();
  const old = await FakeAgent.connect("replaced", id, {}, { allowHalfOpen: true });
  forgetBoxes();
  const answered = chat("replaced");
  const { stream } = await old.next(FrameType.open);
  const current = await FakeAgent.connect("replaced", id);
  await current.next(FrameType.resume);
  expect((await old.untilClosed()).code).toBe(4000);

  const record = recordOf(Date.now(), { box: "replaced" });
  old.answer(stream, 200, [["content-type", "text/plain"]], "from the old socket");
  old.send(tunnelFrame(FrameType.records, { position: 1, records: [record] }));
  old.send(tunnelFrame(FrameType.drain));
  old.socket.close(1000);
  // Fully closed, so everything that it sent has arrived.
  await expect.poll(() => agentSockets("replaced")).toBe(1);

  expect(await env.BOX.getByName("replaced").status()).toMatchObject({
    isUp: true,
    isDraining: false,
  });
  current.answer(stream, 200, [["content-type", "text/plain"]], "from the new socket");
  expect(await textOf(await answered)).toBe("from the new socket");
  const { logs } = await aggregatorOf(env).logs({ limit: 1000, offset: 0 });
  expect(logs.map((entry) => entry.id)).not.toContain(record.request_id);
  expect(old.frames.filter(({ type }) => type === FrameType.recorded)).toEqual([]);
});

test("closes only the socket of an agent that sends garbage, and its streams go on over the next one", async () => {
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
  again.answer(stream, 200, [["content-type", "text/plain"]], "resumed");
  expect(await textOf(await answered)).toBe("resumed");
});

test("refuses a second agent of the same name, with the reason, and keeps the first", async () => {
  const first = await FakeAgent.connect("mine");
  const second = await FakeAgent.dial("mine");
  second.hello("mine", crypto.randomUUID());
  expect(await second.untilClosed()).toEqual({
    code: 4009,
    reason: "another agent is connected as box mine; set another BOX_NAME",
  });
  expect(first.closed).toBeNull();
});

test("replaces the old socket of an agent that connects again", async () => {
  const id = crypto.randomUUID();
  const first = await FakeAgent.connect("twice", id);
  await FakeAgent.connect("twice", id);
  expect((await first.untilClosed()).code).toBe(4000);
  expect(await env.BOX.getByName("twice").status()).toMatchObject({ isUp: true });
});

test("refuses the HELLO of another box", async () => {
  const agent = await FakeAgent.dial("a");
  agent.hello("b", crypto.randomUUID());
  expect(await agent.untilClosed()).toMatchObject({
    code: 1002,
    reason: "HELLO of box b on the socket of box a",
  });
});

test("forgets a box on request only while it is away, and lists it again when it is back", async () => {
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

test("refuses new calls to a box that drains", async () => {
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
    error: "Box tired is draining and accepts no new requests. Try again later.",
  });
});

test("has calls wait for the successor of an agent that drains", async () => {
  const agentId = crypto.randomUUID();
  const agent = await FakeAgent.connect("restarting", agentId);
  forgetBoxes();
  agent.send({ type: FrameType.drain, stream: TUNNEL, seq: 0, payload: NO_PAYLOAD });
  const isDraining = () =>
    eventually(async () =>
      (await env.BOX.getByName("restarting").status()).isDraining ? true : undefined,
    );
  await isDraining();
  const answering = chat("restarting");
  await isDraining(); // Once more: the call has reached the Box by now.
  agent.socket.close(1000);
  const successor = await FakeAgent.connect("restarting", agentId);
  const { stream } = await successor.next(FrameType.open);
  successor.answer(stream, 200, [["content-type", "text/plain"]], "served");
  expect(await textOf(await answering)).toBe("served");
});

test("has calls wait for an agent that was lost a moment ago", async () => {
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
  await isDown(); // Once more: the calls have reached the Box by now.
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

test("reports a box whose agent does not come back as down", async () => {
  const agent = await FakeAgent.connect("leaving");
  forgetBoxes();
  agent.socket.close(1000);
  const answer = await chat("leaving");
  expect(answer.status).toBe(503);
  expect(answer.headers.get("retry-after")).toBe("5");
  expect(await answer.json()).toEqual({ error: expect.stringContaining("leaving") });
});

/**
 * Has the next call of a method throw, as if the object were reset. Calls from outside go to the
 * prototype.
 */
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

test("has an agent dial again if the registry could not take it", async () => {
  await runInDurableObject(aggregatorOf(env), (aggregator: Aggregator) => {
    failOnce(aggregator, "connected");
  });
  const agent = await FakeAgent.connect("unlucky");
  expect(await agent.untilClosed()).toMatchObject({ code: 1011 });
});

test("has a call go on at a Box that throws, once it is reached", async () => {
  const agent = await FakeAgent.connect("moved");
  forgetBoxes();
  await runInDurableObject(env.BOX.getByName("moved"), (box: Box) => {
    failOnce(box, "fetch");
  });
  const answered = chat("moved");
  const { stream } = await agent.next(FrameType.resume);
  agent.send({ type: FrameType.resume, stream, seq: 0, payload: NO_PAYLOAD });
  expect((await agent.next(FrameType.open)).stream).toBe(stream);
  agent.answer(stream, 200, [["content-type", "text/plain"]], "moved");
  expect(await textOf(await answered)).toBe("moved");
});

test("confirms records once they are in the ledger, even if one of them is bad", async () => {
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
  // Records are filed under the name of their box, whatever they contain.
  expect(await logOf(record.request_id)).toMatchObject({
    box: "ledger",
    tokens_used: 3,
    prompt: "hi",
  });
});

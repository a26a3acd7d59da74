/** A Box and its streams: they attach, lose their socket, and attach again. */
import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { decodeFrames, FrameType, parsePayload } from "../../protocol/frames.ts";
import { NOTICE_MS } from "../../protocol/limits.ts";
import { Abort } from "../../protocol/messages.ts";
import { forgetBoxes } from "../../worker/gateway/known-fleet.ts";
import { onBusyMachine } from "../support/patience.ts";
import { call, eventually } from "./calls.ts";
import { FakeAgent } from "./fake-agent.ts";

/** Attaches a stream to a box. @returns its socket, not accepted yet */
async function attach(box: string, id: string, isResume: boolean): Promise<WebSocket> {
  const url = `https://box/attach?box=${box}&stream=${id}${isResume ? "&resume=1" : ""}`;
  const { webSocket } = await env.BOX.getByName(box).fetch(url, {
    headers: { upgrade: "websocket" },
  });
  if (webSocket === null) throw new Error("not attached");
  return webSocket;
}

async function attachOpen(box: string, id: string, isResume: boolean): Promise<WebSocket> {
  const socket = await attach(box, id, isResume);
  socket.accept();
  return socket;
}

test("keeps a stream that has attached again when its old socket closes late", async () => {
  const agent = await FakeAgent.connect("late");
  const id = crypto.randomUUID();
  const old = await attachOpen("late", id, false);
  const current = await attachOpen("late", id, true);
  old.close(1011, "lost");
  const box = env.BOX.getByName("late");
  await eventually(async () => ((await box.status()).inFlight === 1 ? true : undefined));
  expect(agent.frames.filter(({ type }) => type === FrameType.abort)).toEqual([]);
  current.close(1011, "lost");
  const abort = await agent.next(FrameType.abort);
  expect(abort.stream).toBe(id);
  expect(parsePayload(Abort, abort.payload)).toMatchObject({ code: "caller_gone", presumed: true });
});

test("sends GONE to a stream that attaches again while the agent is away", async () => {
  const id = crypto.randomUUID();
  const webSocket = await attach("empty", id, true);
  webSocket.binaryType = "arraybuffer";
  const message = new Promise<ArrayBuffer>((resolve) =>
    webSocket.addEventListener("message", ({ data }) => resolve(data as ArrayBuffer)),
  );
  webSocket.accept();
  expect(decodeFrames(await message)).toMatchObject([{ type: FrameType.gone, stream: id }]);
  webSocket.close(1000);
});

test("closes an agent without a heartbeat in time while a caller waits, and leaves it alone otherwise", async () => {
  const agent = await FakeAgent.dial("half-open");
  agent.hello("half-open", crypto.randomUUID());
  await agent.next(FrameType.welcome);
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
  // Its HELLO was a sign of life, too.
  expect(Date.now() - startMs).toBeLessThan(onBusyMachine(NOTICE_MS));
  expect(idle.closed).toBeNull();
  caller.abort();
  await expect(answered).rejects.toThrow();
});

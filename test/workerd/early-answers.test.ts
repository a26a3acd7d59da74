/** Answers that begin before Ollama's, through the Box and with the Worker's own timers. */
import { expect, test } from "vitest";
import { type Frame, FrameType, jsonBytes, streamFrame } from "../../protocol/frames.ts";
import { Open, Welcome } from "../../protocol/messages.ts";
import { forgetBoxes } from "../../worker/gateway/known-fleet.ts";
import { call, chat, eventually, logOf } from "./calls.ts";
import { FakeAgent } from "./fake-agent.ts";

const REPORT = { position: 2, eta_ms: 9_000, slots: 1, is_loading: false };
const waiting = (stream: string): Frame =>
  streamFrame(FrameType.waiting, stream, 0, jsonBytes(REPORT));
const json = ({ payload }: Frame): unknown => JSON.parse(new TextDecoder().decode(payload));

async function connect(box: string): Promise<FakeAgent> {
  const agent = await FakeAgent.connect(box);
  forgetBoxes();
  return agent;
}

/** Reads as much of an answer as its caller has by now, and more until `isEnough`. */
async function readUntil(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  isEnough: (text: string) => boolean,
): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  while (!isEnough(text)) {
    const { done, value } = await reader.read();
    if (done) break;
    text += decoder.decode(value, { stream: true });
  }
  return text;
}

test("the Box takes WAITING from its agent, and only calls that can begin early ask for it", async () => {
  const agent = await FakeAgent.dial("w-terms");
  agent.hello("w-terms", crypto.randomUUID());
  expect(Welcome.parse(json(await agent.next(FrameType.welcome))).relays_waiting).toBe(true);
  forgetBoxes();
  const streamed = chat("w-terms");
  const first = await agent.next(FrameType.open);
  expect(Open.parse(json(first)).takes_waiting).toBe(true);
  const whole = call("/ollama/api/chat", {
    method: "POST",
    headers: { "x-box": "w-terms" },
    body: JSON.stringify({ model: "m:1b", messages: [], stream: false }),
  });
  const second = await agent.next(FrameType.open);
  expect(Open.parse(json(second)).takes_waiting).toBeUndefined();
  for (const { stream } of [first, second]) agent.answer(stream, 200, [], "{}\n");
  for (const answer of [streamed, whole]) await (await answer).arrayBuffer();
});

test("a caller of Ollama's API has headers and a space, and then the answer", async () => {
  const agent = await connect("w-lines");
  const calling = chat("w-lines");
  const { stream } = await agent.next(FrameType.open);
  agent.send(waiting(stream));
  const answer = await calling;
  expect(answer.status).toBe(200);
  expect(Object.fromEntries(answer.headers)).toMatchObject({
    "content-type": "application/x-ndjson",
    "x-box": "w-lines",
    "x-request-id": stream,
    "x-route-reason": "named",
    "x-queue-position": "2",
    "x-queue-eta-ms": "9000",
  });
  const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
  expect(await readUntil(reader, (text) => text !== "")).toBe(" ");
  agent.answer(stream, 200, [["content-type", "application/x-ndjson"]], '{"done":true}\n');
  expect(await readUntil(reader, () => false)).toBe('{"done":true}\n');
});

test("a caller of our own chat has comments while it waits, and an error of Ollama as an event", async () => {
  const agent = await connect("w-chat");
  const calling = call("/api/chat", {
    method: "POST",
    headers: { "x-box": "w-chat" },
    body: JSON.stringify({ model: "m:1b", prompt: "Why?" }),
  });
  const { stream } = await agent.next(FrameType.open);
  agent.send(waiting(stream));
  const answer = await calling;
  expect([answer.status, answer.headers.get("x-queue-position")]).toEqual([200, "2"]);
  const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
  expect(await readUntil(reader, (text) => text !== "")).toBe(": still there\n\n");
  agent.answer(stream, 500, [["content-type", "application/json"]], '{"error":"no room"}');
  expect(await readUntil(reader, () => false)).toBe(
    `data: {"error":"no room","request_id":"${stream}"}\n\n`,
  );
});

test("a caller who leaves after its headers is cancelled on the box, and recorded", async () => {
  const agent = await connect("w-left");
  const calling = chat("w-left");
  const { stream } = await agent.next(FrameType.open);
  agent.send(waiting(stream));
  await (await calling).body?.cancel();
  expect(json(await agent.next(FrameType.abort))).toMatchObject({ code: "caller_gone" });
  const entry = await eventually(() => logOf(stream).then((found) => found ?? undefined));
  expect(entry).toMatchObject({ status: "cancelled", http_status: 200 });
});

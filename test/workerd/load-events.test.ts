/** A load as server-sent events: begun before the box answers, and ended by its outcome. */
import { afterEach, expect, test } from "vitest";
import type { LoadEvent } from "../../protocol/api/planning.ts";
import { call } from "./calls.ts";
import { FakeBox, NOT_FOUND } from "./fake-box.ts";

const boxes: FakeBox[] = [];

afterEach(async () => {
  for (const box of boxes.splice(0)) await box[Symbol.asyncDispose]();
});

async function loading(name: string) {
  const box = await FakeBox.connect(name, ["m:1b"]);
  boxes.push(box);
  const answer = await call("/api/models/load", {
    method: "POST",
    headers: { accept: "text/event-stream" },
    body: JSON.stringify({ model: "m:1b", box: name }),
  });
  expect([answer.status, answer.headers.get("content-type")]).toEqual([
    200,
    "text/event-stream; charset=utf-8",
  ]);
  const reader = (answer.body ?? new Blob().stream()).pipeThrough(new TextDecoderStream());
  return { box, events: eventsOf(reader.getReader()) };
}

async function* eventsOf(reader: ReadableStreamDefaultReader<string>): AsyncGenerator<LoadEvent> {
  for (let text = ""; ; ) {
    const { done, value } = await reader.read();
    if (done) return;
    text += value;
    for (const block of text.split("\n\n").slice(0, -1)) yield JSON.parse(block.slice(6));
    text = text.slice(text.lastIndexOf("\n\n") + 2);
  }
}

test("the answer begins before the box has loaded the model, and ends when it has", async () => {
  const { box, events } = await loading("loads-slowly");
  expect((await events.next()).value).toEqual({
    status: "loading",
    model: "m:1b",
    box: "loads-slowly",
  });
  const { body, stream } = await box.next();
  expect(body).toEqual({ model: "m:1b", stream: false });
  box.report(["m:1b"], ["m:1b"]);
  box.agent.answer(stream, 200, [["content-type", "application/json"]], '{"done":true}');
  expect((await events.next()).value).toMatchObject({
    status: "loaded",
    model: "m:1b",
    boxes: [{ box: "loads-slowly" }],
  });
  expect((await events.next()).done).toBe(true);
});

test("a load that fails after the answer has begun is its last event", async () => {
  const { box, events } = await loading("loads-nothing");
  await events.next();
  await box.answer(NOT_FOUND);
  expect((await events.next()).value).toEqual({
    status: "failed",
    model: "m:1b",
    box: "loads-nothing",
    error: "There is no model named m:1b on box loads-nothing.",
  });
  expect((await events.next()).done).toBe(true);
});

/** The load of a box is the Box's own count: it includes the calls of other isolates. */
import { evictDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, expect, test } from "vitest";
import { FrameType, tunnelFrame } from "../../protocol/frames.ts";
import { newRequestId } from "../../protocol/request-id.ts";
import { attachHeaders, attachUrl, loadIn } from "../../worker/box/attach.ts";
import { readingsOf } from "../support/records.ts";
import { call, textOf } from "./calls.ts";
import { FakeBox } from "./fake-box.ts";

const boxes: FakeBox[] = [];
const sockets: WebSocket[] = [];

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.close(1000);
  for (const box of boxes.splice(0)) await box[Symbol.asyncDispose]();
});

async function boxWith(name: string, ...models: string[]): Promise<FakeBox> {
  const box = await FakeBox.connect(name, models);
  await box.has(models, models);
  boxes.push(box);
  return box;
}

/** Attaches streams as another isolate does. Returns the load in the last answer. */
async function othersCall(box: string, model: string | null, count: number) {
  let load = null;
  for (let n = 0; n < count; n++) {
    const id = newRequestId(Date.now());
    const to = {
      box,
      id,
      model,
      openMost: null,
      key: null,
      isResume: false,
      keepsText: false,
      waitMs: 0,
    };
    const answer = await env.BOX.getByName(box).fetch(attachUrl(to), {
      headers: attachHeaders([]),
    });
    answer.webSocket?.accept();
    if (answer.webSocket !== null) sockets.push(answer.webSocket);
    load = loadIn(answer.headers);
  }
  return load;
}

/** Calls this isolate, and answers wherever the call arrives. Returns the box. */
async function placeOf(model: string): Promise<string | null> {
  const answered = call("/ollama/api/chat", {
    method: "POST",
    body: JSON.stringify({ model, messages: [] }),
  });
  for (const { agent } of boxes)
    void agent.next(FrameType.open).then(
      ({ stream }) => agent.answer(stream, 200, [["content-type", "application/json"]], "{}"),
      () => {},
    );
  const answer = await answered;
  await textOf(answer);
  return answer.headers.get("x-box");
}

test("the answer to an attach contains the open requests of its model, also after a restart", async () => {
  await boxWith("counts", "m:1b");
  const modelsAt = expect.any(String);
  expect(await othersCall("counts", "m:1b", 2)).toEqual({ open: 2, slots: null, modelsAt });
  expect(await othersCall("counts", "other:1b", 1)).toEqual({ open: 1, slots: null, modelsAt });
  expect(await othersCall("counts", null, 1)).toBeNull();
  await evictDurableObject(env.BOX.getByName("counts"));
  expect(await othersCall("counts", "m:1b", 1)).toEqual({ open: 3, slots: null });
});

test("the load includes the requests to the agent's own listener, and its slots", async () => {
  const { agent, name } = await boxWith("listens", "m:1b");
  const serving = [{ model: "m:1b", open: 4, local: 3, slots: 4 }];
  agent.send(tunnelFrame(FrameType.readings, { ...readingsOf(Date.now(), ["m:1b"]), serving }));
  await expect.poll(() => othersCall(name, "m:1b", 1)).toMatchObject({ slots: 4 });
  const load = await othersCall(name, "m:1b", 1);
  expect(load?.open).toBe(sockets.length + 3);
});

test("a call avoids a box that is busy with the calls of another isolate", async () => {
  // A model each: once an answer has shown how long one takes, those calls may be over by now.
  const models = Array.from({ length: 8 }, (_, n) => `shared:${n + 1}b`);
  await boxWith("busy-elsewhere", ...models);
  await boxWith("free", ...models);
  for (const model of models) {
    await othersCall("busy-elsewhere", model, 5);
    // Even the first call: the Box refuses it, and it goes on to the other one.
    expect(await placeOf(model)).toBe("free");
  }
});

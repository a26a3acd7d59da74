/** Pins in the real runtime: kept through restarts, passed on to agents, and refused with the numbers. */
import { evictDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, expect, test } from "vitest";
import { Pins } from "../../protocol/api/pins.ts";
import { ApiError } from "../../protocol/api/shapes.ts";
import { type Frame, FrameType, parsePayload, tunnelFrame } from "../../protocol/frames.ts";
import { EdgeSettings } from "../../protocol/messages.ts";
import type { Pin } from "../../protocol/pin.ts";
import { aggregatorOf } from "../../worker/aggregator/stub.ts";
import { gpuOf, readingsOf } from "../support/records.ts";
import { call } from "./calls.ts";
import { FakeAgent } from "./fake-agent.ts";
import { FakeBox } from "./fake-box.ts";

const boxes: FakeBox[] = [];
const FEATURES = { takes_settings: true, keeps_pins: true };

afterEach(async () => {
  for (const box of boxes.splice(0)) await box[Symbol.asyncDispose]();
});

async function boxWith(name: string, features: typeof FEATURES | object = FEATURES) {
  const box = await FakeBox.connect(name, ["m:1b", "n:1b"], features);
  boxes.push(box);
  return box;
}

const put = (body: object) =>
  call("/api/pins", { method: "PUT", body: JSON.stringify({ model: "m:1b", ...body }) });
const remove = (box: string, model = "m:1b") =>
  call(`/api/pins?box=${box}&model=${model}`, { method: "DELETE" });
const listed = async (box: string) => {
  const { pins } = Pins.parse(await (await call("/api/pins")).json());
  return pins.filter((pin) => pin.box === box);
};

/** Returns the pins in the next settings that an agent gets with some. */
async function sentPins(agent: FakeAgent): Promise<Pin[]> {
  for (;;) {
    const frame: Frame = await agent.next(FrameType.settings);
    const { pins } = parsePayload(EdgeSettings, frame.payload);
    if (pins !== undefined) return pins;
  }
}

test("keeps a pin, passes it on to the agent, and removes it", async () => {
  const { agent, name } = await boxWith("pin-atlas");
  expect(await sentPins(agent)).toEqual([]);
  const wish = { box: name, context: 8_192, hours: { from: 22, to: 6 }, time_zone: "Asia/Tokyo" };
  const answer = await put({ ...wish, model: "M:1b" });
  expect(answer.status).toBe(200);
  const pin = {
    model: "m:1b",
    context_length: 8_192,
    hours: { from: 22, to: 6 },
    time_zone: "Asia/Tokyo",
  };
  expect(await answer.json()).toMatchObject({ ...pin, box: name, state: null });
  expect(await sentPins(agent)).toEqual([pin]);
  await put({ box: name, model: "n:1b" });
  expect((await sentPins(agent)).map(({ model }) => model)).toEqual(["m:1b", "n:1b"]);
  expect(await (await remove(name)).json()).toEqual({
    status: "removed",
    box: name,
    model: "m:1b",
  });
  expect((await sentPins(agent)).map(({ model }) => model)).toEqual(["n:1b"]);
  expect((await listed(name)).map(({ model }) => model)).toEqual(["n:1b"]);
});

test("keeps pins through restarts of the edge, and sends them to an agent that connects", async () => {
  const { agent, name } = await boxWith("pin-restarts");
  await put({ box: name });
  agent.socket.close(1000, "restarting");
  await evictDurableObject(aggregatorOf(env));
  const again = await FakeAgent.connect(name, crypto.randomUUID(), {}, {}, FEATURES);
  expect((await sentPins(again)).map(({ model }) => model)).toEqual(["m:1b"]);
  again.socket.close(1000, "the test is over");
});

test("shows what the agent reports, for calls as warm to be, and a failure as a concern", async () => {
  const { agent, name } = await boxWith("pin-reports");
  await put({ box: name });
  const report = (state: "loading" | "failed", reason: string | null) => {
    const pins = [{ model: "m:1b", state, reason }];
    agent.send(tunnelFrame(FrameType.readings, { ...readingsOf(Date.now(), ["m:1b"]), pins }));
  };
  const pinned = async () =>
    (await aggregatorOf(env).fleet()).boxes.find((box) => box.name === name)?.pinned;
  report("loading", null);
  await expect.poll(() => listed(name)).toMatchObject([{ state: "loading", is_due: true }]);
  expect(await pinned()).toEqual(["m:1b"]);
  report("failed", "out of memory");
  await expect
    .poll(() => listed(name))
    .toMatchObject([{ state: "failed", reason: "out of memory" }]);
  expect(await pinned()).toEqual([]);
  const { concerns } = await (await call("/api/health")).json<{ concerns: { code: string }[] }>();
  expect(concerns.map(({ code }) => code)).toContain("pin_failed");
});

test("forgets the pins of a box that is forgotten", async () => {
  const box = await boxWith("pin-forgotten");
  await put({ box: box.name });
  boxes.pop();
  await box[Symbol.asyncDispose]();
  await aggregatorOf(env).forgetBox(box.name);
  await boxWith(box.name);
  expect(await listed(box.name)).toEqual([]);
});

test("refuses a pin that cannot fit, with the numbers", async () => {
  const { agent, name } = await boxWith("pin-small");
  const gpu = gpuOf(name, Date.now(), { memory_total_mb: 8_192, memory_used_mb: 0 });
  const readings = readingsOf(Date.now(), ["m:1b"], [gpu]);
  for (const model of readings.inventory.models) model.size_bytes = 42e9;
  agent.send(tunnelFrame(FrameType.readings, readings));
  const known = async () => (await aggregatorOf(env).boxes(name)).boxes[0]?.gpus.length;
  await expect.poll(known).toBe(1);
  expect((await put({ box: name })).status).toBe(409);
  const { error } = ApiError.parse(await (await put({ box: name })).json());
  expect(error).toMatchObject({
    code: "pin_too_large",
    message: `m:1b takes at least 42.0 GB, and the GPUs of box ${name} have 8.6 GB.`,
  });
  expect(await listed(name)).toEqual([]);
});

const ZONE = 'time_zone: "Mars/Base" is not a time zone of the IANA list';
test.each<[what: string, body: object, status: number, code: string, message: string]>([
  ["an unknown box", { box: "nowhere" }, 404, "box_not_found", "no box named nowhere"],
  ["an unknown model", { model: "x:1b" }, 404, "model_not_found", "named x:1b on box pin-checks"],
  ["a cloud model", { model: "gpt-oss:120b-cloud" }, 403, "cloud_model", "ollama.com"],
  ["no hours", { hours: { from: 8, to: 8 } }, 400, "bad_request", "from and to must differ"],
  ["hours of no day", { hours: { from: 8, to: 25 } }, 400, "bad_request", "hours.to"],
  ["an unknown zone", { time_zone: "Mars/Base" }, 400, "bad_request", ZONE],
  ["no context", { context: 0 }, 400, "bad_request", "context"],
  ["an unknown field", { keep_alive: -1 }, 400, "bad_request", "keep_alive"],
])("refuses a pin with %s", async (_, body, status, code, message) => {
  await boxWith("pin-checks");
  const answer = await put({ box: "pin-checks", ...body });
  const { error } = ApiError.parse(await answer.json());
  expect([answer.status, error.code]).toEqual([status, code]);
  expect(error.message).toContain(message);
});

test("refuses a pin of an agent that cannot carry it out, and the removal of one that is absent", async () => {
  const { name } = await boxWith("pin-older", { takes_settings: true });
  const older = await put({ box: name });
  expect([older.status, await older.json()]).toMatchObject([
    501,
    { error: { code: "agent_too_old", message: expect.stringContaining("keep models in memory") } },
  ]);
  const absent = await remove(name);
  expect([absent.status, await absent.json()]).toMatchObject([
    404,
    { error: { code: "model_not_found" } },
  ]);
});

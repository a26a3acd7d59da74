/**
 * The fleet as an isolate knows it is older than the truth. Callers must not notice: the Boxes
 * correct it, and a call that it cannot serve waits for the Aggregator.
 */
import { evictDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, expect, test } from "vitest";
import { FrameType, parsePayload, tunnelFrame } from "../../protocol/frames.ts";
import { RECONNECT_MS } from "../../protocol/limits.ts";
import { Open } from "../../protocol/messages.ts";
import { newRequestId } from "../../protocol/request-id.ts";
import type { Fleet } from "../../worker/aggregator/fleet.ts";
import { aggregatorOf } from "../../worker/aggregator/stub.ts";
import type { Bindings } from "../../worker/env.ts";
import { settleBoxes } from "../../worker/gateway/fleet.ts";
import { fleetFor, forgetBoxes, refreshFleet } from "../../worker/gateway/known-fleet.ts";
import { serve } from "../../worker/gateway/serve.ts";
import { call, eventually, textOf } from "./calls.ts";
import { FakeAgent } from "./fake-agent.ts";
import { FakeBox } from "./fake-box.ts";
import { callOf } from "./held-trips.ts";

const boxes: FakeBox[] = [];

afterEach(async () => {
  for (const box of boxes.splice(0)) await box[Symbol.asyncDispose]();
});

async function boxWith(name: string, models: string[]): Promise<FakeBox> {
  const box = await FakeBox.connect(name, models);
  boxes.push(box);
  return box;
}

/** Answers every request of a box from now on. Returns their models. */
function answering({ agent, name }: FakeBox): string[] {
  const models: string[] = [];
  const answerNext = async (): Promise<void> => {
    const { stream, payload } = await agent.next(FrameType.open);
    models.push(parsePayload(Open, payload).model ?? "");
    agent.answer(stream, 200, [["content-type", "application/json"]], JSON.stringify({ name }));
    return answerNext();
  };
  answerNext().catch(() => {}); // closed
  return models;
}

/** Returns the box that answered. */
async function ask(model: string): Promise<string | null> {
  const body = JSON.stringify({ model, messages: [] });
  const answer = await call("/ollama/api/chat", { method: "POST", body });
  const text = await textOf(answer);
  return answer.status === 200 ? answer.headers.get("x-box") : `${answer.status} ${text}`;
}

const stateOf = async (name: string) =>
  (await aggregatorOf(env).registry()).find((box) => box.name === name)?.state;

const invocationOf = (bindings: Bindings) => ({ env: bindings, waitUntil: () => {} });

/** Counts the requests for the fleet, which `answer` answers. */
function fleetBy(answer: () => Promise<Fleet>) {
  let asked = 0;
  const fleet = () => {
    asked++;
    return answer();
  };
  const AGGREGATOR = { getByName: () => ({ fleet }) };
  const bindings = { ...env, AGGREGATOR } as unknown as Bindings;
  return { ...invocationOf(bindings), asked: () => asked };
}

const isEnough = () => true;
const known = () => fleetFor(invocationOf(env as Bindings), Date.now(), isEnough);

/** Has the isolate know what it knew before, as if another one had handled the changes since. */
async function knowAgain(fleet: Fleet): Promise<void> {
  forgetBoxes();
  await fleetFor(
    fleetBy(async () => fleet),
    Date.now(),
    isEnough,
  );
}

test("a call to a box that died since goes to its twin at once, and the next one directly", async () => {
  const dead = await boxWith("died", ["twin:1b"]);
  const alive = await boxWith("lives", ["twin:1b"]);
  await dead.has(["twin:1b"], ["twin:1b"]); // the better one, as long as it lives
  answering(dead);
  answering(alive);
  const before = await known();
  expect(await ask("twin:1b")).toBe("died");
  dead.agent.socket.close(1000);
  await eventually(async () => ((await stateOf("died")) === "down" ? true : undefined));
  await knowAgain(before);
  const startMs = Date.now();
  expect(await ask("twin:1b")).toBe("lives");
  expect(Date.now() - startMs).toBeLessThan(RECONNECT_MS);
  expect((await known()).boxes.find(({ name }) => name === "died")?.state).toBe("down");
  expect(await ask("twin:1b")).toBe("lives");
});

test("a call to a box that drains since goes to another one", async () => {
  const draining = await boxWith("drains", ["drained:1b"]);
  const other = await boxWith("stays", ["drained:1b"]);
  await draining.has(["drained:1b"], ["drained:1b"]);
  const models = answering(draining);
  answering(other);
  const before = await known();
  draining.agent.send(tunnelFrame(FrameType.drain));
  await eventually(async () => ((await stateOf("drains")) === "draining" ? true : undefined));
  await knowAgain(before);
  expect(await ask("drained:1b")).toBe("stays");
  expect(models).toEqual([]);
});

test("a model that was pulled since, or came with a new box, is found by the first call", async () => {
  const old = await boxWith("old", ["first:1b"]);
  answering(old);
  const before = await known();
  const fresh = await boxWith("fresh", ["new:1b"]);
  answering(fresh);
  await knowAgain(before);
  expect(await ask("new:1b")).toBe("fresh");
  await knowAgain(before);
  await old.has(["first:1b", "pulled:1b"]);
  await knowAgain(before);
  expect(await ask("pulled:1b")).toBe("old");
});

test("a call goes to a new box with the model before it goes to a known one without it", async () => {
  const gone = await boxWith("gone-since", ["moved:1b"]);
  const without = await boxWith("without", ["other:1b"]);
  const models = answering(without);
  const before = await known();
  gone.agent.socket.close(1000);
  await eventually(async () => ((await stateOf("gone-since")) === "down" ? true : undefined));
  const successor = await boxWith("successor", ["moved:1b"]);
  answering(successor);
  await knowAgain(before);
  expect(await ask("moved:1b")).toBe("successor");
  expect(models).toEqual([]);
});

test("a box that the caller chose is refused only if the current fleet lacks it", async () => {
  const before = await known();
  const named = await boxWith("named-since", []);
  answering(named);
  await knowAgain(before);
  const tags = (box: string) => call("/ollama/api/tags", { headers: { "x-box": box } });
  expect((await tags("named-since")).status).toBe(200);
  expect((await tags("never-came")).status).toBe(404);
});

test("an isolate that missed that text was switched off has no agent keep any, old or new", async () => {
  for (const takes_settings of [true, false]) {
    const name = `texts-${takes_settings}`;
    const agent = await FakeAgent.connect(name, crypto.randomUUID(), {}, {}, { takes_settings });
    await eventually(async () => (await stateOf(name)) && true);
    forgetBoxes();
    const before = await known();
    const keptText = async () => {
      await knowAgain(before);
      const answered = call("/ollama/api/tags", { headers: { "x-box": name } });
      const { stream, payload } = await agent.next(FrameType.open);
      agent.answer(stream, 200, [], "{}");
      await textOf(await answered);
      return parsePayload(Open, payload).keep_text;
    };
    const box = env.BOX.getByName(name);
    await expect.poll(keptText).toBe(true); // once the Box knows the settings too
    await settleBoxes(env as Bindings, false);
    expect(await keptText()).toBe(false);
    await evictDurableObject(box);
    expect(await keptText()).toBe(false);
    await settleBoxes(env as Bindings, true);
    expect(await keptText()).toBe(true);
  }
});

test("calls are served while the Aggregator fails or does not answer", async () => {
  const box = await boxWith("alone", ["m"]);
  answering(box);
  const fleet = await known();
  const failures = [
    () => Promise.reject(new Error("out of order")),
    () => new Promise<never>(() => {}),
  ];
  for (const answer of failures) {
    await knowAgain(fleet);
    const shell = fleetBy(answer);
    const later = Date.now() + 30_000;
    const body = { bytes: new TextEncoder().encode("{}"), model: "m", stream: false };
    const id = newRequestId(Date.now());
    const served = await serve(shell, callOf(null, id, later), async () => body);
    expect([served.status, shell.asked()]).toEqual([200, 1]);
  }
});

test("calls that wait for the fleet share one request", async () => {
  forgetBoxes();
  const answer = Promise.withResolvers<Fleet>();
  const shell = fleetBy(() => answer.promise);
  const fleet = await aggregatorOf(env).fleet();
  const waiting = Array.from({ length: 10 }, () => fleetFor(shell, Date.now(), isEnough));
  refreshFleet(shell);
  answer.resolve(fleet);
  for (const each of await Promise.all(waiting)) expect(each).toEqual(fleet);
  expect(shell.asked()).toBe(1);
});

test("a call does not wait for the request of another that is gone", async () => {
  forgetBoxes();
  const shell = fleetBy(() => new Promise<never>(() => {}));
  void fleetFor(shell, Date.now(), isEnough);
  expect((await known()).boxes).toBeInstanceOf(Array);
});

test("a call that the known fleet cannot serve goes on with it when the Aggregator does not answer", async () => {
  const fleet = await known();
  await knowAgain(fleet);
  const shell = fleetBy(() => new Promise<never>(() => {}));
  expect(await fleetFor(shell, Date.now(), () => false)).toEqual(fleet);
});

test("an answer from before a change is not kept", async () => {
  forgetBoxes();
  const late = Promise.withResolvers<Fleet>();
  const fleet = await aggregatorOf(env).fleet();
  const asked = fleetFor(
    fleetBy(() => late.promise),
    Date.now(),
    isEnough,
  );
  forgetBoxes(); // the change
  late.resolve({ ...fleet, defaultModel: "from before" });
  expect((await asked).defaultModel).toBe("from before");
  expect((await known()).defaultModel).not.toBe("from before");
});

test("a call to a box whose models have changed since renews the known fleet beside it", async () => {
  const changing = await boxWith("changing", ["news:1b"]);
  await boxWith("unchanged", ["other:1b"]);
  answering(changing);
  const before = await known();
  await changing.has(["news:1b"], ["news:1b"]);
  await knowAgain(before);
  const shell = fleetBy(() => aggregatorOf(env).fleet());
  const body = { bytes: new TextEncoder().encode("{}"), model: "news:1b", stream: false };
  const ask = async () => {
    const asked = callOf(null, newRequestId(Date.now()), Date.now());
    await textOf(await serve(shell, asked, async () => body));
  };
  await ask();
  expect(shell.asked()).toBe(1);
  const loaded = async () => (await known()).boxes.find(({ name }) => name === "changing")?.loaded;
  await eventually(async () => ((await loaded())?.includes("news:1b") ? true : undefined));
  await ask();
  expect(shell.asked()).toBe(1); // it knows now
});

test("the fleet is small: names of models, and no readings", async () => {
  await boxWith("small", ["m:1b"]);
  const { boxes: all } = await aggregatorOf(env).fleet();
  const small = all.find(({ name }) => name === "small");
  expect(small).toEqual({
    name: "small",
    state: "up",
    last_seen_ms: expect.any(Number),
    simulated: false,
    yields_lost: false,
    takes_may_ask: false,
    is_reachable: true,
    has_gpus: true,
    loaded: [],
    pinned: [],
    installed: ["m:1b"],
    embedders: [],
    models: {},
    readings_at_ms: expect.any(Number),
    models_at: expect.any(String),
    vram: null,
    is_slowed: false,
  });
});

/** The decisions about pinned models: when to load, to renew, to give way and to stop. */
import { expect, test } from "vitest";
import { type KeepAction, type KeptWorld, PinKeeper } from "../../../../agent/keep/pin-keeper.ts";
import type { Pin } from "../../../../protocol/pin.ts";
import { readingsOf } from "../../../support/records.ts";

const NOON = Date.parse("2026-11-27T12:00:00Z");
const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const KEEP_SECONDS = 15 * 60;
const FOREVER = "2317-10-17T16:47:07.93355-07:00";

const pinOf = (rest: Partial<Pin> = {}): Pin => ({
  model: "m:1b",
  context_length: null,
  hours: null,
  time_zone: "UTC",
  ...rest,
});

/** A box with an Ollama that carries out every request. */
class Scene {
  readonly keeper = new PinKeeper();
  nowMs = 1_000_000;
  installed = ["m:1b", "n:1b", "nomic-embed-text:latest"];
  loaded = new Map<string, { context: number; expires: string }>();
  inUse = new Set<string>();
  reachable = true;

  constructor(...pins: Pin[]) {
    this.keeper.pins = pins;
  }

  get world(): KeptWorld {
    const unixMs = NOON + this.nowMs - 1_000_000;
    const { inventory } = readingsOf(unixMs, this.installed);
    for (const model of inventory.models)
      if (model.name.includes("embed")) model.family = "nomic-bert";
    inventory.reachable = this.reachable;
    inventory.loaded = [...this.loaded].map(([name, { context, expires }]) => ({
      name,
      size_bytes: 1,
      size_vram_bytes: 1,
      context_length: context,
      expires_at: expires,
    }));
    return { nowMs: this.nowMs, edgeMs: unixMs, boxMs: unixMs, inventory, inUse: this.inUse };
  }

  get states(): string[] {
    return (this.keeper.reports ?? []).map(({ state }) => state);
  }

  next(): KeepAction | null {
    return this.keeper.next(this.world);
  }

  pass(ms: number): this {
    this.nowMs += ms;
    for (const [name, { expires }] of this.loaded)
      if (Date.parse(expires) <= this.world.boxMs) this.loaded.delete(name);
    return this;
  }

  /** Lists a model as Ollama does. @param ms  until it expires */
  holds(model: string, ms: number, context = 4_096): this {
    this.loaded.set(model, { context, expires: new Date(this.world.boxMs + ms).toISOString() });
    return this;
  }

  /** Carries out an action. */
  does(action: KeepAction | null, context = action?.contextLength ?? 4_096): this {
    if (action === null) throw new Error("no action");
    this.holds(action.model, action.keepAliveSeconds * 1_000, context);
    this.keeper.done(action, this.world.inventory, this.nowMs);
    return this;
  }
}

test("reports no pins until the edge has sent them", () => {
  const keeper = new PinKeeper();
  expect(keeper.reports).toBeNull();
  keeper.pins = [];
  expect(keeper.reports).toEqual([]);
});

test("loads a pinned model, and renews it shortly before it expires, for a whole day", () => {
  const scene = new Scene(pinOf());
  const load = scene.next();
  expect(load).toEqual({
    isLoad: true,
    model: "m:1b",
    embedsOnly: false,
    keepAliveSeconds: KEEP_SECONDS,
    contextLength: null,
  });
  expect(scene.states).toEqual(["loading"]);
  scene.does(load);
  let renewals = 0;
  for (let ms = 0; ms < 24 * 60 * MINUTE; ms += 5 * SECOND) {
    const action = scene.pass(5 * SECOND).next();
    expect(scene.states).toEqual(["loaded"]);
    if (action === null) continue;
    expect(action).toEqual({ ...load, isLoad: false });
    scene.does(action);
    renewals++;
  }
  expect(renewals).toBeGreaterThan(100);
  expect(renewals).toBeLessThan(125); // each is a call to Ollama
});

test("renews after a caller's request, whose model stays 5 minutes only", () => {
  const scene = new Scene(pinOf());
  scene
    .does(scene.next())
    .pass(MINUTE)
    .holds("m:1b", 5 * MINUTE);
  expect(scene.next()).toBeNull();
  expect(scene.pass(3.5 * MINUTE).next()).toMatchObject({ isLoad: false });
});

test("keeps the context that a caller has requested, and so causes no load", () => {
  const scene = new Scene(pinOf());
  scene.does(scene.next()).pass(MINUTE).holds("m:1b", MINUTE, 16_384);
  expect(scene.next()).toMatchObject({ isLoad: false, contextLength: 16_384 });
});

test("loads again with the pinned context if a smaller one is in memory, when the box is idle", () => {
  const scene = new Scene(pinOf({ context_length: 32_768 }));
  scene.holds("m:1b", 5 * MINUTE, 4_096).inUse.add("n:1b");
  expect(scene.next()).toBeNull();
  scene.inUse.clear();
  const load = scene.next();
  expect(load).toMatchObject({ isLoad: true, contextLength: 32_768 });
  // The model takes no more than this.
  scene.does(load, 8_192);
  expect(scene.pass(5 * SECOND).next()).toBeNull();
});

test("leaves a larger context as it is", () => {
  const scene = new Scene(pinOf({ context_length: 8_192 }));
  expect(scene.holds("m:1b", 5 * MINUTE, 32_768).next()).toBeNull();
});

test("loads a model that only embeds by the call that Ollama accepts for it", () => {
  const scene = new Scene(pinOf({ model: "nomic-embed-text" }));
  const load = scene.next();
  expect(load).toMatchObject({ embedsOnly: true });
  scene.does(load).pass(MINUTE).holds("nomic-embed-text", MINUTE);
  expect(scene.next()).toMatchObject({ isLoad: false, embedsOnly: true });
});

test.each([
  ["UTC", { from: 9, to: 12 }, "off"],
  ["UTC", { from: 12, to: 13 }, "loading"],
  ["Asia/Tokyo", { from: 20, to: 6 }, "loading"],
  ["America/New_York", { from: 8, to: 18 }, "off"],
  ["UTC", { from: 22, to: 21 }, "loading"],
])("in %s the hours %j at noon UTC mean: %s", (time_zone, hours, state) => {
  const scene = new Scene(pinOf({ time_zone, hours }));
  expect(scene.next() !== null).toBe(state === "loading");
  expect(scene.states).toEqual([state]);
});

test("keeps a model until its hours end, and not longer", () => {
  const scene = new Scene(pinOf({ hours: { from: 8, to: 13 } }));
  scene.does(scene.next());
  let last: KeepAction | null = null;
  while (scene.loaded.size > 0) {
    const action = scene.pass(5 * SECOND).next();
    if (action !== null) scene.does(action);
    last = action ?? last;
  }
  const overMs = scene.world.edgeMs - Date.parse("2026-11-27T13:00:00Z");
  expect(Math.abs(overMs)).toBeLessThan(3 * MINUTE);
  expect(scene.pass(MINUTE).next()).toBeNull();
  expect(scene.states).toEqual(["off"]);
  expect(last?.keepAliveSeconds).toBeLessThanOrEqual(KEEP_SECONDS);
});

test("a failed load is tried again after pauses that grow, and is reported after three", () => {
  const scene = new Scene(pinOf());
  const pauses: number[] = [];
  for (let n = 0; n < 8; n++) {
    const action = scene.next();
    if (action === null) throw new Error("no action");
    scene.keeper.failed(action, "out of memory", scene.nowMs);
    expect(scene.states).toEqual([n < 2 ? "waiting" : "failed"]);
    const fromMs = scene.nowMs;
    while (scene.keeper.next(scene.world) === null) scene.pass(5 * SECOND);
    pauses.push((scene.nowMs - fromMs) / SECOND);
  }
  expect(pauses).toEqual([30, 60, 120, 240, 480, 900, 900, 900]);
  expect(scene.keeper.reports?.[0]?.reason).toBeNull(); // it is loading
});

test("gives way to a model that took its place, longer each time, until it has stayed", () => {
  const scene = new Scene(pinOf());
  const pushedOut = () => {
    scene
      .does(scene.next())
      .pass(5 * SECOND)
      .next();
    scene.holds("n:1b", 60 * MINUTE).loaded.delete("m:1b");
    expect(scene.next()).toBeNull();
    const fromMs = scene.nowMs;
    while (scene.next() === null) scene.pass(5 * SECOND);
    return (scene.nowMs - fromMs) / SECOND;
  };
  expect([pushedOut(), pushedOut(), pushedOut()]).toEqual([30, 60, 120]);
  scene.does(scene.next());
  for (let ms = 0; ms < 15 * MINUTE; ms += 5 * SECOND) {
    const action = scene.pass(5 * SECOND).next();
    if (action !== null) scene.does(action);
  }
  scene.loaded.delete("m:1b");
  scene.next();
  expect(scene.pass(30 * SECOND).next()).not.toBeNull();
});

test("loads again at once what was unloaded without a successor, and later if that happens again", () => {
  const scene = new Scene(pinOf());
  scene.does(scene.next()).pass(MINUTE).next();
  scene.loaded.clear(); // a restart of Ollama between two polls
  const again = scene.pass(5 * SECOND).next();
  expect(again).toMatchObject({ isLoad: true });
  scene
    .does(again)
    .pass(5 * SECOND)
    .next();
  scene.loaded.clear();
  expect(scene.next()).toBeNull();
  expect(scene.keeper.reports).toEqual([
    { model: "m:1b", state: "waiting", reason: "It was unloaded." },
  ]);
  expect(scene.pass(60 * SECOND).next()).toMatchObject({ isLoad: true });
});

test("waits for requests of other models, but not for long", () => {
  const scene = new Scene(pinOf());
  scene.inUse.add("n:1b");
  expect(scene.next()).toBeNull();
  expect(scene.keeper.reports).toEqual([
    { model: "m:1b", state: "waiting", reason: "Requests of other models are open." },
  ]);
  expect(scene.pass(30 * SECOND).next()).toMatchObject({ isLoad: true });
});

test("a restart of Ollama is followed by a load at once", () => {
  const scene = new Scene(pinOf());
  scene.does(scene.next()).pass(MINUTE).next();
  scene.reachable = false;
  scene.loaded.clear();
  expect(scene.next()).toBeNull();
  expect(scene.keeper.reports?.[0]?.reason).toBe("Ollama does not answer.");
  scene.reachable = true;
  expect(scene.pass(5 * SECOND).next()).toMatchObject({ isLoad: true });
});

test("loads one model at a time", () => {
  const scene = new Scene(pinOf(), pinOf({ model: "n:1b" }));
  const first = scene.next();
  expect(first).toMatchObject({ model: "m:1b" });
  expect(scene.states).toEqual(["loading", "waiting"]);
  expect(scene.does(first).next()).toMatchObject({ model: "n:1b" });
});

test.each<[what: string, pin: Partial<Pin>, reason: string]>([
  ["a model that is not there", { model: "absent" }, "The model is not on this box."],
  ["an unknown zone", { time_zone: "Mars/Base", hours: { from: 1, to: 2 } }, "This agent does not"],
])("%s is a failed pin, and no request", (_, rest, reason) => {
  const scene = new Scene(pinOf(rest));
  expect(scene.next()).toBeNull();
  const [report] = scene.keeper.reports ?? [];
  expect(report?.state).toBe("failed");
  expect(report?.reason).toContain(reason);
});

test("a pin that is removed is renewed no more", () => {
  const scene = new Scene(pinOf());
  scene.does(scene.next());
  scene.keeper.pins = [];
  expect(scene.pass(14 * MINUTE).next()).toBeNull();
  expect(scene.keeper.reports).toEqual([]);
});

test("a model that somebody keeps forever needs nothing", () => {
  const scene = new Scene(pinOf());
  scene.loaded.set("m:1b", { context: 4_096, expires: FOREVER });
  expect(scene.next()).toBeNull();
  expect(scene.states).toEqual(["loaded"]);
});

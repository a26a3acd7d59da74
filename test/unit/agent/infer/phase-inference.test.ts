/** The phases of answers without durations, in scenes whose true phases are known. */
import { expect, test, vi } from "vitest";
import { type FinishedAnswer, PhaseInference } from "../../../../agent/infer/phase-inference.ts";
import { Slots } from "../../../../agent/queue/slots.ts";

const MODEL = "llama3.2:latest";
const NEVER = { model: MODEL, expiresMs: null };

type Truth = {
  waitMs?: number;
  queueMs?: number;
  loadMs?: number;
  prompt?: number;
  prefillMs?: number;
  tokens?: number;
  stepMs?: number;
};

/** A box whose requests take exactly the time that the scene gives them. */
class Scene {
  readonly phases: PhaseInference;
  nowMs = 1_000;
  #ids = 0;

  constructor(slots: number | null = null) {
    this.phases = new PhaseInference(new Slots(slots));
  }

  loaded(...models: { model: string; expiresMs: number | null }[]): this {
    this.phases.polled(models, this.nowMs);
    return this;
  }

  begin(model = "llama3.2"): string {
    const id = `request-${this.#ids++}`;
    this.phases.begin(id, model, this.nowMs);
    return id;
  }

  /** Plays one request from its beginning to its end, alone. */
  play(kind: "native" | "streamed" | "whole", truth: Truth, more: Partial<FinishedAnswer> = {}) {
    return this.finish(this.begin(), kind, truth, more);
  }

  finish(
    id: string,
    kind: "native" | "streamed" | "whole",
    truth: Truth,
    more: Partial<FinishedAnswer> = {},
  ) {
    const { waitMs = 0, queueMs = 2, loadMs = 20, prompt = 100, prefillMs = 300 } = truth;
    const { tokens = 51, stepMs = 10 } = truth;
    const firstMs = this.nowMs + waitMs + queueMs + loadMs + prefillMs;
    const decodeMs = (tokens - 1) * stepMs;
    this.nowMs = firstMs;
    if (kind !== "whole") this.phases.content(id, this.nowMs);
    this.nowMs += decodeMs;
    this.phases.end(id, this.nowMs);
    return this.phases.finish(id, {
      firstContentMs: kind === "whole" ? null : firstMs,
      endMs: this.nowMs,
      contentParts: kind === "whole" ? 0 : tokens,
      promptTokens: prompt,
      completionTokens: tokens,
      wasPrompt: true,
      phases:
        kind === "native"
          ? {
              queue_ms: waitMs + queueMs,
              load_ms: loadMs,
              prefill_ms: prefillMs,
              decode_ms: decodeMs,
            }
          : null,
      ...more,
    });
  }

  /** Learns the pace of the model from native calls. */
  taught(truth: Truth = {}): this {
    for (let i = 0; i < 3; i++) this.play("native", truth);
    return this;
  }
}

const near = (ms: number) => expect.closeTo(ms, 6);

test("infers the phases of a streamed answer of a loaded model", () => {
  const scene = new Scene().loaded(NEVER).taught();
  expect(scene.play("streamed", { prefillMs: 450 })).toEqual({
    queue_ms: near(2),
    load_ms: near(20),
    prefill_ms: near(450),
    decode_ms: near(500),
    ttft_ms: null,
  });
});

test("infers the phases of a whole answer if the model's pace explains its time", () => {
  const scene = new Scene().loaded(NEVER).taught();
  expect(scene.play("whole", { prefillMs: 450 })).toEqual({
    queue_ms: near(2),
    load_ms: near(20),
    prefill_ms: near(450),
    decode_ms: near(500),
    ttft_ms: near(472),
  });
  // Paces between 9 and 11 ms leave more room than the prompt took.
  const rough = new Scene().loaded(NEVER).taught().taught({ stepMs: 9 }).taught({ stepMs: 11 });
  expect(rough.play("whole", {})).toMatchObject({ prefill_ms: null, ttft_ms: null });
});

test("knows nothing before anything was seen of the model, except the pace of a stream", () => {
  const scene = new Scene().loaded(NEVER);
  const nothing = { queue_ms: null, load_ms: null, prefill_ms: null, ttft_ms: null };
  expect(scene.play("streamed", {})).toEqual({ ...nothing, decode_ms: near(500) });
  expect(new Scene().loaded(NEVER).play("whole", {})).toEqual({ ...nothing, decode_ms: null });
  // One native call shows the overhead roughly: enough beside a long prompt.
  const once = new Scene().loaded(NEVER);
  once.play("native", {});
  expect(once.play("streamed", { prefillMs: 900 })?.prefill_ms).toBeGreaterThan(0.95 * 900);
  expect(once.play("streamed", { prefillMs: 40 })).toMatchObject({ prefill_ms: null });
  // Nothing is known of the memory before the first poll, until the model has answered.
  expect(new Scene().play("streamed", {})).toMatchObject({ ...nothing, decode_ms: near(500) });
});

test("without native calls, the shortest time to a first content bounds the overhead", () => {
  const scene = new Scene().loaded(NEVER);
  for (const prefillMs of [400, 30, 500]) scene.play("streamed", { prefillMs });
  expect(scene.play("streamed", { prefillMs: 2_000, prompt: 400 })).toMatchObject({
    queue_ms: 10,
    load_ms: null,
    prefill_ms: near(2_022 - 26 - 10),
  });
});

test("infers the load of a model that was not in memory, even of the first call", () => {
  const scene = new Scene().loaded();
  const first = scene.play("streamed", { loadMs: 8_000, prompt: 50 });
  expect(first).toMatchObject({ prefill_ms: null, decode_ms: near(500) });
  expect(Math.abs((first?.load_ms ?? 0) / 8_000 - 1)).toBeLessThan(0.05);
  const taught = new Scene();
  for (let i = 0; i < 3; i++) taught.loaded().play("native", { loadMs: 5_000 });
  for (const kind of ["streamed", "whole"] as const)
    expect(taught.loaded().play(kind, { loadMs: 6_000, queueMs: 0 })).toMatchObject({
      load_ms: near(6_000),
      prefill_ms: near(300),
      decode_ms: near(500),
    });
});

test("infers the wait for a slot from the requests before it", () => {
  const scene = new Scene(1).loaded(NEVER).taught();
  const first = scene.begin();
  const second = scene.begin();
  const third = scene.begin();
  const beganMs = scene.nowMs;
  scene.finish(first, "streamed", {});
  const waitedMs = scene.nowMs - beganMs;
  // While it waits, Ollama finds its model loaded and renders its prompt.
  const overlapped = { queueMs: 0, loadMs: 0, prefillMs: 450 };
  expect(scene.finish(second, "streamed", overlapped)).toMatchObject({
    queue_ms: near(waitedMs - 20),
    load_ms: near(20),
    prefill_ms: near(450),
  });
  scene.phases.end(third, scene.nowMs);
  const two = new Scene(2).loaded(NEVER).taught();
  const [, beside] = [two.begin(), two.begin()];
  expect(two.finish(beside, "streamed", {})).toMatchObject({ queue_ms: near(2) });
});

test("a prompt whose caller left may hold its slot, so the next wait is unknown", () => {
  const scene = new Scene(1).loaded(NEVER).taught();
  const left = scene.begin();
  const waits = scene.begin();
  scene.phases.leave(left, scene.nowMs);
  const nothing = { queue_ms: null, prefill_ms: null };
  expect(scene.finish(waits, "streamed", {})).toMatchObject(nothing);
  expect(scene.play("streamed", {})).toMatchObject({ queue_ms: near(2), prefill_ms: near(300) });
  scene.phases.leave(scene.begin(), scene.nowMs);
  expect(scene.play("whole", {})).toMatchObject(nothing);
});

test("a request that is answered out of turn shows that there are more slots", () => {
  const scene = new Scene().loaded(NEVER).taught();
  const first = scene.begin();
  expect(scene.finish(scene.begin(), "streamed", {})).toMatchObject({
    queue_ms: null,
    prefill_ms: null,
  });
  scene.phases.content(first, scene.nowMs);
  expect(scene.finish(scene.begin(), "streamed", {})).toMatchObject({
    queue_ms: near(2),
    prefill_ms: near(300),
  });
});

test("infers nothing that a slow caller, a second request or an expired model would falsify", () => {
  const taught = () => new Scene(2).loaded(NEVER).taught();
  expect(taught().play("streamed", {}, { wasPrompt: false })).toMatchObject({
    prefill_ms: near(300),
    decode_ms: null,
  });
  const busy = taught();
  busy.begin();
  expect(busy.play("whole", {})).toMatchObject({ prefill_ms: null, decode_ms: null });
  const expired = taught();
  expired.loaded({ model: MODEL, expiresMs: expired.nowMs + 100 });
  expired.nowMs += 200;
  expect(expired.play("streamed", {})).toMatchObject({ load_ms: null, prefill_ms: null });
  const stale = taught();
  stale.nowMs += 60_000;
  expect(stale.play("streamed", {})).toMatchObject({ load_ms: null, prefill_ms: null });
});

test("a model that was unloaded between two polls contradicts its pace", () => {
  const scene = new Scene().loaded(NEVER).taught();
  expect(scene.play("streamed", { loadMs: 20_000 })).toMatchObject({
    queue_ms: null,
    load_ms: null,
    prefill_ms: null,
    decode_ms: near(500),
  });
});

test("another model that is loaded may push out this one until the next poll", () => {
  const scene = new Scene().loaded(NEVER).taught().loaded(NEVER);
  scene.phases.end(scene.begin("other"), scene.nowMs);
  const id = scene.begin();
  expect(scene.finish(id, "streamed", {})).toMatchObject({ load_ms: null, prefill_ms: null });
  expect(scene.loaded(NEVER).play("streamed", {})).toMatchObject({ prefill_ms: near(300) });
});

test("a second request for a model that may still be loading has an unknown load", () => {
  const scene = new Scene(2).loaded().taught().loaded();
  const first = scene.begin();
  const second = scene.begin();
  expect(scene.finish(second, "streamed", {})).toMatchObject({ load_ms: null, prefill_ms: null });
  scene.phases.end(first, scene.nowMs);
});

test("tokens without content of their own widen the end of the prompt", () => {
  const scene = new Scene().loaded(NEVER).taught();
  // A tool call of 51 tokens in one part: its prompt was evaluated 49 tokens before it.
  const called = scene.play("streamed", { prefillMs: 300 }, { contentParts: 1 });
  expect(called).toMatchObject({ prefill_ms: null });
});

test("embeddings are all prompt", () => {
  const scene = new Scene().loaded(NEVER).taught();
  const vectors = { contentParts: 0, completionTokens: 0 };
  expect(scene.play("whole", { tokens: 1, prefillMs: 200 }, vectors)).toMatchObject({
    load_ms: near(20),
    prefill_ms: near(200),
    decode_ms: null,
    ttft_ms: null,
  });
});

test("forgets a request that ended without an answer, and keeps a bounded number of models", () => {
  const scene = new Scene(1).loaded(NEVER).taught();
  const cancelled = scene.begin();
  scene.phases.content(cancelled, scene.nowMs);
  scene.phases.leave(cancelled, scene.nowMs);
  expect(scene.phases.finish(cancelled, null)).toBeNull();
  expect(scene.play("streamed", {})).toMatchObject({ queue_ms: near(2) });
  for (let i = 0; i < 100; i++) {
    const id = scene.begin(`model-${i}`);
    scene.phases.end(id, scene.nowMs);
    scene.phases.finish(id, null);
  }
  scene.loaded(NEVER);
  expect(scene.play("streamed", {})).toMatchObject({ queue_ms: null, decode_ms: near(500) });
});

test("a request costs the same however many are open", () => {
  const scene = new Scene(2).loaded(NEVER).taught();
  // Counts each step through a Map: the state of open requests is kept in those.
  const steps = vi.spyOn(Object.getPrototypeOf(new Map().values()), "next");
  const stepsOf = (count: number) => {
    steps.mockClear();
    const ids = Array.from({ length: count }, () => scene.begin());
    for (const id of ids) {
      scene.phases.leave(id, scene.nowMs);
      scene.phases.finish(id, null);
    }
    return steps.mock.calls.length;
  };
  const [few, many] = [stepsOf(100), stepsOf(2_000)];
  steps.mockRestore();
  expect(many).toBeLessThanOrEqual(20 * few);
});

/** The counts of a Box through lost sockets, hibernation and restarts. */
import { expect, test } from "vitest";
import { KeyLimitCounts } from "../../../../worker/box/key-limits.ts";

const GRACE_MS = 30_000;

/** A Box: its storage outlives it, and its sockets outlive its hibernation. */
class Scene {
  readonly #stored = new Map<string, string>();
  readonly #open = new Set<string>();
  #agentSinceMs = 0;
  #counts = this.#started();
  #nowMs = 0;
  /** Reads and writes of the storage. */
  uses = 0;

  /** Returns whether the call is admitted. Its stream has a socket then. */
  offer(id: string, parallel: number | null = 1): boolean {
    const limits = parallel === null ? null : { parallel, requests: null };
    const key = { id: "ada", version: 1, isFresh: false, limits };
    const reached = this.#counts.admit(key, id, this.#nowMs);
    if (reached === null) this.#open.add(id);
    return reached === null;
  }

  close(id: string, { isCounted = true, isLast = true } = {}): void {
    if (isLast) this.#open.delete(id);
    const key = { id: "ada", version: 1, isCounted };
    this.#counts.closed({ kind: "stream", id, model: null, key });
  }

  /** The agent has ended the call, whose socket is still open. */
  end(id: string): void {
    const key = { id: "ada", version: 1, isCounted: true };
    this.#counts.ended({ kind: "stream", id, model: null, key });
  }

  hibernate(): void {
    this.#counts = this.#started();
  }

  /** All sockets are gone, without an event. The agent connects again. */
  restart(): void {
    this.#open.clear();
    this.#agentSinceMs = this.#nowMs;
    this.hibernate();
  }

  pass(ms: number): void {
    this.#nowMs += ms;
  }

  #started(): KeyLimitCounts {
    const scene = this;
    return new KeyLimitCounts(
      {
        get: (name) => {
          this.uses++;
          const text = this.#stored.get(name);
          return text === undefined ? undefined : JSON.parse(text);
        },
        put: (name, value) => {
          this.uses++;
          this.#stored.set(name, JSON.stringify(value));
        },
      },
      {
        holds: (id) => this.#open.has(id),
        get agentSinceMs() {
          return scene.#agentSinceMs;
        },
      },
    );
  }
}

test("the place of a call that a restart cut off is free after the grace period, however often the Box hibernates", () => {
  const scene = new Scene();
  expect(scene.offer("first")).toBe(true);
  scene.restart();
  for (let ms = 0; ms < GRACE_MS; ms += 10_000) {
    expect(scene.offer("next")).toBe(false);
    scene.pass(10_000);
    scene.hibernate();
  }
  scene.pass(1);
  expect(scene.offer("next")).toBe(true);
});

test("a call that attaches again after a restart keeps its place, and frees it at its end", () => {
  const scene = new Scene();
  scene.offer("first");
  scene.restart();
  scene.pass(GRACE_MS);
  expect(scene.offer("first")).toBe(true);
  scene.pass(10 * GRACE_MS);
  scene.hibernate();
  expect(scene.offer("next")).toBe(false);
  scene.close("first");
  expect(scene.offer("next")).toBe(true);
});

test("a call that lost one of its sockets keeps its place", () => {
  const scene = new Scene();
  scene.offer("first");
  scene.pass(10 * GRACE_MS);
  scene.close("first", { isLast: false });
  expect(scene.offer("next")).toBe(false);
});

test("a call that its agent has ended frees its place, once, and may still get its end", () => {
  const scene = new Scene();
  scene.offer("first");
  scene.end("first");
  expect(scene.offer("next")).toBe(true);
  scene.close("first", { isLast: false });
  expect(scene.offer("first")).toBe(true);
  scene.close("first");
  expect(scene.offer("another")).toBe(false);
  expect(scene.offer("first")).toBe(false);
});

test("a call that attaches again, but was never admitted, takes a place or is refused", () => {
  const scene = new Scene();
  expect(scene.offer("lost on its way")).toBe(true);
  expect(scene.offer("lost on its way too")).toBe(false);
});

test("a thousand random ends and restarts admit no call too many, and lose no place", () => {
  const scene = new Scene();
  const open: string[] = [];
  let seed = 1;
  const random = (below: number) => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed % below;
  };
  for (let n = 0; n < 1_000; n++) {
    scene.pass(random(2 * GRACE_MS));
    const isAdmitted = scene.offer(`call-${n}`, 3);
    if (isAdmitted) open.push(`call-${n}`);
    expect(open.length).toBeLessThanOrEqual(3);
    if (random(3) === 0) scene.hibernate();
    if (random(3) === 0) for (const id of open.splice(random(3), 1)) scene.close(id);
    if (random(10) > 0) continue;
    scene.restart();
    for (const id of open.splice(0)) if (random(2) > 0 && scene.offer(id, 3)) open.push(id);
  }
  for (const id of open) scene.close(id);
  scene.pass(GRACE_MS + 1);
  expect(["a", "b", "c", "d"].map((id) => scene.offer(id, 3))).toEqual([true, true, true, false]);
});

test("reads and writes nothing for calls that are not counted", () => {
  const scene = new Scene();
  scene.offer("any", null);
  scene.close("any", { isCounted: false });
  expect(scene.uses).toBe(0);
});

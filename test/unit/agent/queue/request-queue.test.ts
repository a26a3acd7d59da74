import { describe, expect, test } from "vitest";
import type { QueuePlace } from "../../../../agent/queue/fair-queue.ts";
import { RequestQueue } from "../../../../agent/queue/request-queue.ts";
import { Slots } from "../../../../agent/queue/slots.ts";
import { QUEUED_BYTES_MAX, QUEUED_MAX } from "../../../../protocol/limits.ts";

/** A queue before an Ollama that serves in order of arrival and takes the same time for each request. */
class Scene {
  readonly sent: string[] = [];
  readonly full: string[] = [];
  /** Places that requests had when there was no room. */
  readonly fullPlaces: QueuePlace[] = [];
  readonly ended = new Map<string, number>();
  readonly queue: RequestQueue;
  readonly #slots: number;
  readonly #serviceMs: number;
  readonly #shows: "start" | "wait" | "nothing";
  /** Requests with a slot, by the time at which they end. */
  #working: { id: string; endMs: number; waitedMs: number }[] = [];
  #inOllama: { id: string; sentMs: number }[] = [];
  nowMs = 0;

  constructor(plan: {
    given?: number | null;
    slots?: number;
    serviceMs?: number;
    /** Streamed answers show their start, native ones their wait, and those of `/v1` nothing. */
    shows?: "start" | "wait" | "nothing";
  }) {
    const { given = null, slots = 1, serviceMs = 100, shows = "start" } = plan;
    this.queue = new RequestQueue(new Slots(given));
    this.#slots = slots;
    this.#serviceMs = serviceMs;
    this.#shows = shows;
  }

  /** Returns the place of the request; null if it does not wait. */
  enter(id: string, more: { model?: string; bytes?: number } = {}): QueuePlace | null {
    const { model = "m", bytes = 1 } = more;
    const onTurn = () => {
      this.sent.push(id);
      this.#inOllama.push({ id, sentMs: this.nowMs });
    };
    const place = this.queue.enter(
      {
        id,
        lane: id[0] ?? "",
        priority: "normal",
        model,
        bytes,
        onTurn,
        onFull: (had) => {
          this.full.push(id);
          this.fullPlaces.push(had);
        },
      },
      this.nowMs,
    );
    this.#work();
    return place;
  }

  /** Goes to the next end of an answer. Returns false if nothing is left. */
  step(): boolean {
    this.#working.sort((a, b) => a.endMs - b.endMs);
    const next = this.#working.shift();
    if (next === undefined) return false;
    this.nowMs = next.endMs;
    this.ended.set(next.id, this.nowMs);
    const waitedMs = this.#shows === "wait" ? next.waitedMs : null;
    this.queue.leave(next.id, this.nowMs, { waitedMs });
    this.#work();
    return true;
  }

  run(): void {
    while (this.step());
  }

  /** The most requests that Ollama had at once would need this. */
  get withOllama(): number {
    return this.#inOllama.length + this.#working.length;
  }

  #work(): void {
    while (this.#working.length < this.#slots) {
      const next = this.#inOllama.shift();
      if (next === undefined) return;
      const { id, sentMs } = next;
      this.#working.push({
        id,
        endMs: this.nowMs + this.#serviceMs,
        waitedMs: this.nowMs - sentMs,
      });
      if (this.#shows === "start") this.queue.begins(id, this.nowMs);
    }
  }
}

const many = (lane: string, count: number): string[] =>
  Array.from({ length: count }, (_, n) => `${lane}${n}`);

describe("fairness", () => {
  test.each(["start", "wait"] as const)(
    "a caller with 200 requests delays another by at most one service time (answers show their %s)",
    (shows) => {
      const scene = new Scene({ shows });
      for (const id of many("a", 200)) scene.enter(id);
      for (let n = 0; n < 5; n++) scene.step(); // by now it is known that there is one slot
      const waits: number[] = [];
      for (const id of many("b", 20)) {
        scene.nowMs += 37;
        scene.enter(id);
        const enteredMs = scene.nowMs;
        while (!scene.ended.has(id)) scene.step();
        waits.push((scene.ended.get(id) ?? Number.NaN) - enteredMs);
      }
      expect(Math.max(...waits)).toBeLessThanOrEqual(200);
    },
  );

  test("a caller who leaves while waiting costs Ollama nothing", () => {
    const scene = new Scene({ given: 1 });
    for (const id of ["a0", "b0", "c0"]) scene.enter(id);
    scene.queue.leave("b0", 0);
    scene.run();
    expect(scene.sent).toEqual(["a0", "c0"]);
  });

  test("models do not wait for each other here", () => {
    const scene = new Scene({ given: 1 });
    scene.enter("a0", { model: "m" });
    scene.enter("a1", { model: "n" });
    expect(scene.sent).toEqual(["a0", "a1"]);
  });
});

describe("slots", () => {
  test("a request goes to Ollama at once while there are slots, and as soon as one is free", () => {
    const scene = new Scene({ given: 2, slots: 2 });
    for (const id of many("a", 4)) scene.enter(id);
    expect(scene.sent).toEqual(["a0", "a1"]);
    scene.step();
    expect(scene.sent).toEqual(["a0", "a1", "a2"]);
  });

  test.each([
    ["start", 4],
    ["start", 32],
    ["wait", 4],
    ["nothing", 8],
  ] as const)("every slot is used once it is found (answers show %s, %d slots)", (shows, slots) => {
    const scene = new Scene({ slots, shows });
    for (const id of many("a", 200)) scene.enter(id);
    for (let n = 0; n < 60; n++) scene.step();
    expect(scene.withOllama).toBeGreaterThanOrEqual(slots);
  });

  test("with one slot, Ollama has one request and nothing is tried again within a minute", () => {
    const scene = new Scene({});
    for (const id of many("a", 100)) scene.enter(id);
    scene.step();
    scene.step();
    const had: number[] = [];
    while (scene.step()) had.push(scene.withOllama);
    expect(Math.max(...had)).toBe(1);
  });

  test("a request that fails at once shows no slot", () => {
    const scene = new Scene({});
    scene.enter("a0");
    scene.enter("a1");
    scene.queue.leave("a1", 1);
    expect(scene.queue.slots.of("m")).toBe(1);
  });

  test("an answer in one piece that overtakes an earlier one has a slot of its own", () => {
    const scene = new Scene({ shows: "nothing" });
    scene.enter("a0");
    scene.enter("a1");
    scene.queue.leave("a1", 1, { waitedMs: null });
    expect(scene.queue.slots.of("m")).toBe(2);
  });
});

describe("bounds", () => {
  test("the longest lane gives way when too many wait", () => {
    const scene = new Scene({ given: 1 });
    for (const id of many("a", QUEUED_MAX + 1)) scene.enter(id);
    expect(scene.full).toEqual([]);
    scene.enter("a-late");
    scene.enter("b0");
    expect(scene.full).toEqual(["a-late", `a${QUEUED_MAX}`]);
    expect(scene.fullPlaces.map(({ position }) => position)).toEqual([
      QUEUED_MAX + 1,
      QUEUED_MAX + 1,
    ]);
    scene.step();
    expect(scene.sent.at(-1)).toBe("b0");
  });

  test("bodies that wait have a bound, too, which those that left do not use", () => {
    const scene = new Scene({ given: 1 });
    scene.enter("a0", { bytes: QUEUED_BYTES_MAX });
    scene.enter("a1", { bytes: QUEUED_BYTES_MAX });
    scene.enter("b0", { bytes: 1 });
    expect(scene.full).toEqual(["a1"]);
    scene.queue.leave("b0", 0);
    scene.enter("b1", { bytes: QUEUED_BYTES_MAX });
    expect(scene.full).toEqual(["a1"]);
  });
});

test("a request that enters has its place at once, unless it is sent or refused", () => {
  const scene = new Scene({ given: 1 });
  expect(scene.enter("a0")).toBeNull();
  expect(scene.enter("a1")).toEqual({ position: 1, etaMs: null });
  scene.step();
  expect(scene.enter("a2")).toEqual({ position: 1, etaMs: 100 });
  expect(scene.enter("a3")).toEqual({ position: 2, etaMs: 200 });
  expect(scene.enter("b0")).toEqual({ position: 1, etaMs: 100 });
  expect(scene.enter("a4", { bytes: QUEUED_BYTES_MAX })).toBeNull();
});

test("every waiting request has a place", () => {
  const scene = new Scene({ given: 1 });
  for (const id of ["a0", "a1", "a2", "b0", "b1"]) scene.enter(id);
  scene.step();
  expect(scene.queue.places()).toEqual(
    new Map([
      ["a1", { position: 1, etaMs: 100 }],
      ["b1", { position: 2, etaMs: 200 }],
      ["a2", { position: 3, etaMs: 300 }],
    ]),
  );
});

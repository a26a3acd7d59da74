/**
 * The alarm of the Aggregator: each duty in its own time, also after the object was killed, and whatever
 * fails beside it. Time is virtual; the store and the receiver of messages are made up.
 */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { NewTarget } from "../../protocol/api/notifications.ts";
import { READINGS_IDLE_MS } from "../../protocol/limits.ts";
import { Aggregator } from "../../worker/aggregator/aggregator.ts";
import { EventStore } from "../../worker/aggregator/events.ts";
import { gpuOf, helloOf, readingsOf, recordOf, systemOf } from "../support/records.ts";
import { CLICKHOUSE_BINDINGS, clickHouseAnswer } from "./fake-clickhouse.ts";
import { Meter } from "./meter.ts";

const BOX = "atlas";
const SECOND_MS = 1_000;
const HOUR_MS = 3_600_000;
/** Longer than samples wait for their batch. */
const EXPORT_MS = HOUR_MS;
const BINDINGS = {
  ...CLICKHOUSE_BINDINGS,
  METRICS_EXPORT_INTERVAL: String(EXPORT_MS / SECOND_MS),
};
const RECEIVER = "https://receiver.example/hook";

const meter = new Meter();
/** When something reached the store, and when a message was sent, unix ms. */
const reached: { store: number[]; receiver: number[] } = { store: [], receiver: [] };

beforeEach(async () => {
  await meter.start();
  reached.store = [];
  reached.receiver = [];
  vi.spyOn(globalThis, "fetch").mockImplementation(async (url, init) => {
    const isMessage = String(url).startsWith(RECEIVER);
    const times = isMessage ? reached.receiver : reached.store;
    if (times.at(-1) !== meter.nowMs) times.push(meter.nowMs);
    return isMessage ? new Response(null) : clickHouseAnswer(String(init?.body));
  });
});
afterEach(() => {
  meter.stop();
  vi.restoreAllMocks();
});

/** An Aggregator that can be killed: the next one finds only what is in storage. */
class Killable {
  object: Aggregator;
  alarms = 0;
  readonly #state: DurableObjectState;

  constructor(state: DurableObjectState) {
    this.#state = state;
    this.object = this.#started();
  }

  async kill(): Promise<void> {
    this.object = this.#started();
    // The platform lets no call in before the object has read its alarm.
    await scheduler.wait(0);
  }

  async pass(ms: number): Promise<void> {
    const alarm = () => {
      this.alarms++;
      return this.object.alarm();
    };
    await meter.pass(ms, { storage: this.#state.storage, alarm });
    await meter.untilOver();
  }

  /** Reports the readings of an idle box. */
  async read(): Promise<void> {
    const { nowMs } = meter;
    const [gpu, system] = [gpuOf(BOX, nowMs), systemOf(nowMs)];
    await this.object.read(BOX, readingsOf(nowMs, ["llama3.2:latest"], [gpu], [], [system]));
    await meter.untilOver();
  }

  async ingest(n: number): Promise<void> {
    await this.object.ingest([recordOf(meter.nowMs - SECOND_MS, {}, n)], true);
    await meter.untilOver();
  }

  async addTarget(): Promise<void> {
    const target = NewTarget.parse({ kind: "webhook", url: RECEIVER });
    await this.object.targets({ act: "add", target });
  }

  #started(): Aggregator {
    return new Aggregator(this.#state, { ...env, ...BINDINGS });
  }
}

const onKillable = (work: (edge: Killable) => Promise<void>): Promise<void> =>
  runInDurableObject(env.AGGREGATOR.getByName(`wakes-${crypto.randomUUID()}`), (_, state) =>
    work(new Killable(state)),
  );

test.each([["that stays in memory"], ["that is killed between all readings"]])(
  "an edge %s reaches its store once an interval, although a target makes alarms frequent",
  async (edgeName) => {
    await onKillable(async (edge) => {
      const housekeeping = vi.spyOn(EventStore.prototype, "deleteOld");
      edge.object.connected(helloOf(BOX));
      await edge.addTarget();
      const hours = 4;
      for (let passedMs = 0; passedMs < hours * HOUR_MS; passedMs += READINGS_IDLE_MS) {
        await edge.read();
        if (edgeName.includes("killed")) await edge.kill();
        await edge.pass(READINGS_IDLE_MS);
      }
      const pauses = reached.store.slice(1).map((atMs, n) => atMs - (reached.store[n] ?? 0));
      expect(Math.min(...pauses)).toBeGreaterThanOrEqual(EXPORT_MS);
      expect(reached.store.length).toBeGreaterThanOrEqual(hours - 1);
      // They looked for boxes that went silent.
      expect(edge.alarms).toBeGreaterThan(8 * hours);
      // The next one is due when the first sample expires.
      expect(housekeeping).toHaveBeenCalledTimes(1);
    });
  },
);

test("a record that waits for its interval is exported in time after the object was killed", () =>
  onKillable(async (edge) => {
    edge.object.connected(helloOf(BOX));
    await edge.ingest(0);
    const [firstMs = 0] = reached.store;
    await edge.pass(SECOND_MS);
    await edge.ingest(1);
    expect(reached.store).toEqual([firstMs]);
    await edge.kill();
    await edge.pass(2 * EXPORT_MS);
    expect(reached.store).toEqual([firstMs, firstMs + EXPORT_MS]);
    expect(edge.object.observed().stores[0]?.health.backlog).toBe(0);
  }));

test("housekeeping that fails holds up neither messages nor exports, and is done later", () =>
  onKillable(async (edge) => {
    vi.spyOn(console, "error").mockReturnValue();
    const housekeeping = vi.spyOn(EventStore.prototype, "deleteOld").mockImplementation(() => {
      throw new Error("planted");
    });
    edge.object.connected(helloOf(BOX));
    await edge.addTarget();
    await edge.ingest(0);
    await edge.pass(SECOND_MS);
    await edge.ingest(1);
    await edge.pass(EXPORT_MS);
    expect(reached.store).toHaveLength(2);
    expect(reached.receiver, "the box is silent").toHaveLength(1);
    const tries = housekeeping.mock.calls.length;
    expect(tries).toBeGreaterThan(1);
    expect(tries, "longer and longer pauses").toBeLessThan(10);
    housekeeping.mockReset();
    await edge.pass(2 * HOUR_MS);
    expect(housekeeping).toHaveBeenCalledTimes(1);
  }));

/**
 * The bill of what happens to the records of requests: their delivery to a store, their counts by key and for
 * limits, and their deletion. Fails if one of them costs more than docs/cost.md states.
 */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterAll, beforeAll, test } from "vitest";
import type { KeyLimits } from "../../protocol/api/key-limits.ts";
import { READINGS_IDLE_MS } from "../../protocol/limits.ts";
import { newRequestId } from "../../protocol/request-id.ts";
import { Aggregator } from "../../worker/aggregator/aggregator.ts";
import type { Bindings } from "../../worker/env.ts";
import { RETENTION } from "../../worker/retention.ts";
import { scaled, type Units } from "../support/cost/bill.ts";
import { callUse, limitsOf } from "../support/key-limits.ts";
import { gpuOf, helloOf, readingsOf, recordOf, systemOf } from "../support/records.ts";
import { CLICKHOUSE_BINDINGS, clickHouseAnswer } from "./fake-clickhouse.ts";
import { Meter } from "./meter.ts";
import { LATENCY_MS, recordCost, type Special, STREAM_MS, settle } from "./record-cost.ts";
import { expectMillionStated, expectStated } from "./stated-cost.ts";

const DAY_MS = 24 * 3_600_000;
/** Two hours of requests, of which each is deleted on its own. */
const DELETED = 730;
const meter = new Meter();
const plainCosts = new Map<number, Promise<Units>>();

beforeAll(() => meter.start());
afterAll(() => meter.stop());

/** Returns the cost of a record with nothing special. Counted once. */
function plainCost(callers: number): Promise<Units> {
  const known = plainCosts.get(callers) ?? recordCost(meter, callers);
  plainCosts.set(callers, known);
  return known;
}

/** Returns the units that `more` adds to a record. */
async function addedCost(callers: number, more: Special): Promise<Units> {
  const whole = await recordCost(meter, callers, more);
  return scaled(await plainCost(callers), -1, whole);
}

const COLLECTOR = { OTEL_EXPORTER_OTLP_ENDPOINT: "https://collector.example:4318" };

/** Calls `count` while the answers of ClickHouse or of a collector are made up. */
async function delivering(settings: object, count: () => Promise<Units>): Promise<Units> {
  const realFetch = globalThis.fetch;
  globalThis.fetch = async (_, init) => {
    meter.subrequest();
    return settings === COLLECTOR ? new Response("{}") : clickHouseAnswer(String(init?.body));
  };
  try {
    return await count();
  } finally {
    globalThis.fetch = realFetch;
  }
}

/** In this time, an idle box fills twelve batches of samples. */
const SAMPLED_MS = 12 * 13 * READINGS_IDLE_MS;

/** Returns the units of the readings of an idle box in a month. */
function samplesCost(settings: Partial<Bindings>): Promise<Units> {
  const stub = env.AGGREGATOR.getByName(`cost-${crypto.randomUUID()}`);
  return runInDurableObject(stub, async (_, state) => {
    const object = new Aggregator(state, { ...env, ...settings });
    const alarmed = { storage: state.storage, alarm: () => object.alarm() };
    const idle = async (ms: number) => {
      for (let passedMs = 0; passedMs < ms; passedMs += READINGS_IDLE_MS) {
        await meter.pass(READINGS_IDLE_MS, alarmed);
        const { nowMs } = meter;
        const [gpu, system] = [gpuOf("atlas", nowMs), systemOf(nowMs)];
        await object.read("atlas", readingsOf(nowMs, ["llama3.2:latest"], [gpu], [], [system]));
        await meter.untilOver();
      }
    };
    object.connected(helloOf("atlas"));
    await meter.passToHour(alarmed);
    await idle(SAMPLED_MS / 6);
    return scaled(await meter.of(() => idle(SAMPLED_MS)), (30 * DAY_MS) / SAMPLED_MS);
  });
}

/** Returns the units of deleting a request when its time is over: its row, and its part of the counters. */
function deletionCost(settings: Partial<Bindings> = {}): Promise<Units> {
  const stub = env.AGGREGATOR.getByName(`cost-${crypto.randomUUID()}`);
  return runInDurableObject(stub, async (_, state) => {
    const object = new Aggregator(state, { ...env, ...settings });
    const alarmed = { storage: state.storage, alarm: () => object.alarm() };
    const one = async () => {
      await meter.pass(STREAM_MS, alarmed);
      await object.ingest([recordOf(meter.nowMs - STREAM_MS, { latency_ms: LATENCY_MS })], true);
    };
    await settle(meter, alarmed, one);
    object.dataSummary(); // stores the counters, so that the next hour of them begins now
    for (let each = 0; each < DELETED; each++) await one();
    const units = await meter.of(() => meter.pass(RETENTION.logsMs + 2 * DAY_MS, alarmed));
    return scaled(units, 1 / DELETED);
  });
}

test.each([
  ["a store", CLICKHOUSE_BINDINGS, 1],
  ["a store", CLICKHOUSE_BINDINGS, 16],
  ["a collector", COLLECTOR, 1],
] as const)("a delivery to %s costs what the page states", async (name, settings, callers) => {
  const units = await delivering(settings, () => addedCost(callers, { settings }));
  const requests = Math.round(units.subrequests * callers);
  const row = `their delivery to ${name}, ${callers} at once, requests to it: ${requests} each time`;
  expectMillionStated(meter, row, units);
});

test.each([
  ["a store", CLICKHOUSE_BINDINGS],
  ["a collector", COLLECTOR],
] as const)("a month of samples to %s costs what the page states", async (name, settings) => {
  const units = await delivering(settings, async () =>
    scaled(await samplesCost({}), -1, await samplesCost(settings)),
  );
  const requests = Math.round(units.subrequests).toLocaleString("en");
  const row = `a month of the samples of an idle box to ${name}, requests to it: ${requests}`;
  expectStated(meter, row, units);
});

test("counting by key costs what the page states", async () => {
  const units = await addedCost(1, { record: { key_id: "caller" } });
  expectMillionStated(meter, "their counts by key, 1 at once", units);
});

test.each([
  ["their deletion a week later, 1 at once", {}],
  ["their deletion, the texts after a day, 1 at once", { RETENTION_TEXTS_HOURS: "24" }],
])("%s: costs what the page states", async (name, settings) =>
  expectMillionStated(meter, name, await deletionCost(settings)),
);

/** Counts a call of a key with limits, as its Box and the Aggregator do. */
async function limitedCost(limits: KeyLimits, isSettled: boolean): Promise<Units> {
  const quota = env.QUOTA.getByName(`cost-${crypto.randomUUID()}`);
  const call = { id: newRequestId(meter.nowMs), box: "atlas", isResume: false };
  return meter.of(async () => {
    await quota.admit(call, limits);
    await quota.end(call.id, call.box);
    if (isSettled) await quota.settle({ [call.id]: callUse({ tokens: 300 }) });
  });
}

/**
 * A single call is counted, so the two rows of a concern that begins in it would double its cost. A count
 * without them is the cost; one that has grown is too high each time.
 */
const WITHOUT_CONCERN = { retry: 2 };

test.each([
  ["their count for a key with limits of calls", limitsOf({ parallel: 2 }), false],
  ["their count for a key with limits of tokens", limitsOf({ tokens: { day: 1_000 } }), true],
])("%s costs what the page states", WITHOUT_CONCERN, async (name, limits, isSettled) =>
  expectMillionStated(meter, name, await limitedCost(limits, isSettled)),
);

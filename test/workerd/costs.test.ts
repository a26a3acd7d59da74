/**
 * The bill: what a request, an idle box, a scrape and an open page cost on Cloudflare. Fails if one of
 * them costs more than docs/cost.md states.
 */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import COST_PAGE from "../../docs/cost.md?raw";
import { FrameType, NO_PAYLOAD, tunnelFrame } from "../../protocol/frames.ts";
import { READINGS_IDLE_MS, READINGS_WATCHED_MS, WATCHED_FOR_MS } from "../../protocol/limits.ts";
import type { RequestRecord } from "../../protocol/records.ts";
import { Aggregator } from "../../worker/aggregator/aggregator.ts";
import { CLICKHOUSE_TABLES } from "../../worker/export/clickhouse/schema.ts";
import { forgetBoxes } from "../../worker/gateway/known-fleet.ts";
import { dollarsOf, scaled, type Units, WORKER_CPU_MS } from "../support/cost/bill.ts";
import { CALLERS, STREAM_MESSAGES, TOKEN_MS, TOKENS } from "../support/cost/stream-messages.ts";
import { gpuOf, readingsOf, recordOf, systemOf } from "../support/records.ts";
import { call, chat, eventually, textOf } from "./calls.ts";
import { FakeAgent } from "./fake-agent.ts";
import { type Alarmed, Meter, theAggregator } from "./meter.ts";

const METER_ID = crypto.randomUUID();
const BOX = "atlas";
const STREAM_MS = TOKENS * TOKEN_MS;
const HOUR_MS = 3_600_000;
const MONTH_MS = 30 * 24 * HOUR_MS;
const meter = new Meter();
let aggregator: Alarmed;
let agent: FakeAgent;
let watchedUntilMs = 0;
let position = 0;
let sentReadings = 0;

beforeAll(async () => {
  await meter.start();
  aggregator = await theAggregator();
  agent = await FakeAgent.connect(BOX);
  sendReadings();
  // As an agent does: sends readings at once, and at the quick pace for a while.
  void agent.each(FrameType.watch, () => {
    watchedUntilMs = meter.nowMs + WATCHED_FOR_MS;
    sendReadings();
  });
});
afterAll(() => meter.stop());

function sendReadings(): void {
  const { nowMs } = meter;
  const gpu = gpuOf(BOX, nowMs);
  const readings = readingsOf(nowMs, ["llama3.2:latest"], [gpu], [], [systemOf(nowMs)]);
  // An idle H100, by its meter since the agent started.
  const seconds = nowMs / 1_000;
  const nothing = { joules: 0, seconds: 0 };
  const energy = { active: nothing, loaded: nothing, idle: { joules: 72.6 * seconds, seconds } };
  const gpu_energy = {
    meter_id: METER_ID,
    gpus: [{ index: 0, uuid: "GPU-1", name: "H100", energy }],
  };
  agent.send(tunnelFrame(FrameType.readings, { ...readings, gpu_energy }));
  sentReadings++;
}

/** Waits until the Aggregator has all readings: the next ones come at another time. */
async function untilRead(): Promise<void> {
  await eventually(async () => (meter.handled("read") === sentReadings ? true : undefined));
}

const pass = (ms: number) => meter.pass(ms, aggregator);

/** Begins `callers` streams at once, which end together a while later, like their records. */
async function round(callers: number): Promise<void> {
  const answers = Array.from({ length: callers }, () => chat(BOX, "llama3.2"));
  const streams: string[] = [];
  for (let each = 0; each < callers; each++) {
    const { stream } = await agent.next(FrameType.open);
    streams.push(stream);
    const payload = new TextEncoder().encode('{"done":false}\n');
    agent.send(
      { type: FrameType.head, stream, seq: 0, payload: new TextEncoder().encode(HEAD) },
      { type: FrameType.data, stream, seq: 1, payload },
    );
  }
  await pass(STREAM_MS);
  for (const stream of streams)
    agent.send({ type: FrameType.end, stream, seq: 2, payload: NO_PAYLOAD });
  for (const answer of answers) await textOf(await answer);
  const startedMs = meter.nowMs - STREAM_MS;
  const records = streams.map((id, n) => ({
    ...recordOf(startedMs, { latency_ms: STREAM_MS, completion_tokens: TOKENS }, n),
    request_id: id,
  }));
  agent.send(tunnelFrame(FrameType.records, { position: ++position, records }));
  await agent.next(FrameType.recorded);
  agent.frames.splice(0);
  await untilRead();
  await meter.untilOver();
}

const HEAD = JSON.stringify({ status: 200, headers: [["content-type", "application/x-ndjson"]] });
/** A stream of the test above has this many messages of its agent; a real one as many as its tokens need. */
const ROUND_MESSAGES = 2;

async function requestCost(callers: (typeof CALLERS)[number], rounds: number): Promise<Units> {
  await round(callers); // the first one finds no counters yet
  const units = await meter.of(async () => {
    for (let each = 0; each < rounds; each++) await round(callers);
  });
  const each = scaled(units, 1 / (rounds * callers));
  return {
    ...each,
    messages: each.messages - ROUND_MESSAGES + STREAM_MESSAGES[callers],
    workerRequests: 1,
    cpuMs: WORKER_CPU_MS,
  };
}

/** Lets time pass at the pace of an agent that nobody uses, calling `read` at its interval. */
async function idle(spanMs: number, everyMs: number, read: () => Promise<unknown>): Promise<void> {
  const endMs = meter.nowMs + spanMs;
  let readAtMs = meter.nowMs + everyMs;
  let reportAtMs = meter.nowMs + READINGS_IDLE_MS;
  while (meter.nowMs < endMs) {
    const quickMs = meter.nowMs + READINGS_WATCHED_MS;
    const nextMs = Math.min(readAtMs, quickMs <= watchedUntilMs ? quickMs : reportAtMs);
    await pass(nextMs - meter.nowMs);
    if (meter.nowMs === readAtMs) {
      await read();
      readAtMs += everyMs;
    } else {
      sendReadings();
      reportAtMs = meter.nowMs + READINGS_IDLE_MS;
    }
    await untilRead();
  }
}

async function monthCost(
  spanMs: number,
  everyMs: number,
  read: () => Promise<unknown>,
): Promise<Units> {
  await idle(spanMs / 6, everyMs, read);
  return scaled(await meter.of(() => idle(spanMs, everyMs, read)), MONTH_MS / spanMs);
}

type Edge = { settings?: Record<string, string>; record?: Partial<RequestRecord> };

/** Returns the cost of a request's record on an Aggregator of its own. */
function recordCost(
  callers: number,
  rounds: number,
  { settings, record }: Edge = {},
): Promise<Units> {
  const stub = env.AGGREGATOR.getByName(`cost-${crypto.randomUUID()}`);
  return runInDurableObject(stub, async (_, state) => {
    const object = new Aggregator(state, { ...env, ...settings });
    const alarmed = { storage: state.storage, alarm: () => object.alarm() };
    const one = async () => {
      await meter.pass(STREAM_MS, alarmed);
      const records = Array.from({ length: callers }, (_, n) => {
        return recordOf(meter.nowMs - STREAM_MS, { latency_ms: STREAM_MS, ...record }, n);
      });
      await object.ingest(records, true);
      await meter.untilOver();
    };
    await meter.passToHour(alarmed);
    await one();
    const units = await meter.of(async () => {
      for (let each = 0; each < rounds; each++) await one();
    });
    return scaled(units, 1 / (rounds * callers));
  });
}

/** Returns the units that `more` adds to a request. */
async function addedCost(callers: number, rounds: number, more: Edge): Promise<Units> {
  const whole = await recordCost(callers, rounds, more);
  return scaled(await recordCost(callers, rounds), -1, whole);
}

/** The answers of ClickHouse are made up. */
async function storeCost(callers: number, rounds: number): Promise<Units> {
  const realFetch = globalThis.fetch;
  const columns = CLICKHOUSE_TABLES.flatMap(({ name: table, columns }) =>
    columns.map(([name, type]) => JSON.stringify({ table, name, type })),
  );
  globalThis.fetch = async () => new Response(`${columns.join("\n")}\n`);
  const settings = {
    EXPORTER_TYPE: "clickhouse",
    CLICKHOUSE_URL: "https://clickhouse.example:8443",
    CLICKHOUSE_USER: "edge",
    CLICKHOUSE_PASSWORD: "a-password",
  };
  try {
    return await addedCost(callers, rounds, { settings });
  } finally {
    globalThis.fetch = realFetch;
  }
}

/** The page rounds its figures. */
const ROUNDING = 1.02;
/** A figure that fell by more than this belongs on the page. */
const OUTDATED = 0.95;

/**
 * Compares a sum with the page. Without the time that objects are awake: it depends on the machine, and
 * is a hundredth of the sum.
 */
function expectStated(name: string, units: Units): void {
  const dollars = dollarsOf({ ...units, awakeMs: 0 });
  const row = COST_PAGE.split("\n").find((line) => line.startsWith(`| ${name} |`)) ?? "";
  const stated = Number(/\*\*\$([\d.]+)\*\*/.exec(row)?.[1]);
  const written = JSON.stringify(Object.fromEntries(meter.written));
  const sum = `${name}: $${dollars.toFixed(4)}, ${JSON.stringify(units)}, written ${written}`;
  console.log(sum);
  expect(dollars, `docs/cost.md states less. ${sum}`).toBeLessThanOrEqual(stated * ROUNDING);
  expect(dollars, `docs/cost.md states more. ${sum}`).toBeGreaterThan(stated * OUTDATED);
}

/** A thousand streams or a thousand scrapes: seconds, and minutes on a machine with other work. */
vi.setConfig({ testTimeout: 150_000 });

/**
 * Counts again, at most twice: beside all other tests, a count in a hundred had the rows of one or two
 * more checkpoints of the counters, for a reason that is not known. A failure names its rows by table. A
 * cost that has grown is too high each time.
 */
const COUNTED_AGAIN = { retry: 2 };

/** In more than ten minutes the counters are stored, which more callers share than are worth waiting for. */
const ROUNDS = { 1: 122, 4: 64, 16: 16, 64: 3 } as const;
/** Two hours: the cursor of a delivery is stored every half hour. */
const STORE_ROUNDS = 730;
const MILLION = 1_000_000;

test.each(CALLERS)(
  "a million requests cost what the page states, %d at once",
  COUNTED_AGAIN,
  async (callers) => {
    const units = await requestCost(callers, ROUNDS[callers]);
    expectStated(`1,000,000 requests, ${callers} at once`, scaled(units, MILLION));
  },
);

test.each([1, 16] as const)(
  "a delivery to a store costs what the page states, %d at once",
  COUNTED_AGAIN,
  async (callers) => {
    const units = await storeCost(callers, STORE_ROUNDS);
    expectStated(`their delivery to a store, ${callers} at once`, scaled(units, MILLION));
  },
);

const scrape = () => call("/api/metrics").then(textOf);
const MONTHS: [name: string, hours: number, everyMs: number, read: () => Promise<unknown>][] = [
  ["an idle box", 6, Number.POSITIVE_INFINITY, async () => {}],
  ["an idle box, scraped every 30 s", 3, 30_000, scrape],
  ["an idle box, one page open", 0.25, 5_000, () => call("/api/live").then(textOf)],
];
test.each(MONTHS)(
  "a month of %s costs what the page states",
  COUNTED_AGAIN,
  async (name, hours, everyMs, read) => {
    forgetBoxes();
    expectStated(`a month of ${name}`, await monthCost(hours * HOUR_MS, everyMs, read));
  },
);

// Comes last: its hours would move the daily housekeeping into the span of a month above.
test("counting by key costs what the page states", COUNTED_AGAIN, async () => {
  const units = await addedCost(1, STORE_ROUNDS, { record: { key_id: "caller" } });
  expectStated("their counts by key, 1 at once", scaled(units, MILLION));
});

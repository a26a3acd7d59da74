/**
 * The bill: what a request, an idle box, a scrape and an open page cost on Cloudflare. Fails if one of
 * them costs more than docs/cost.md states.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { everyMsOf } from "../../dashboard/shape/history.ts";
import { READ_EVERY_MS } from "../../dashboard/shape/read-pace.ts";
import { FrameType, NO_PAYLOAD, tunnelFrame } from "../../protocol/frames.ts";
import { READINGS_IDLE_MS, READINGS_WATCHED_MS, WATCHED_FOR_MS } from "../../protocol/limits.ts";
import { forgetBoxes } from "../../worker/gateway/known-fleet.ts";
import { NO_UNITS, scaled, type Units, WORKER_CPU_MS } from "../support/cost/bill.ts";
import { CALLERS, STREAM_MESSAGES, TOKENS } from "../support/cost/stream-messages.ts";
import { gpuOf, readingsOf, recordOf, systemOf } from "../support/records.ts";
import { call, chat, eventually, textOf } from "./calls.ts";
import { FakeAgent } from "./fake-agent.ts";
import { type Alarmed, Meter, theAggregator } from "./meter.ts";
import { LATENCY_MS, recordCost, STREAM_MS } from "./record-cost.ts";
import { expectMillionStated, expectStated } from "./stated-cost.ts";

const METER_ID = crypto.randomUUID();
const BOX = "atlas";
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
    ...recordOf(startedMs, { latency_ms: LATENCY_MS, completion_tokens: TOKENS }, n),
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
  await round(1);
  const units = await meter.of(async () => {
    for (let each = 0; each < rounds; each++) await round(callers);
  });
  const each = scaled(units, 1 / (rounds * callers));
  // Counters are written once an hour, which 64 callers would have to wait for too long.
  const counted = callers === 64 ? each : await recordCost(meter, callers);
  return {
    ...each,
    rowsWritten: counted.rowsWritten,
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
  // Past the writes at the full hour, which a short span would count too often.
  await meter.passToHour(aggregator);
  await idle(spanMs / 6, everyMs, read);
  return scaled(await meter.of(() => idle(spanMs, everyMs, read)), MONTH_MS / spanMs);
}

/** A thousand streams or a thousand scrapes: seconds, and minutes on a machine with other work. */
/** The fleet is refreshed in each fourth round; in one of 64 streams, that is nothing. */
const ROUNDS = { 1: 4, 4: 4, 16: 4, 64: 2 } as const;

test.each(CALLERS)("a million requests cost what the page states, %d at once", async (callers) =>
  expectMillionStated(
    meter,
    `1,000,000 requests, ${callers} at once`,
    await requestCost(callers, ROUNDS[callers]),
  ),
);

/** Returns the reads of the Overview at its usual range, and how often it repeats each. */
function overviewReads(): [path: string, everyMs: number][] {
  const [since, until] = [iso(meter.nowMs - HOUR_MS), iso(meter.nowMs)];
  const logs = `/api/stats/logs?since=${since}&limit=4&texts=short`;
  const { events, gpus, slowAndFailed, before, explanation } = READ_EVERY_MS;
  return [
    ["/api/stats/activity?seconds=3600&split=model,box", everyMsOf("1h")],
    [`/api/stats/activity?since=${since}&until=${until}`, before],
    ["/api/events?kind=tunnel_cut,tunnel_back,concern_opened&limit=40", events],
    ["/api/gpu/history?time_range=15m&max_points=60", gpus],
    [`${logs}&status=error`, slowAndFailed],
    [`${logs}&status=success&sort=latency`, slowAndFailed],
    ["/api/stats/explanation?seconds=3600&time_zone=UTC", explanation],
  ];
}

const iso = (ms: number): string => new Date(ms).toISOString();

test("a month of the reads of an open Overview costs what the page states", async () => {
  let sum = NO_UNITS;
  for (const [path, everyMs] of overviewReads()) {
    const read = async () => {
      const answer = await call(path);
      expect(answer.status, path).toBe(200);
      await textOf(answer);
    };
    // The first one builds what later ones find, and may make the agent send readings.
    await read();
    await untilRead();
    await meter.untilOver();
    const once = { ...(await meter.of(read)), workerRequests: 1, cpuMs: WORKER_CPU_MS };
    sum = scaled(once, MONTH_MS / everyMs, sum);
  }
  expectStated(meter, "a month of the reads of an open Overview, 743,040 of the Worker", sum);
});

/** Calls a method of the tools for models. */
async function mcp(method: string, params: object = {}): Promise<void> {
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
  const headers = { "content-type": "application/json" };
  const answer = await call("/mcp", { method: "POST", headers, body });
  expect(JSON.parse(await textOf(answer))).toMatchObject({ result: {} });
}

const HELLO = { protocolVersion: "2025-11-25" };
const liveTool = () => mcp("tools/call", { name: "live", arguments: {} });

test.each([
  ["greetings and lists of tools", 2, () => mcp("initialize", HELLO).then(() => mcp("tools/list"))],
  ["calls of the tool `live`", 1, liveTool],
  ["calls of the tool `logs`", 1, () => mcp("tools/call", { name: "logs", arguments: {} })],
] as const)("a million %s cost what the page states", async (name, workerRequests, read) => {
  const units = await meter.of(async () => {
    await read();
    await meter.untilOver();
  });
  const cpuMs = workerRequests * WORKER_CPU_MS;
  expectMillionStated(meter, `1,000,000 ${name}`, { ...units, workerRequests, cpuMs });
});

const scrape = () => call("/api/metrics").then(textOf);
const MONTHS: [name: string, hours: number, everyMs: number, read: () => Promise<unknown>][] = [
  ["an idle box", 6, Number.POSITIVE_INFINITY, async () => {}],
  ["an idle box, scraped every 30 s", 1.6, 30_000, scrape],
  ["an idle box, its tool `live` called every minute", 0.25, 60_000, liveTool],
  ["an idle box, one page open", 0.125, 5_000, () => call("/api/live").then(textOf)],
];
test.each(MONTHS)(
  "a month of %s costs what the page states",
  async (name, hours, everyMs, read) => {
    forgetBoxes();
    expectStated(meter, `a month of ${name}`, await monthCost(hours * HOUR_MS, everyMs, read));
  },
);

/**
 * An hour of a box with one planted cause, as the edge sees it: its records and readings pass the code that
 * the Aggregator runs, up to the incidents of which somebody gets a message.
 */
import type { SinkHealth } from "../../../../../protocol/api/fleet.ts";
import type { Readings } from "../../../../../protocol/inventory.ts";
import type { GpuSample, RequestRecord } from "../../../../../protocol/records.ts";
import { Bypasses } from "../../../../../worker/aggregator/bypasses.ts";
import { RecentCalls } from "../../../../../worker/aggregator/recent-calls.ts";
import { type Incident, judge } from "../../../../../worker/alerting/incidents.ts";
import { boxesState } from "../../../../../worker/answers/boxes.ts";
import { concernsOf } from "../../../../../worker/answers/concerns.ts";
import { type RegisteredBox, statusOf } from "../../../../../worker/registered-box.ts";
import { VERSION } from "../../../../../worker/version.ts";
import { gpuOf, helloOf, readingsOf, systemOf } from "../../../../support/records.ts";
import { seeded } from "../../../../support/seeded.ts";
import { liveOf } from "../../../dashboard/live.ts";
import { NOW, PLANTED_AT, recordsOf } from "./labelled-trace.ts";
import {
  type Between,
  LARGEST_BYTES,
  type Machine,
  oneOf,
  type Planted,
} from "./planted-causes.ts";

const BOX = "atlas";
const MINUTE = 60_000;
const READ_EVERY_MS = 30_000;
const JUDGE_EVERY_MS = 2 * MINUTE;
const GIB = 2 ** 30;

/** Returns the incidents of an hour, in order of their beginning. */
export function incidentsOf({ plant }: Planted, seed: number): Incident[] {
  const random = seeded(seed + 1_000_000);
  const between: Between = (low, high) => low + (high - low) * random();
  const { calls, fromMs = PLANTED_AT, changed } = plant(between);
  const records = recordsOf(calls, seed).toSorted((a, b) => endOf(a) - endOf(b));
  const spans = records
    .map((record): Span => [Date.parse(record.started_at), endOf(record)])
    .filter(([, endMs]) => endMs >= PLANTED_AT - 11 * MINUTE);
  const [recent, bypasses] = [new RecentCalls({ newest: () => [] }), new Bypasses()];
  recent.damage(0);
  const machine = calmMachine(between);
  let incidents: Incident[] = [];
  const opened: Incident[] = [];
  let [next, isPlanted] = [0, false];
  for (let nowMs = PLANTED_AT - 10 * MINUTE; nowMs <= NOW; nowMs += READ_EVERY_MS) {
    for (let record = records[next]; record && endOf(record) <= nowMs; record = records[++next]) {
      recent.add(record);
      bypasses.add(record);
    }
    if (nowMs >= fromMs && !isPlanted) {
      changed?.(machine);
      isPlanted = true;
    }
    const readings = readingsAt(nowMs, machine, spans, between);
    bypasses.read(BOX, readings);
    if ((nowMs - PLANTED_AT) % JUDGE_EVERY_MS !== 0) continue;
    const box = registered(nowMs, machine, readings);
    const { boxes } = boxesState([box], [statusOf(box, nowMs)], nowMs);
    const concerns = concernsOf({
      boxes,
      recent: liveOf({}).recent,
      queueDepth: 0,
      isRecording: true,
      repositoryError: null,
      untrusted: [],
      recentByModel: [],
      thresholds: [],
      stores: [storeOf(machine.storeBacklog)],
      largest: [{ box: BOX, name: "deepseek-r1:671b", size_bytes: LARGEST_BYTES }],
      bypassed: bypasses.all(),
      damage: recent.damage(nowMs),
      nowMs,
    });
    const judged = judge(incidents, concerns, nowMs);
    ({ incidents } = judged);
    opened.push(...judged.opened);
  }
  // As they are now: a cause may become known later than its incident.
  const newest = new Map(incidents.map((incident) => [incident.key, incident]));
  return opened.map((incident) => newest.get(incident.key) ?? incident);
}

/** The start and the end of a request. */
type Span = [startMs: number, endMs: number];

const endOf = ({ started_at, latency_ms }: RequestRecord): number =>
  Date.parse(started_at) + latency_ms;

const calmMachine = (between: Between): Machine => ({
  // The GPU shows a desktop.
  busyPercent: between(0, 15),
  temperatureC: between(40, 82),
  throttleReasons: oneOf([[], ["gpu_idle"]], between),
  gpuError: null,
  hasGpu: true,
  ollamaError: null,
  sizeBytes: 8 * GIB,
  vramBytes: 8 * GIB,
  freeBytes: between(151, 900) * GIB,
  skewMs: between(-3_000, 3_000),
  agentVersion: oneOf([VERSION, "0.1.1"], between),
  storeBacklog: between(0, 9_000),
});

function readingsAt(
  nowMs: number,
  machine: Machine,
  spans: readonly Span[],
  between: Between,
): Readings {
  const openAt = (atMs: number) => spans.filter(([start, end]) => start <= atMs && end > atMs);
  const samples = [20_000, 10_000, 0].map((ago) =>
    sampleAt(nowMs - ago, openAt(nowMs - ago).length > 0, machine, between),
  );
  const readings = readingsOf(
    nowMs + machine.skewMs,
    ["llama3.2:latest"],
    machine.gpuError === null && machine.hasGpu ? samples : [],
    ["llama3.2:latest"],
    [
      systemOf(nowMs, {
        disk_total_bytes: 1_000 * GIB,
        disk_used_bytes: 1_000 * GIB - machine.freeBytes,
      }),
    ],
  );
  const { sizeBytes: size_bytes, vramBytes: size_vram_bytes, ollamaError, gpuError } = machine;
  for (const model of readings.inventory.loaded)
    Object.assign(model, { size_bytes, size_vram_bytes });
  return {
    ...readings,
    now_ms: nowMs + machine.skewMs,
    in_flight: openAt(nowMs).length,
    inventory: {
      ...readings.inventory,
      ...(ollamaError === null ? {} : { reachable: false, error: ollamaError }),
    },
    gpu: {
      ...readings.gpu,
      ...(gpuError === null ? {} : { error: gpuError, failed: true }),
    },
  };
}

const sampleAt = (
  atMs: number,
  isBusy: boolean,
  { busyPercent, temperatureC, throttleReasons }: Machine,
  between: Between,
): GpuSample =>
  gpuOf(BOX, atMs, {
    utilization_percent: Math.round(isBusy ? between(60, 100) : busyPercent * between(0.9, 1)),
    temperature_c: Math.round(temperatureC),
    throttle_reasons: throttleReasons,
  });

const registered = (nowMs: number, machine: Machine, readings: Readings): RegisteredBox => ({
  name: BOX,
  hello: helloOf(BOX, { agent_version: machine.agentVersion, now_ms: nowMs + machine.skewMs }),
  state: "up",
  connected_at_ms: PLANTED_AT - 60 * MINUTE,
  last_seen_ms: nowMs,
  readings,
  readings_at_ms: nowMs,
  gpus_at_ms: readings.gpu.available ? nowMs : null,
  gpu_energy: [],
});

function storeOf(backlog: number) {
  const health: SinkHealth = {
    sink: "clickhouse",
    state: "ok",
    backlog: Math.round(backlog),
    last_error: null,
    last_success: new Date(NOW).toISOString(),
    next_attempt: null,
    delivered: 0,
    dropped: 0,
    set_aside: 0,
    clearing: false,
  };
  return { health, lastDroppedMs: null, lastRefused: null };
}

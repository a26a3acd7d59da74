/** What needs attention first, with the number that says why. Pure. */
import type { SinkHealth } from "../../protocol/api/fleet.ts";
import type { Live, LiveBox } from "../../protocol/api/live.ts";
import {
  bytes,
  count,
  duration,
  elapsed,
  ofHundred,
  percent,
  type Sizes,
  temperature,
} from "./format.ts";

export type Concern = {
  severity: "bad" | "warn";
  /** What it is about, e.g. the name of a box. */
  subject: string;
  /** What is wrong, and the number that says so. */
  why: string;
  /** Where more of it is shown. */
  href: string;
};

/** Above this the error rate of the last minutes is worth a look; the seed's alert fires at it. */
const ERROR_RATE_BAD = 0.1;
const ERROR_RATE_WARN = 0.01;
/** Fewer calls than this make no rate. */
const REQUESTS_MIN = 10;
/** The seed's alert on P95. */
const LATENCY_P95_WARN_MS = 3_000;
/** Consumer cards throttle at 83 to 90 °C, data centre cards at 85 to 95. */
const GPU_WARN_C = 83;
const GPU_BAD_C = 90;
const DISK_WARN_PERCENT = 90;
const DISK_BAD_PERCENT = 97;
const QUEUE_WARN = 5;
const SPOOLED_WARN = 500;
const BACKLOG_WARN = 5_000;
const SKEW_WARN_MS = 5_000;
/** Reasons that mean too little power or too much heat, and not just that nobody asks for anything. */
const THROTTLES = /thermal|power_brake|hw_slowdown/;

type Units = { sizes: Sizes; temperature: "celsius" | "fahrenheit" };

/** The worst first. */
export function concernsOf(
  { health, recent, boxes, stats }: Live,
  nowMs: number,
  units: Units,
): Concern[] {
  const all: Concern[] = [];
  const say = (severity: Concern["severity"], subject: string, why: string, href: string) =>
    all.push({ severity, subject, why, href });

  for (const box of boxes) all.push(...boxConcerns(box, nowMs, units));
  for (const sink of health.sinks) all.push(...sinkConcerns(sink, nowMs));

  const { error_rate, requests, errors, minutes, latency_p95_ms } = recent;
  if (error_rate !== null && requests >= REQUESTS_MIN && error_rate > ERROR_RATE_WARN) {
    const why = `${percent(error_rate)} of the last ${minutes} minutes: ${count(errors)} of ${count(requests)} requests failed`;
    say(error_rate > ERROR_RATE_BAD ? "bad" : "warn", "Error rate", why, "#/requests?status=error");
  }
  if (latency_p95_ms !== null && requests >= REQUESTS_MIN && latency_p95_ms > LATENCY_P95_WARN_MS)
    say(
      "warn",
      "Latency",
      `P95 of the last ${minutes} minutes is ${duration(latency_p95_ms)}`,
      "#/requests",
    );
  if (stats.queue_depth !== null && stats.queue_depth >= QUEUE_WARN)
    say("warn", "Queue", `${count(stats.queue_depth)} requests wait for a slot`, "#/requests");
  if (health.problems.some((problem) => problem.startsWith("instrumentation is off")))
    say("warn", "Recording", "is off: calls are served, and not counted", "#/settings");
  return all.sort((a, b) => Number(b.severity === "bad") - Number(a.severity === "bad"));
}

function boxConcerns(box: LiveBox, nowMs: number, units: Units): Concern[] {
  const concerns: Concern[] = [];
  const say = (severity: Concern["severity"], why: string, href = "#/system") =>
    concerns.push({ severity, subject: box.name, why, href });
  if (box.state === "down") {
    say(
      "bad",
      box.last_seen === null
        ? "is down"
        : `has been down for ${elapsed(nowMs - Date.parse(box.last_seen))}`,
    );
    return concerns; // nothing else is known of it
  }
  if (box.state === "draining")
    say("warn", `takes no new requests; ${count(box.in_flight)} are being finished`);
  if (box.ollama_reachable === false)
    say("bad", `Ollama does not answer: ${box.ollama_error ?? "unknown"}`);
  for (const gpu of box.gpus) {
    const name = box.gpus.length > 1 ? `GPU ${gpu.index}` : "GPU";
    if (gpu.temperature_c !== null && gpu.temperature_c >= GPU_WARN_C)
      say(
        gpu.temperature_c >= GPU_BAD_C ? "bad" : "warn",
        `${name} is at ${temperature(gpu.temperature_c, units.temperature)}`,
      );
    const throttled = gpu.throttle_reasons?.filter((reason) => THROTTLES.test(reason)) ?? [];
    if (throttled.length > 0)
      say("warn", `${name} is slowed down: ${throttled.join(", ").replaceAll("_", " ")}`);
  }
  for (const model of box.loaded) {
    if (model.gpu_share === null || model.gpu_share >= 1) continue;
    const onCpu = bytes((model.size_bytes ?? 0) - (model.size_vram_bytes ?? 0), units.sizes);
    say(
      "warn",
      `${model.name} runs partly on the CPU: ${percent(1 - model.gpu_share)}, ${onCpu}`,
      "#/models",
    );
  }
  if (box.system !== null && box.system.disk_used_bytes !== null && box.system.disk_total_bytes) {
    const used = (100 * box.system.disk_used_bytes) / box.system.disk_total_bytes;
    if (used >= DISK_WARN_PERCENT)
      say(used >= DISK_BAD_PERCENT ? "bad" : "warn", `disk is ${ofHundred(used)} full`);
  }
  if ((box.lost ?? 0) > 0)
    say(
      "bad",
      `has lost the records of ${count(box.lost)} requests: its agent cannot write its state folder; see the disk and its rights`,
    );
  if ((box.spooled ?? 0) >= SPOOLED_WARN)
    say("warn", `${count(box.spooled)} finished requests wait to be counted`);
  if (Math.abs(box.clock_skew_ms) >= SKEW_WARN_MS)
    say(
      "warn",
      `its clock is ${duration(Math.abs(box.clock_skew_ms))} ${box.clock_skew_ms > 0 ? "ahead" : "behind"}: switch on its time sync`,
    );
  return concerns;
}

function sinkConcerns(
  { sink, state, backlog, last_success, last_error, dropped, set_aside }: SinkHealth,
  nowMs: number,
): Concern[] {
  const concerns: Concern[] = [];
  const say = (severity: Concern["severity"], why: string) =>
    concerns.push({ severity, subject: sink, why, href: "#/settings" });
  const since =
    last_success === null ? "" : `, last success ${elapsed(nowMs - Date.parse(last_success))} ago`;
  if (state === "failing")
    say(
      "bad",
      `fails, ${count(backlog)} records wait${since}: ${last_error?.message ?? "unknown"}`,
    );
  else if (backlog >= BACKLOG_WARN)
    say("warn", `is behind: ${count(backlog)} records wait${since}`);
  if (dropped > 0) say("bad", `never got ${count(dropped)} records: more waited than can be kept`);
  if (set_aside > 0) say("warn", `refused ${count(set_aside)} records for what is in them`);
  return concerns;
}

/**
 * English for concerns, shared by `/api/health` and the page.
 *
 * A concern becomes a title and a predicate, which read as one sentence: "Box home" + "is down". Numbers
 * come through the caller's formats: the page knows the viewer's units and clock, the edge does not.
 */
import type { Concern } from "./concern.ts";
import { damagePredicate } from "./damage-text.ts";
import { THRESHOLD_FIGURES } from "./threshold-figures.ts";
import type { Untrusted } from "./untrusted.ts";

export type ConcernFormats = {
  count: (value: number) => string;
  /** @param rate  0 to 1 */
  percent: (rate: number) => string;
  duration: (ms: number) => string;
  bytes: (bytes: number) => string;
  temperature: (celsius: number) => string;
  /** A state that began then: "for 5 min" or "since 2026-11-24T12:00:00.000Z". */
  since: (iso: string) => string;
  /** An event of the past: "5 min ago" or "at 2026-11-24T12:00:00.000Z". */
  at: (iso: string) => string;
};

export type ConcernText = { title: string; predicate: string };

export const concernText = (concern: Concern, formats: ConcernFormats): ConcernText => ({
  title: titleOf(concern),
  predicate: predicateOf(concern, formats),
});

/** Completes "most recently 5 min ago …". */
const UNTRUSTED_TEXT: Record<Untrusted, string> = {
  seal: "with a seal that does not match",
  no_seal: "without a seal",
  time: "with an impossible time",
  endpoint: "with an unknown endpoint",
  malformed: "in an unknown form",
  values: "with impossible figures",
};

/** Titles of concerns about the edge, by code: "Edge" would repeat itself and explain nothing. */
const EDGE_TITLES: Record<string, string> = {
  no_box: "No box",
  recording_off: "Recording",
  error_rate_high: THRESHOLD_FIGURES.error_rate_high.name,
  latency_high: THRESHOLD_FIGURES.latency_high.name,
  queue_long: THRESHOLD_FIGURES.queue_long.name,
};

function titleOf({ code, subject }: Concern): string {
  if (code === "repository_stale") return "Model repository";
  switch (subject.kind) {
    case "edge":
      return EDGE_TITLES[code] ?? "Edge";
    case "box":
      return `Box ${subject.box}`;
    case "gpu":
      return `GPU ${subject.index} of ${subject.box}`;
    case "model":
      return `${subject.model} on ${subject.box}`;
    case "external_store":
      return subject.store;
  }
}

function predicateOf(concern: Concern, formats: ConcernFormats): string {
  const { count, percent, duration, bytes, temperature, since, at } = formats;
  const counted = (value: number, noun: string) =>
    `${count(value)} ${value === 1 ? noun : `${noun}s`}`;
  switch (concern.code) {
    case "no_box":
      return "is known";
    case "recording_off":
      return "is off: requests are served but not recorded";
    case "error_rate_high": {
      const { error_rate, errors, requests, minutes } = concern.params;
      const failed = `${count(errors)} of ${counted(requests, "request")} failed`;
      return `is ${percent(error_rate)} over the last ${minutes} minutes: ${failed}`;
    }
    case "latency_high":
      return `is ${duration(concern.params.latency_p95_ms)} at P95 over the last ${concern.params.minutes} minutes`;
    case "queue_long":
      return `has ${counted(concern.params.requests, "waiting request")}`;
    case "box_down":
      return concern.since === null ? "is down" : `has been down ${since(concern.since)}`;
    case "box_draining": {
      const { in_flight } = concern.params;
      const finishing =
        in_flight === null ? "finishing its requests" : `finishing ${count(in_flight)}`;
      return `accepts no new requests and is ${finishing}`;
    }
    case "ollama_unreachable":
      return `cannot reach its Ollama: ${concern.params.error ?? "unknown error"}`;
    case "clock_skew": {
      const { skew_ms } = concern.params;
      const wrong = `${duration(Math.abs(skew_ms))} ${skew_ms > 0 ? "ahead" : "behind"}`;
      return `has a clock that is ${wrong}: turn on time synchronization`;
    }
    case "agent_outdated": {
      const { agent_version, edge_version } = concern.params;
      if (agent_version === edge_version)
        return `runs another build of agent ${agent_version} than the edge serves: update it on the page Boxes`;
      return `runs agent ${agent_version}, older than ${edge_version} of the edge: update it on the page Boxes`;
    }
    case "records_lost": {
      const lost = counted(concern.params.records, "request");
      return `has lost the records of ${lost}: check the disk and permissions of its state folder`;
    }
    case "records_unsent":
      return `has ${counted(concern.params.records, "unsent record")}`;
    case "records_untrusted": {
      const { records, reason, last_at } = concern.params;
      return `reported ${counted(records, "record")} that cannot be trusted, most recently ${at(last_at)} ${UNTRUSTED_TEXT[reason]}`;
    }
    case "disk_filling":
      return `has a disk that is ${percent(concern.params.used_percent / 100)} full`;
    case "disk_short": {
      const { free_bytes, model, model_bytes } = concern.params;
      return `has ${bytes(free_bytes)} of disk left, too little for another model like ${model} (${bytes(model_bytes)}) or its update: delete models`;
    }
    case "gpu_lost": {
      const { gpus, error } = concern.params;
      const which = gpus.length === 0 ? "its GPUs" : `GPU ${gpus.join(", ")}`;
      return `cannot read ${which}: ${error ?? "the GPU is lost"}`;
    }
    case "gpu_hot":
      return `is at ${temperature(concern.params.temperature_c)}`;
    case "gpu_throttled":
      return `is throttled: ${concern.params.reasons.join(", ").replaceAll("_", " ")}`;
    case "gpu_bypassed": {
      const { utilization_percent, model, busy_since } = concern.params;
      const cause =
        model === null
          ? "another program uses it, or Ollama is called directly"
          : `${model} is called past the edge and the agent`;
      return `has been ${percent(utilization_percent / 100)} busy ${since(busy_since)} with nothing in flight: ${cause}`;
    }
    case "model_on_cpu": {
      const { cpu_share, cpu_bytes } = concern.params;
      return `runs ${percent(cpu_share)} on the CPU: the GPU is ${bytes(cpu_bytes)} short. Shorten its context, or use a smaller quantization`;
    }
    case "models_reloading":
    case "prompts_truncated":
    case "cold_starts":
    case "model_slow":
      return damagePredicate(concern, formats);
    case "model_latency_high": {
      const { latency_p95_ms, minutes } = concern.params;
      return `takes ${duration(latency_p95_ms)} at P95 over the last ${minutes} minutes`;
    }
    case "model_errors_high": {
      const { error_rate, errors, requests, minutes } = concern.params;
      return `fails ${percent(error_rate)} of its requests over the last ${minutes} minutes: ${count(errors)} of ${count(requests)}`;
    }
    case "pin_failed":
      return `is pinned, and could not be loaded: ${concern.params.error ?? "unknown error"}`;
    case "store_failing": {
      const { error, records, last_success } = concern.params;
      const success = last_success === null ? "" : `, last success ${at(last_success)}`;
      return `${error ?? "failed"}; ${counted(records, "unsent record")}${success}`;
    }
    case "store_behind": {
      const { records, last_success } = concern.params;
      const success = last_success === null ? "" : `, last success ${at(last_success)}`;
      return `is behind by ${counted(records, "record")}${success}`;
    }
    case "store_not_cleared":
      return "is not cleared yet: the deleted data is still there";
    case "records_dropped":
      return `did not receive ${counted(concern.params.records, "record")}: the outbox was full`;
    case "records_refused": {
      const { records, last_error } = concern.params;
      return `refused ${counted(records, "record")} because of the content, most recently ${last_error}`;
    }
    case "repository_stale":
      return `cannot be changed and may be out of date: ${concern.subject.store} ${concern.params.error}`;
  }
}

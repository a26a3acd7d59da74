/**
 * The concerns of this edge, from everything that it knows now. Pure.
 *
 * `/api/health` and `/api/live` get the same list; nothing computes concerns a second time.
 */
import type { SinkHealth } from "../../protocol/api/fleet.ts";
import type { Live, LiveBox } from "../../protocol/api/live.ts";
import type { Concern, ConcernOf } from "../../protocol/concern.ts";
import { type ConcernFormats, concernText } from "../../protocol/concern-text.ts";
import {
  BAD_THROTTLE_REASONS,
  CONCERNS,
  type ConcernCode,
  LOSS_SHOWN_MS,
  REQUESTS_MIN,
  type Severity,
  type Thresholds,
} from "../../protocol/concerns.ts";
import type { Untrusted } from "../../protocol/untrusted.ts";
import { isoOf } from "./figures.ts";

/** An external store's health, and the recent losses that its totals do not date. */
export type StoreReport = {
  health: SinkHealth;
  lastDroppedMs: number | null;
  lastRefused: { at_ms: number; message: string } | null;
};

export type Observed = {
  boxes: readonly LiveBox[];
  recent: Live["recent"];
  queueDepth: number | null;
  isRecording: boolean;
  stores: readonly StoreReport[];
  /** Why Postgres does not serve the model repository; null when it does, or is not configured. */
  repositoryError: string | null;
  /** Records of agents that were not trusted, by box and reason. */
  untrusted: readonly { box: string; reason: Untrusted; records: number; last_at_ms: number }[];
  nowMs: number;
};

/** Critical concerns first; otherwise in order of box, then store, then edge. */
export function concernsOf(observed: Observed): Concern[] {
  const { boxes, stores, repositoryError, nowMs } = observed;
  const concerns: Concern[] = [
    ...boxes.flatMap(boxConcerns),
    ...stores.flatMap((store) => storeConcerns(store, nowMs)),
    ...repositoryConcerns(repositoryError),
    ...untrustedConcerns(observed),
    ...edgeConcerns(observed),
  ];
  return concerns.sort((a, b) => rank(a) - rank(b));
}

const rank = ({ severity }: Concern): number => (severity === "critical" ? 0 : 1);

export const degrades = ({ code }: Concern): boolean => CONCERNS[code].degrades;

/** A concern as one English sentence, for `problems` of `/api/health`. */
export function sentenceOf(concern: Concern): string {
  const { title, predicate } = concernText(concern, PLAIN);
  return `${title} ${predicate}`;
}

/**
 * Nobody's locale: digits without separators, SI units, ISO 8601 times. Stable while nothing
 * changes.
 */
export const PLAIN: ConcernFormats = {
  count: String,
  percent: (rate) => `${Math.round(1_000 * rate) / 10} %`,
  duration: (ms) => `${Math.round(ms / 1_000)} s`,
  bytes: (bytes) => `${Math.round(bytes / 1e8) / 10} GB`,
  temperature: (celsius) => `${Math.round(celsius)} °C`,
  since: (iso) => `since ${iso}`,
  at: (iso) => `at ${iso}`,
};

function boxConcerns(box: LiveBox): Concern[] {
  const subject = { kind: "box", box: box.name } as const;
  // Everything that was known about a box that is down is out of date.
  if (box.state === "down") return raise("box_down", subject, {}, { since: box.last_seen });
  const { in_flight, lost, spooled: unsent, clock_skew_ms: skew_ms } = box;
  const used_percent = diskUsedPercent(box);
  return [
    ...(box.state === "draining" ? raise("box_draining", subject, { in_flight }) : []),
    ...(box.ollama_reachable === false
      ? raise("ollama_unreachable", subject, { error: box.ollama_error })
      : []),
    ...(box.gpu_failed
      ? raise("gpu_lost", subject, {
          error: box.gpu_error,
          gpus: box.lost_gpus.map(({ index }) => index),
        })
      : []),
    ...box.gpus.flatMap((gpu) => gpuConcerns(box.name, gpu)),
    ...box.loaded.flatMap((model) => modelConcerns(box.name, model)),
    ...box.pins.flatMap((pin) => pinConcerns(box.name, pin)),
    ...(used_percent === null
      ? []
      : raise("disk_filling", subject, { used_percent }, { value: used_percent })),
    ...(lost !== null && lost > 0 ? raise("records_lost", subject, { records: lost }) : []),
    ...(unsent === null
      ? []
      : raise("records_unsent", subject, { records: unsent }, { value: unsent })),
    ...raise("clock_skew", subject, { skew_ms }, { value: Math.abs(skew_ms) }),
  ];
}

function diskUsedPercent({ system }: LiveBox): number | null {
  const { disk_used_bytes: used = null, disk_total_bytes: total = null } = system ?? {};
  return used === null || total === null || total === 0 ? null : (100 * used) / total;
}

function gpuConcerns(box: string, gpu: LiveBox["gpus"][number]): Concern[] {
  const subject = { kind: "gpu", box, index: gpu.index } as const;
  const { temperature_c } = gpu;
  const reasons = gpu.throttle_reasons?.filter((reason) => BAD_THROTTLE_REASONS.has(reason)) ?? [];
  return [
    ...(temperature_c === null
      ? []
      : raise("gpu_hot", subject, { temperature_c }, { value: temperature_c })),
    ...(reasons.length > 0 ? raise("gpu_throttled", subject, { reasons }) : []),
  ];
}

function modelConcerns(
  box: string,
  { name, gpu_share, size_bytes, size_vram_bytes }: LiveBox["loaded"][number],
): Concern[] {
  if (gpu_share === null || gpu_share >= 1) return [];
  return raise(
    "model_on_cpu",
    { kind: "model", box, model: name },
    { cpu_share: 1 - gpu_share, cpu_bytes: (size_bytes ?? 0) - (size_vram_bytes ?? 0) },
  );
}

const pinConcerns = (box: string, { model, state, reason }: LiveBox["pins"][number]): Concern[] =>
  state === "failed" ? raise("pin_failed", { kind: "model", box, model }, { error: reason }) : [];

/** The concerns of one external store. */
export function storeConcerns(
  { health, lastDroppedMs, lastRefused }: StoreReport,
  nowMs: number,
): Concern[] {
  const subject = { kind: "external_store", store: health.sink } as const;
  const { backlog: records, last_success, dropped, set_aside } = health;
  const isFailing = health.state === "failing";
  const isRecent = (atMs: number) => nowMs - atMs < LOSS_SHOWN_MS;
  return [
    ...(isFailing
      ? raise("store_failing", subject, {
          error: health.last_error?.message ?? null,
          records,
          last_success,
        })
      : raise("store_behind", subject, { records, last_success }, { value: records })),
    ...(isFailing && health.clearing ? raise("store_not_cleared", subject, {}) : []),
    ...(lastDroppedMs !== null && isRecent(lastDroppedMs)
      ? raise("records_dropped", subject, { records: dropped, last_at: isoOf(lastDroppedMs) })
      : []),
    ...(lastRefused !== null && isRecent(lastRefused.at_ms)
      ? raise("records_refused", subject, {
          records: set_aside,
          last_at: isoOf(lastRefused.at_ms),
          last_error: lastRefused.message,
        })
      : []),
  ];
}

/** The concern of a model repository whose Postgres does not answer. */
export const repositoryConcerns = (error: string | null): Concern[] =>
  error === null
    ? []
    : raise("repository_stale", { kind: "external_store", store: "postgres" }, { error });

/** One concern for each box, with the reason of its last such record. */
function untrustedConcerns({ untrusted, nowMs }: Observed): Concern[] {
  const recent = untrusted.filter(({ last_at_ms }) => nowMs - last_at_ms < LOSS_SHOWN_MS);
  return [...Map.groupBy(recent, ({ box }) => box)].flatMap(([box, counts]) => {
    const last = counts.reduce((a, b) => (b.last_at_ms > a.last_at_ms ? b : a));
    const records = counts.reduce((sum, { records }) => sum + records, 0);
    const params = { records, reason: last.reason, last_at: isoOf(last.last_at_ms) };
    return raise("records_untrusted", { kind: "box", box }, params);
  });
}

function edgeConcerns({ boxes, recent, queueDepth, isRecording }: Observed): Concern[] {
  const subject = { kind: "edge" } as const;
  const { minutes, requests, errors, error_rate, latency_p95_ms } = recent;
  const isEnough = requests >= REQUESTS_MIN;
  return [
    ...(boxes.length === 0 ? raise("no_box", subject, {}) : []),
    ...(isEnough && error_rate !== null
      ? raise(
          "error_rate_high",
          subject,
          { error_rate, errors, requests, minutes },
          { value: error_rate },
        )
      : []),
    ...(isEnough && latency_p95_ms !== null
      ? raise(
          "latency_high",
          subject,
          { latency_p95_ms, requests, minutes },
          { value: latency_p95_ms },
        )
      : []),
    ...(queueDepth === null
      ? []
      : raise("queue_long", subject, { requests: queueDepth }, { value: queueDepth })),
    ...(isRecording ? [] : raise("recording_off", subject, {})),
  ];
}

/**
 * Makes a concern, with the severity that the table gives it.
 * @param value  the measured value that the thresholds apply to
 * @returns nothing when the value exceeds no threshold
 */
function raise<Code extends ConcernCode>(
  code: Code,
  subject: ConcernOf<Code>["subject"],
  params: ConcernOf<Code>["params"],
  { value = null, since = null }: { value?: number | null; since?: string | null } = {},
): Concern[] {
  const { severity: rule } = CONCERNS[code];
  const severity = typeof rule === "string" ? rule : severityAbove(value, rule.above);
  // The compiler cannot see that subject and params belong to the code once it is generic.
  return severity === null ? [] : [{ code, severity, subject, since, params } as Concern];
}

function severityAbove(value: number | null, { critical, warning }: Thresholds): Severity | null {
  if (value === null) return null;
  if (critical !== undefined && value > critical) return "critical";
  return warning !== undefined && value > warning ? "warning" : null;
}

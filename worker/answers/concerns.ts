/**
 * The concerns of this edge, from everything that it knows now. Pure.
 *
 * `/api/health` and `/api/live` get the same list; nothing computes concerns a second time.
 */
import type { SinkHealth } from "../../protocol/api/fleet.ts";
import type { Live, LiveBox } from "../../protocol/api/live.ts";
import { boxConcerns } from "../../protocol/box-concerns.ts";
import type { Concern, ConcernOf } from "../../protocol/concern.ts";
import { concernText } from "../../protocol/concern-text.ts";
import type { Thresholds } from "../../protocol/concerns/definition.ts";
import { CONCERNS, LOSS_SHOWN_MS, REQUESTS_MIN } from "../../protocol/concerns.ts";
import type { InstalledModel } from "../../protocol/inventory.ts";
import { raise } from "../../protocol/raise-concern.ts";
import type { ThresholdCode } from "../../protocol/threshold-figures.ts";
import {
  builtInThresholds,
  type ThresholdRule,
  type ThresholdsOf,
  thresholdsOf,
} from "../../protocol/thresholds.ts";
import type { Untrusted } from "../../protocol/untrusted.ts";
import { VERSION } from "../version.ts";
import { BYPASSED_MIN_MS, type Bypassed } from "./damage/bypass.ts";
import { damageConcerns } from "./damage/concerns.ts";
import type { Damage } from "./damage/damage.ts";
import { isoOf } from "./figures.ts";
import { compareVersions } from "./union.ts";
import { PLAIN } from "./wording.ts";

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
  /** The largest model on the disk of each box. */
  largest: readonly (Pick<InstalledModel, "name"> & { box: string; size_bytes: number })[];
  bypassed: readonly Bypassed[];
  damage: Damage;
  /** Requests of the last minutes, by model and box; only of those that have a threshold. */
  recentByModel: readonly (Live["recent"] & { box: string; model: string })[];
  thresholds: readonly ThresholdRule[];
  nowMs: number;
};

/** The part of {@link Observed} that only the Aggregator knows. */
export type ObservedParts = Omit<Observed, "boxes" | "recent" | "queueDepth" | "nowMs">;

/** Critical concerns first; otherwise in order of box, then store, then edge. */
export function concernsOf(observed: Observed): Concern[] {
  const { boxes, stores, repositoryError, nowMs, thresholds } = observed;
  const limits = thresholdsOf(thresholds);
  const concerns: Concern[] = [
    ...boxes.flatMap((box) => boxConcerns(box, limits)),
    ...boxes
      .filter(({ state }) => state !== "down")
      .flatMap((box) => upConcerns(box, observed, limits)),
    ...stores.flatMap((store) => storeConcerns(store, nowMs, limits)),
    ...repositoryConcerns(repositoryError),
    ...untrustedConcerns(observed),
    ...edgeConcerns(observed, limits),
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

/** The concerns of a box that is up, as far as its readings alone do not show them. */
function upConcerns(box: LiveBox, observed: Observed, limits: ThresholdsOf): Concern[] {
  const { largest, damage } = observed;
  const subject = { kind: "box", box: box.name } as const;
  const { agent_version, agent_build, system } = box;
  const bypassed = observed.bypassed.filter(
    (gpu) => gpu.box === box.name && gpu.quiet_ms >= BYPASSED_MIN_MS,
  );
  const isOtherBuild = agent_version === VERSION && agent_build === "other";
  const isOutdated = isOtherBuild || compareVersions(agent_version, VERSION) < 0;
  return [
    ...(isOutdated
      ? raise("agent_outdated", subject, { agent_version, edge_version: VERSION })
      : []),
    ...diskConcerns(
      subject,
      system,
      largest.find((model) => model.box === box.name),
      limits("disk_filling", { box: box.name }),
    ),
    ...observed.recentByModel
      .filter((recent) => recent.box === box.name)
      .flatMap((recent) => modelRateConcerns(recent, limits)),
    ...damageConcerns(box, damage, bypassed.length > 0),
    ...bypassed.flatMap(({ gpu, utilization_percent, model, since_ms }) => {
      const params = { utilization_percent, model, busy_since: isoOf(since_ms) };
      const of = { kind: "gpu", box: box.name, index: gpu } as const;
      const above = limits("gpu_bypassed", { box: box.name });
      return raise("gpu_bypassed", of, params, { value: utilization_percent, above });
    }),
  ];
}

function modelRateConcerns(
  recent: Observed["recentByModel"][number],
  limits: ThresholdsOf,
): Concern[] {
  const { box, model, minutes, requests, errors, error_rate, latency_p95_ms } = recent;
  if (requests < REQUESTS_MIN) return [];
  const subject = { kind: "model", box, model } as const;
  const above = (code: ThresholdCode) => limits(code, { box, model });
  return [
    ...raise(
      "model_latency_high",
      subject,
      { latency_p95_ms: latency_p95_ms ?? 0, requests, minutes },
      { value: latency_p95_ms, above: above("model_latency_high") },
    ),
    ...raise(
      "model_errors_high",
      subject,
      { error_rate: error_rate ?? 0, errors, requests, minutes },
      { value: error_rate, above: above("model_errors_high") },
    ),
  ];
}

function diskConcerns(
  subject: ConcernOf<"disk_short">["subject"],
  system: LiveBox["system"],
  largest: Observed["largest"][number] | undefined,
  filling: Thresholds,
): Concern[] {
  const { disk_used_bytes: used = null, disk_total_bytes: total = null } = system ?? {};
  if (used === null || total === null || total === 0 || largest === undefined) return [];
  const free_bytes = total - used;
  const fullFrom = Math.min(...Object.values(filling));
  if (free_bytes >= largest.size_bytes || (100 * used) / total > fullFrom) return [];
  return raise("disk_short", subject, {
    free_bytes,
    model: largest.name,
    model_bytes: largest.size_bytes,
  });
}

/** The concerns of one external store. */
export function storeConcerns(
  { health, lastDroppedMs, lastRefused }: StoreReport,
  nowMs: number,
  limits: ThresholdsOf = builtInThresholds,
): Concern[] {
  const subject = { kind: "external_store", store: health.sink } as const;
  const above = limits("store_behind");
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
      : raise("store_behind", subject, { records, last_success }, { value: records, above })),
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

function edgeConcerns(
  { boxes, recent, queueDepth, isRecording }: Observed,
  limits: ThresholdsOf,
): Concern[] {
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
          { value: error_rate, above: limits("error_rate_high") },
        )
      : []),
    ...(isEnough && latency_p95_ms !== null
      ? raise(
          "latency_high",
          subject,
          { latency_p95_ms, requests, minutes },
          { value: latency_p95_ms, above: limits("latency_high") },
        )
      : []),
    ...(queueDepth === null
      ? []
      : raise(
          "queue_long",
          subject,
          { requests: queueDepth },
          {
            value: queueDepth,
            above: limits("queue_long"),
          },
        )),
    ...(isRecording ? [] : raise("recording_off", subject, {})),
  ];
}

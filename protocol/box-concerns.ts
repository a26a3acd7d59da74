/**
 * The concerns of one box, from its readings. The edge computes them for `/api`, and the agent for a
 * person at the box, so both call the same things wrong. Pure.
 */
import type { LiveBox } from "./api/live.ts";
import type { Concern } from "./concern.ts";
import type { Thresholds } from "./concerns/definition.ts";
import { BAD_THROTTLE_REASONS } from "./concerns.ts";
import { raise } from "./raise-concern.ts";
import type { GpuSample, SystemSample } from "./records.ts";
import type { ThresholdCode } from "./threshold-figures.ts";
import { builtInThresholds, type ThresholdsOf } from "./thresholds.ts";

/** The part of a box that raises concerns. */
export type WatchedBox = Pick<
  LiveBox,
  | "name"
  | "state"
  | "last_seen"
  | "in_flight"
  | "lost"
  | "spooled"
  | "ollama_reachable"
  | "ollama_error"
  | "gpu_failed"
  | "gpu_error"
  | "lost_gpus"
> & {
  gpus: readonly WatchedGpu[];
  loaded: readonly WatchedModel[];
  pins: readonly WatchedPin[];
  system: Pick<SystemSample, "disk_used_bytes" | "disk_total_bytes"> | null;
  /** Null before the clocks were compared. */
  clock_skew_ms: number | null;
};
type WatchedGpu = Pick<GpuSample, "index" | "temperature_c" | "throttle_reasons">;
type WatchedModel = Pick<
  LiveBox["loaded"][number],
  "name" | "gpu_share" | "size_bytes" | "size_vram_bytes"
>;
type WatchedPin = Pick<LiveBox["pins"][number], "model" | "state" | "reason">;

export function boxConcerns(box: WatchedBox, limits: ThresholdsOf = builtInThresholds): Concern[] {
  const above = (code: ThresholdCode) => limits(code, { box: box.name });
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
    ...box.gpus.flatMap((gpu) => gpuConcerns(box.name, gpu, above("gpu_hot"))),
    ...box.loaded.flatMap((model) => modelConcerns(box.name, model)),
    ...box.pins.flatMap((pin) => pinConcerns(box.name, pin)),
    ...(used_percent === null
      ? []
      : raise(
          "disk_filling",
          subject,
          { used_percent },
          {
            value: used_percent,
            above: above("disk_filling"),
          },
        )),
    ...(lost !== null && lost > 0 ? raise("records_lost", subject, { records: lost }) : []),
    ...(unsent === null
      ? []
      : raise(
          "records_unsent",
          subject,
          { records: unsent },
          {
            value: unsent,
            above: above("records_unsent"),
          },
        )),
    ...(skew_ms === null
      ? []
      : raise(
          "clock_skew",
          subject,
          { skew_ms },
          {
            value: Math.abs(skew_ms),
            above: above("clock_skew"),
          },
        )),
  ];
}

function diskUsedPercent({ system }: WatchedBox): number | null {
  const { disk_used_bytes: used = null, disk_total_bytes: total = null } = system ?? {};
  return used === null || total === null || total === 0 ? null : (100 * used) / total;
}

function gpuConcerns(box: string, gpu: WatchedGpu, above: Thresholds): Concern[] {
  const subject = { kind: "gpu", box, index: gpu.index } as const;
  const { temperature_c } = gpu;
  const reasons = gpu.throttle_reasons?.filter((reason) => BAD_THROTTLE_REASONS.has(reason)) ?? [];
  return [
    ...(temperature_c === null
      ? []
      : raise("gpu_hot", subject, { temperature_c }, { value: temperature_c, above })),
    ...(reasons.length > 0 ? raise("gpu_throttled", subject, { reasons }) : []),
  ];
}

function modelConcerns(
  box: string,
  { name, gpu_share, size_bytes, size_vram_bytes }: WatchedModel,
): Concern[] {
  if (gpu_share === null || gpu_share >= 1) return [];
  return raise(
    "model_on_cpu",
    { kind: "model", box, model: name },
    { cpu_share: 1 - gpu_share, cpu_bytes: (size_bytes ?? 0) - (size_vram_bytes ?? 0) },
  );
}

const pinConcerns = (box: string, { model, state, reason }: WatchedPin): Concern[] =>
  state === "failed" ? raise("pin_failed", { kind: "model", box, model }, { error: reason }) : [];

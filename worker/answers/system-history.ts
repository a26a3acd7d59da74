/**
 * The machines' history: means of samples over equal buckets, then over GPUs and boxes. Pure.
 *
 * Each box gets its mean within a bucket first, so its weight does not depend on how often it was
 * sampled. Reads batches one at a time and keeps none, so a long history needs little memory.
 */
import type { SystemPoint } from "../../protocol/api/system.ts";
import {
  type Combining,
  GPU_HISTORY,
  type GpuHistoryColumn,
  SYSTEM_HISTORY,
  type SystemHistoryColumn,
} from "../../protocol/columns.ts";
import { SAMPLE_EVERY_MS } from "../../protocol/limits.ts";
import { isoOf, roundedOrNull } from "./figures.ts";
import { alignedSpan, type Span } from "./history.ts";
import { Means } from "./means.ts";
import { asOne, gibOf, gibOfMib, maxOf, meanOf, percentOfTotal, sumOrNull } from "./system.ts";

const SAMPLE_EVERY_SECONDS = SAMPLE_EVERY_MS / 1_000;
/** Two samples: with one sample a bucket, a timer that is slightly late would leave a gap. */
const BUCKET_SECONDS_MIN = 2 * SAMPLE_EVERY_SECONDS;

/** Returns at most `maxPoints` buckets, each a multiple of the sampling interval. */
export function systemSpanOf(seconds: number, maxPoints: number, nowMs: number): Span {
  const step = Math.ceil(seconds / maxPoints / SAMPLE_EVERY_SECONDS) * SAMPLE_EVERY_SECONDS;
  return alignedSpan(seconds, Math.max(BUCKET_SECONDS_MIN, step), nowMs);
}

type Figures<Name extends string> = { at: string } & Record<Name, number | null>;
/** The fields of a sample that a history needs. */
export type SystemFigures = Figures<SystemHistoryColumn>;
type Batch = {
  box: string;
  gpu: readonly (Figures<GpuHistoryColumn> & { index: number })[];
  system: readonly SystemFigures[];
};

/** @param batches  in any order; samples outside the span are left out */
export function systemHistoryOf(span: Span, batches: Iterable<Batch>): SystemPoint[] {
  const history = new GatheredSystemHistory(span);
  for (const batch of batches) history.add(batch);
  return history.points();
}

/** A history that is gathered batch by batch. See {@link systemHistoryOf}. */
export class GatheredSystemHistory {
  readonly #span: Span;
  readonly #buckets: Bucket[];

  constructor(span: Span) {
    this.#span = span;
    this.#buckets = Array.from({ length: span.buckets }, () => new Bucket());
  }

  add({ box, gpu, system }: Batch): void {
    const { from, granularity } = this.#span;
    const bucketOf = (at: string) =>
      this.#buckets[Math.floor((Date.parse(at) / 1_000 - from) / granularity)];
    for (const sample of system) bucketOf(sample.at)?.machine(box).add(sample);
    for (const sample of gpu) bucketOf(sample.at)?.gpu(`${box} ${sample.index}`).add(sample);
  }

  points(): SystemPoint[] {
    const { from, granularity } = this.#span;
    return this.#buckets.map((bucket, index) =>
      pointOf(bucket, (from + index * granularity) * 1_000),
    );
  }
}

function pointOf(bucket: Bucket, startMs: number): SystemPoint {
  const machines = [...bucket.machines.values()].map((means) => means.values());
  const gpus = [...bucket.gpus.values()].map((means) => means.values());
  const machine = asOne(machines);
  return {
    timestamp: isoOf(startMs),
    cpu_percent: roundedOrNull(machine.cpu_percent),
    memory_percent: percentOfTotal(machine.memory_used_bytes, machine.memory_total_bytes),
    memory_used_gb: gibOf(machine.memory_used_bytes),
    memory_total_gb: gibOf(machine.memory_total_bytes),
    gpu_available: machines.length + gpus.length === 0 ? null : gpus.length > 0,
    gpu_utilization_percent: roundedOrNull(meanOf(gpus.map((gpu) => gpu.utilization_percent))),
    vram_used_gb: gibOfMib(sumOrNull(gpus.map((gpu) => gpu.memory_used_mb))),
    vram_total_gb: gibOfMib(sumOrNull(gpus.map((gpu) => gpu.memory_total_mb))),
    gpu_temperature_celsius: roundedOrNull(maxOf(gpus.map((gpu) => gpu.temperature_c))),
    queue_depth: roundedOrNull(sumOrNull(machines.map(({ queued }) => queued))),
    in_flight: roundedOrNull(sumOrNull(machines.map(({ in_flight }) => in_flight))),
    disk_used_gb: gibOf(machine.disk_used_bytes),
    disk_total_gb: gibOf(machine.disk_total_bytes),
    power_draw_w: roundedOrNull(sumOrNull(gpus.map((gpu) => gpu.power_draw_w))),
    energy_j: roundedOrNull(sumOrNull(gpus.map((gpu) => gpu.energy_j))),
  };
}

class Bucket {
  readonly machines = new Map<string, Means<SystemHistoryColumn>>();
  readonly gpus = new Map<string, Means<GpuHistoryColumn>>();

  machine = (box: string) => meansOf(this.machines, box, SYSTEM_HISTORY);
  gpu = (key: string) => meansOf(this.gpus, key, GPU_HISTORY);
}

function meansOf<Name extends string>(
  all: Map<string, Means<Name>>,
  key: string,
  combining: Readonly<Record<Name, Combining>>,
): Means<Name> {
  const means = all.get(key) ?? new Means(combining);
  all.set(key, means);
  return means;
}

/** Samples as a store sums them up: of each machine and GPU one for each bucket that has any, its figures the means of those there. */
import { z } from "zod";
import { isoOf } from "../answers/figures.ts";
import type { GpuFigures } from "../answers/gpu-history.ts";
import type { Span } from "../answers/history.ts";
import type { SystemFigures } from "../answers/system-history.ts";

const figure = z.number().nullable();

/** `bucket` is counted from the start of the span. */
const Mean = z.object({ bucket: z.number(), box: z.string() });

export const SYSTEM_MEANS = [
  "cpu_percent",
  "cpu_count_logical",
  "memory_total_bytes",
  "memory_used_bytes",
  "disk_total_bytes",
  "disk_used_bytes",
  "in_flight",
  "queued",
] as const satisfies (keyof SystemFigures)[];
export const GPU_MEANS = [
  "utilization_percent",
  "memory_used_mb",
  "memory_total_mb",
  "temperature_c",
  "power_draw_w",
  "sm_clock_mhz",
] as const satisfies (keyof GpuFigures)[];

export const SystemMean = Mean.extend({
  cpu_percent: figure,
  cpu_count_logical: figure,
  memory_total_bytes: figure,
  memory_used_bytes: figure,
  disk_total_bytes: figure,
  disk_used_bytes: figure,
  in_flight: figure,
  queued: figure,
});
export const GpuMean = Mean.extend({
  index: z.number(),
  name: z.string(),
  utilization_percent: figure,
  memory_used_mb: figure,
  memory_total_mb: figure,
  temperature_c: figure,
  power_draw_w: figure,
  sm_clock_mhz: figure,
});

export type MeanSamples = { box: string; gpu: GpuFigures[]; system: SystemFigures[] };

/** In the shape of samples, each at the start of its bucket: what answers are made of. */
export function meanSamples(
  span: Span,
  gpu: readonly z.infer<typeof GpuMean>[],
  system: readonly z.infer<typeof SystemMean>[],
): MeanSamples[] {
  const atOf = (bucket: number) => isoOf((span.from + bucket * span.granularity) * 1_000);
  return [
    ...gpu.map(({ bucket, box, ...figures }) => ({
      box,
      gpu: [{ at: atOf(bucket), ...figures }],
      system: [],
    })),
    ...system.map(({ bucket, box, ...figures }) => ({
      box,
      gpu: [],
      system: [{ at: atOf(bucket), ...figures }],
    })),
  ];
}

/**
 * GPU and machine samples as a store aggregates them.
 *
 * Each GPU and machine has one for every bucket that contains samples, with the means of that
 * bucket.
 */
import { z } from "zod";
import {
  AVERAGED_GPU_COLUMNS,
  AVERAGED_SYSTEM_COLUMNS,
  type AveragedGpuColumn,
  type AveragedSystemColumn,
} from "../../protocol/columns.ts";
import { isoOf } from "../answers/figures.ts";
import type { GpuFigures } from "../answers/gpu-history.ts";
import type { Span } from "../answers/history.ts";
import type { SystemFigures } from "../answers/system-history.ts";

/** `bucket` counts from the start of the span. */
const Mean = z.object({ bucket: z.number(), box: z.string() });

const figure = z.number().nullable();
const figuresOf = <Name extends string>(names: readonly Name[]) =>
  Object.fromEntries(names.map((name) => [name, figure])) as Record<Name, typeof figure>;

export const SystemMean = Mean.extend(figuresOf<AveragedSystemColumn>(AVERAGED_SYSTEM_COLUMNS));
export const GpuMean = Mean.extend({
  index: z.number(),
  name: z.string(),
  ...figuresOf<AveragedGpuColumn>(AVERAGED_GPU_COLUMNS),
});

export type MeanSamples = { box: string; gpu: GpuFigures[]; system: SystemFigures[] };

/**
 * Turns means into samples, each at the start of its bucket, so that one code builds every answer.
 */
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

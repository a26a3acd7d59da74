/**
 * GPU and machine samples as a store aggregates them.
 *
 * Each GPU and machine has one for every bucket that contains samples, with its combined figures.
 */
import * as z from "zod";
import {
  type Combining,
  GPU_HISTORY,
  type GpuHistoryColumn,
  SYSTEM_HISTORY,
  type SystemHistoryColumn,
} from "../../protocol/columns.ts";
import { isoOf } from "../answers/figures.ts";
import type { GpuFigures } from "../answers/gpu-history.ts";
import type { Span } from "../answers/history.ts";
import type { SystemFigures } from "../answers/system-history.ts";

/** `bucket` counts from the start of the span. */
const Mean = z.object({ bucket: z.number(), box: z.string() });

const figure = z.number().nullable();
const figuresOf = <Name extends string>(combining: Readonly<Record<Name, Combining>>) =>
  Object.fromEntries(Object.keys(combining).map((name) => [name, figure])) as Record<
    Name,
    typeof figure
  >;

/** The SQL functions that combine values. Both stores leave nulls out. */
const FUNCTIONS: Record<Combining, string> = { mean: "avg", max: "max", sum: "sum" };

/** Returns the selected expressions that combine the columns of a bucket. */
export const combinedColumns = (
  combining: Readonly<Record<string, Combining>>,
  prefix = "",
): string =>
  Object.entries(combining)
    .map(([name, how]) => `${FUNCTIONS[how]}(${prefix}${name}) AS ${name}`)
    .join(", ");

export const SystemMean = Mean.extend(figuresOf<SystemHistoryColumn>(SYSTEM_HISTORY));
export const GpuMean = Mean.extend({
  index: z.number(),
  name: z.string(),
  ...figuresOf<GpuHistoryColumn>(GPU_HISTORY),
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

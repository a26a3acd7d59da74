/**
 * The history of each GPU: its samples in equal buckets. Pure.
 *
 * Reads batches one at a time and keeps none, so a long history needs little memory.
 */
import type { GpuHistory } from "../../protocol/api/system.ts";
import { GPU_HISTORY, type GpuHistoryColumn } from "../../protocol/columns.ts";
import type { GpuSample } from "../../protocol/records.ts";
import { isoOf, roundedOrNull } from "./figures.ts";
import type { Span } from "./history.ts";
import { Means } from "./means.ts";

/** The fields of a sample that a history needs. */
export type GpuFigures = Pick<GpuSample, "at" | "index" | "name" | GpuHistoryColumn>;

type Gpu = { box: string; index: number; name: string; buckets: Means<GpuHistoryColumn>[] };

/**
 * @param batches  in any order; samples outside the span are left out
 * @returns GPUs in order of box and index
 */
export function gpuHistoryOf(
  span: Span,
  batches: Iterable<{ box: string; gpu: readonly GpuFigures[] }>,
): Omit<GpuHistory, "time_range" | "store"> {
  const gpus = new Map<string, Gpu>();
  for (const { box, gpu } of batches) {
    for (const sample of gpu) {
      const bucket = Math.floor((Date.parse(sample.at) / 1_000 - span.from) / span.granularity);
      if (bucket < 0 || bucket >= span.buckets) continue;
      const key = `${box} ${sample.index}`;
      const known = gpus.get(key) ?? {
        box,
        index: sample.index,
        name: sample.name,
        buckets: emptyOf(span),
      };
      gpus.set(key, known);
      known.buckets[bucket]?.add(sample);
    }
  }
  return {
    timestamps: Array.from({ length: span.buckets }, (_, bucket) =>
      isoOf((span.from + bucket * span.granularity) * 1_000),
    ),
    gpus: [...gpus.values()]
      .sort((a, b) => (a.box === b.box ? a.index - b.index : a.box < b.box ? -1 : 1))
      .map(columnsOf),
  };
}

const emptyOf = ({ buckets }: Span) =>
  Array.from({ length: buckets }, () => new Means(GPU_HISTORY));

function columnsOf({ box, index, name, buckets }: Gpu): GpuHistory["gpus"][number] {
  const means = buckets.map((bucket) => bucket.values());
  const column = (figure: GpuHistoryColumn) => means.map((values) => roundedOrNull(values[figure]));
  return {
    box,
    index,
    name,
    utilization_percent: column("utilization_percent"),
    memory_used_mb: column("memory_used_mb"),
    temperature_c: column("temperature_c"),
    power_draw_w: column("power_draw_w"),
    sm_clock_mhz: column("sm_clock_mhz"),
    utilization_max_percent: column("utilization_max_percent"),
    memory_used_max_mb: column("memory_used_max_mb"),
    temperature_max_c: column("temperature_max_c"),
    energy_j: column("energy_j"),
  };
}

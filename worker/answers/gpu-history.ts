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
  const history = new GatheredGpuHistory(span);
  for (const batch of batches) history.add(batch);
  return history.columns();
}

/** A history that is gathered batch by batch. See {@link gpuHistoryOf}. */
export class GatheredGpuHistory {
  readonly #span: Span;
  readonly #gpus = new Map<string, Gpu>();

  constructor(span: Span) {
    this.#span = span;
  }

  add({ box, gpu }: { box: string; gpu: readonly GpuFigures[] }): void {
    const { from, granularity, buckets } = this.#span;
    for (const sample of gpu) {
      const bucket = Math.floor((Date.parse(sample.at) / 1_000 - from) / granularity);
      if (bucket < 0 || bucket >= buckets) continue;
      const { index, name } = sample;
      const key = `${box} ${index}`;
      const known = this.#gpus.get(key) ?? { box, index, name, buckets: emptyOf(this.#span) };
      this.#gpus.set(key, known);
      known.buckets[bucket]?.add(sample);
    }
  }

  /** Returns the GPUs in order of box and index. */
  columns(): Omit<GpuHistory, "time_range" | "store"> {
    const { from, granularity, buckets } = this.#span;
    return {
      timestamps: Array.from({ length: buckets }, (_, bucket) =>
        isoOf((from + bucket * granularity) * 1_000),
      ),
      gpus: [...this.#gpus.values()]
        .sort((a, b) => (a.box === b.box ? a.index - b.index : a.box < b.box ? -1 : 1))
        .map(columnsOf),
    };
  }
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

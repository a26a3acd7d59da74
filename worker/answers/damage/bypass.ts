/**
 * GPUs that are busy while no request is open on their box: traffic that bypasses the edge and the agent, or
 * another program. Pure.
 */
import { GPU_BUSY_PERCENT } from "../../../protocol/gpu-energy.ts";
import { type Readings, withTag } from "../../../protocol/inventory.ts";

/** A GPU that is busy for nobody, since `since_ms`. */
export type Bypassed = {
  box: string;
  gpu: number;
  since_ms: number;
  /** Mean of the samples since then, and their number. */
  utilization_percent: number;
  samples: number;
  /** The model that somebody called meanwhile: its time in memory was extended; null without one. */
  model: string | null;
};

/** A shorter time may be the end of a request, or a load. */
export const BYPASSED_MIN_MS = 2 * 60_000;
/** Ollama moves the end of a model's time by its keep-alive. Clocks and polls are closer than that. */
const EXTENDED_MS = 2_000;

type Part = Pick<Readings, "in_flight" | "inventory"> & {
  gpu: Pick<Readings["gpu"], "samples" | "history">;
};

/**
 * Returns the GPUs of a box that are busy for nobody, by its next readings.
 * @param known    the result for the last readings
 * @param before   the last readings; null before the first
 * @param endedMs  when a request of the box last ended, unix ms
 */
export function bypassedNext(
  known: readonly Bypassed[],
  box: string,
  before: Part | null,
  next: Part,
  endedMs: number,
): Bypassed[] {
  if (before === null || before.in_flight > 0 || next.in_flight > 0) return [];
  const samples = next.gpu.history?.length ? next.gpu.history : next.gpu.samples;
  const model = extendedModel(before.inventory, next.inventory);
  return [...Map.groupBy(samples, ({ index }) => index)].flatMap(([gpu, ofGpu]) => {
    const readings = ofGpu.flatMap(({ utilization_percent: busy, at }) =>
      busy === null ? [] : [{ busy, atMs: Date.parse(at) }],
    );
    const first = readings[0];
    if (first === undefined || readings.some(({ busy }) => busy < GPU_BUSY_PERCENT)) return [];
    const was = known.find((each) => each.gpu === gpu && each.since_ms > endedMs);
    const since_ms = was?.since_ms ?? first.atMs;
    // A request that ended in between was the reason.
    if (since_ms <= endedMs) return [];
    const count = (was?.samples ?? 0) + readings.length;
    const sum = readings.reduce((total, { busy }) => total + busy, 0);
    const mean = ((was?.utilization_percent ?? 0) * (was?.samples ?? 0) + sum) / count;
    const named = model ?? was?.model ?? null;
    return [{ box, gpu, since_ms, utilization_percent: mean, samples: count, model: named }];
  });
}

/** Returns the model whose end of time in memory moved on, which only a request does. */
function extendedModel(was: Readings["inventory"], is: Readings["inventory"]): string | null {
  const ends = new Map(was.loaded.map(({ name, expires_at }) => [withTag(name), expires_at]));
  const extended = is.loaded.find(({ name, expires_at }) => {
    const before = ends.get(withTag(name)) ?? null;
    if (before === null || expires_at === null) return false;
    return Date.parse(expires_at) - Date.parse(before) > EXTENDED_MS;
  });
  return extended === undefined ? null : withTag(extended.name);
}

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
  /** The time since then in which no request was open, and its last sample. */
  quiet_ms: number;
  last_ms: number;
  /** Mean of the samples of that time, and their number. */
  utilization_percent: number;
  samples: number;
  /** The model that somebody called meanwhile: its time in memory was extended; null without one. */
  model: string | null;
};

/** A shorter time may be a load, or Ollama reading the prompt of a caller that left. */
export const BYPASSED_MIN_MS = 2 * 60_000;
/** A GPU is idle this long after a request, and its utilization is a mean of about a second. */
const AFTER_REQUEST_MS = 2_000;
/** Ollama moves the end of a model's time by its keep-alive. Clocks and polls are closer than that. */
const EXTENDED_MS = 2_000;

type Part = Pick<Readings, "in_flight" | "inventory"> & {
  gpu: Pick<Readings["gpu"], "samples" | "history">;
};

/**
 * Returns the GPUs of a box that are busy for nobody, by its next readings. Requests hide it while they
 * run, and do not end it: an idle sample does.
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
  if (before === null) return [];
  if (before.in_flight > 0 || next.in_flight > 0) return [...known];
  const quietFromMs = endedMs + AFTER_REQUEST_MS;
  const samples = next.gpu.history?.length ? next.gpu.history : next.gpu.samples;
  const isQuiet = samples.every(({ at }) => Date.parse(at) > quietFromMs);
  const model = isQuiet ? extendedModel(before.inventory, next.inventory) : null;
  return [...Map.groupBy(samples, ({ index }) => index)].flatMap(([gpu, ofGpu]) => {
    const was = known.find((each) => each.gpu === gpu);
    const readings = ofGpu.flatMap(({ utilization_percent: busy, at }) => {
      const atMs = Date.parse(at);
      return busy === null || atMs <= quietFromMs ? [] : [{ busy, atMs }];
    });
    const [first, last] = [readings[0], readings.at(-1)];
    if (first === undefined || last === undefined) return was ?? [];
    if (readings.some(({ busy }) => busy < GPU_BUSY_PERCENT)) return [];
    // Without a request since the last sample, the time between belongs to it.
    const fromMs = was !== undefined && was.last_ms > quietFromMs ? was.last_ms : first.atMs;
    const count = (was?.samples ?? 0) + readings.length;
    const sum = readings.reduce((total, { busy }) => total + busy, 0);
    return [
      {
        box,
        gpu,
        since_ms: was?.since_ms ?? first.atMs,
        last_ms: last.atMs,
        samples: count,
        quiet_ms: (was?.quiet_ms ?? 0) + last.atMs - fromMs,
        utilization_percent: ((was?.utilization_percent ?? 0) * (was?.samples ?? 0) + sum) / count,
        model: model ?? was?.model ?? null,
      },
    ];
  });
}

/**
 * Returns what remains after a record arrived: its request may have used a GPU when nobody seemed to,
 * since the readings of that time came first.
 */
export const withoutRequest = (
  known: readonly Bypassed[],
  startMs: number,
  endMs: number,
): Bypassed[] =>
  known.filter(({ since_ms, last_ms }) => startMs > last_ms || endMs + AFTER_REQUEST_MS < since_ms);

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

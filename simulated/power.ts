/**
 * The power of a simulated GPU as a function of what it served in the last seconds.
 *
 * Pure, and without random numbers: two programs that read the same card at the same time report
 * the same power, as two runs of nvidia-smi do. A card under load changes its power within a
 * fraction of a second.
 */
import { type GpuModel, utilizationFor } from "./gpus.ts";

/** Load of a card from this long ago on, until the next entry. */
export type LoadChange = { agoMs: number; load: number };

/** A step of the load has two thirds of its effect on the power after this time. */
const RESPONSE_MS = 40;

/** The driver's mean covers this time. */
const MEAN_MS = 1_000;

/** The load of this much time decides the mean of the last second, but for a negligible rest. */
export const HISTORY_MS = MEAN_MS + 10 * RESPONSE_MS;

/** Share of the range between idle and the limit that full utilization takes. */
const FULL_SHARE = 0.92;

/** A step towards `watts` begins this long ago. */
type Piece = { agoMs: number; watts: number };

/**
 * @param changes  oldest first; the first one holds for all time before it too. Empty: no load
 * @param hasModel  a loaded model keeps the clocks of a card up
 */
export function powerOf(
  gpu: GpuModel,
  changes: readonly LoadChange[],
  hasModel: boolean,
): { instantW: number; meanW: number } {
  const known = changes.length > 0 ? changes : [{ agoMs: HISTORY_MS, load: 0 }];
  const pieces = known.map(({ agoMs, load }) => ({
    agoMs,
    watts: wattsFor(gpu, load, hasModel),
  }));
  let watts = pieces[0]?.watts ?? wattsFor(gpu, 0, hasModel);
  let wattMs = 0;
  for (const { fromMs, toMs, target } of spansOf(pieces)) {
    const rest = (watts - target) * Math.exp(-(fromMs - toMs) / RESPONSE_MS);
    // The integral of an exponential approach to the target.
    if (fromMs <= MEAN_MS)
      wattMs += target * (fromMs - toMs) + RESPONSE_MS * (watts - target - rest);
    watts = target + rest;
  }
  return { instantW: watts, meanW: wattMs / MEAN_MS };
}

/** Cuts the last seconds where the load changes and where the mean begins. */
function* spansOf(
  pieces: readonly Piece[],
): Generator<{ fromMs: number; toMs: number; target: number }> {
  for (const [index, { agoMs, watts }] of pieces.entries()) {
    const fromMs = index === 0 ? Math.max(agoMs, HISTORY_MS) : agoMs;
    const toMs = pieces[index + 1]?.agoMs ?? 0;
    if (fromMs > MEAN_MS && toMs < MEAN_MS) {
      yield { fromMs, toMs: MEAN_MS, target: watts };
      yield { fromMs: MEAN_MS, toMs, target: watts };
    } else yield { fromMs, toMs, target: watts };
  }
}

function wattsFor(gpu: GpuModel, load: number, hasModel: boolean): number {
  const idleW = gpu.idleW + (hasModel ? gpu.loadedW : 0);
  return idleW + (gpu.powerLimitW - idleW) * (utilizationFor(load) / 100) * FULL_SHARE;
}

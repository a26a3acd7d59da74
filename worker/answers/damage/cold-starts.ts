/**
 * Models that callers wait for because their time in memory had ended, and the keep-alive that would have
 * saved most of the loads, by a replay of the calls. Pure.
 */
import { type FinishedCall, mostFrequent } from "./calls.ts";
import { type AwaitedLoad, loadsOf, msOf, whOf } from "./loads.ts";

export type ColdStarts = {
  box: string;
  model: string;
  loads: number;
  requests: number;
  lost_ms: number;
  lost_wh: number | null;
  /** The key of most of these calls. */
  key: string | null;
  /** The keep-alive that would have saved most; null if none would have. */
  keep_alive_s: number | null;
  saved_loads: number;
  saved_ms: number;
  /** Time for which the model would have been in memory between these calls, at most. */
  held_ms: number;
};

export const COLD_HOURS = 24;
const LOADS_MIN = 5;
const LOST_MS_MIN = 60_000;
const KEEP_ALIVES_S = [300, 900, 1_800, 3_600, 7_200];
/** After a longer pause a load is what anybody expects. */
const GAP_MS_MAX = 7_200_000;
/** A longer keep-alive must save more than the rest. */
const MOST = 0.8;

export function coldStartsOf(calls: readonly FinishedCall[], nowMs: number): ColdStarts[] {
  const recent = calls.filter(({ endMs }) => nowMs - endMs <= COLD_HOURS * 3_600_000);
  return [...Map.groupBy(recent, ({ box }) => box)].flatMap(([box, ofBox]) => {
    const expired = loadsOf(ofBox).filter(
      ({ evictor, gapMs }) => evictor === null && gapMs !== null && gapMs <= GAP_MS_MAX,
    );
    return [...Map.groupBy(expired, ({ model }) => model)].flatMap(([model, loads]) => {
      const lost_ms = msOf(loads);
      if (loads.length < LOADS_MIN || lost_ms < LOST_MS_MIN) return [];
      return [
        {
          ...{ box, model, loads: loads.length, lost_ms, lost_wh: whOf(loads) },
          requests: ofBox.filter((call) => call.model === model).length,
          key: mostFrequent(loads.map(({ key }) => key)),
          ...savedBy(loads),
        },
      ];
    });
  });
}

function savedBy(loads: readonly AwaitedLoad[]) {
  const saved = (keepS: number) => loads.filter(({ gapMs }) => (gapMs ?? 0) <= keepS * 1_000);
  const most = saved(KEEP_ALIVES_S.at(-1) ?? 0).length;
  const keep_alive_s = KEEP_ALIVES_S.find((keepS) => saved(keepS).length >= MOST * most) ?? null;
  if (most === 0 || keep_alive_s === null)
    return { keep_alive_s: null, saved_loads: 0, saved_ms: 0, held_ms: 0 };
  const kept = saved(keep_alive_s);
  const held_ms = loads.reduce(
    (sum, { gapMs }) => sum + Math.min(gapMs ?? 0, keep_alive_s * 1_000),
    0,
  );
  return { keep_alive_s, saved_loads: kept.length, saved_ms: msOf(kept), held_ms };
}

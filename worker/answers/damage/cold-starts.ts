/**
 * Models that callers wait for because their time in memory had ended, and the keep-alive that would have
 * saved most of the loads, by a replay of a week. Pure.
 */
import { type FinishedCall, mostFrequent, placeOf } from "./calls.ts";
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
  saved_wh: number | null;
  /** The time whose loads were replayed, and their number. */
  replay_hours: number;
  replay_loads: number;
  /** Time for which the model would have been in memory between these calls, at most. */
  held_ms: number;
};

export const COLD_HOURS = 24;
export const REPLAY_HOURS = 7 * 24;
const HOUR_MS = 3_600_000;
const LOADS_MIN = 5;
const LOST_MS_MIN = 60_000;
const KEEP_ALIVES_S = [300, 900, 1_800, 3_600, 7_200];
/** After a longer pause a load is what anybody expects. */
const GAP_MS_MAX = 7_200_000;
/** A longer keep-alive must save more than the rest. */
const MOST = 0.8;

/** A load of a model whose time in memory had ended. */
export type ExpiredLoad = Pick<
  AwaitedLoad,
  "box" | "model" | "key" | "startMs" | "endMs" | "ms" | "wh"
> & { gapMs: number };

/** Returns the loads of models whose time had ended, and that another keep-alive could have saved. */
export const expiredLoadsOf = (calls: readonly FinishedCall[]): ExpiredLoad[] =>
  [...Map.groupBy(calls, ({ box }) => box).values()].flatMap((ofBox) =>
    loadsOf(ofBox).flatMap(({ box, model, key, startMs, endMs, ms, wh, gapMs, evictor }) =>
      evictor !== null || gapMs === null || gapMs > GAP_MS_MAX
        ? []
        : { box, model, key, startMs, endMs, ms, wh, gapMs },
    ),
  );

/**
 * Names a model by its loads of the last day, and replays those of the last week.
 * @param older  loads of calls before these
 */
export function coldStartsOf(
  calls: readonly FinishedCall[],
  older: readonly ExpiredLoad[],
  nowMs: number,
): ColdStarts[] {
  const isWithin = (hours: number) => (each: { endMs: number }) =>
    nowMs - each.endMs <= hours * HOUR_MS;
  const week = [...older, ...expiredLoadsOf(calls)].filter(isWithin(REPLAY_HOURS));
  const recent = calls.filter(isWithin(COLD_HOURS));
  const firstMs = Math.min(...[...older, ...calls].map(({ startMs }) => startMs));
  const knownHours = Math.ceil((nowMs - firstMs) / HOUR_MS);
  const replay_hours = Math.max(COLD_HOURS, Math.min(REPLAY_HOURS, knownHours));
  return [...Map.groupBy(week, placeOf).values()].flatMap((ofPlace) => {
    const loads = ofPlace.filter(isWithin(COLD_HOURS));
    const [first] = loads;
    const lost_ms = msOf(loads);
    if (first === undefined || loads.length < LOADS_MIN || lost_ms < LOST_MS_MIN) return [];
    const place = placeOf(first);
    return [
      {
        ...{ box: first.box, model: first.model, loads: loads.length },
        ...{ lost_ms, lost_wh: whOf(loads) },
        requests: recent.filter((call) => placeOf(call) === place).length,
        key: mostFrequent(loads.map(({ key }) => key)),
        ...{ replay_hours, replay_loads: ofPlace.length },
        ...savedBy(ofPlace),
      },
    ];
  });
}

function savedBy(loads: readonly ExpiredLoad[]) {
  const saved = (keepS: number) => loads.filter(({ gapMs }) => gapMs <= keepS * 1_000);
  const most = saved(KEEP_ALIVES_S.at(-1) ?? 0).length;
  const keep_alive_s = KEEP_ALIVES_S.find((keepS) => saved(keepS).length >= MOST * most) ?? null;
  if (most === 0 || keep_alive_s === null)
    return { keep_alive_s: null, saved_loads: 0, saved_ms: 0, saved_wh: null, held_ms: 0 };
  const kept = saved(keep_alive_s);
  const held_ms = loads.reduce((sum, { gapMs }) => sum + Math.min(gapMs, keep_alive_s * 1_000), 0);
  const won = { saved_loads: kept.length, saved_ms: msOf(kept), saved_wh: whOf(kept) };
  return { keep_alive_s, ...won, held_ms };
}

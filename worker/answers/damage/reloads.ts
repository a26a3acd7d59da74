/** Boxes on which two models, or two contexts of one, push each other out of memory. Pure. */
import type { FinishedCall } from "./calls.ts";
import { type AwaitedLoad, loadName, loadsOf, msOf, whOf } from "./loads.ts";

export type Alternating = {
  model: string;
  context_length: number | null;
  key: string | null;
};

export type Reloading = {
  box: string;
  /** Loads of models that another one had pushed out. */
  loads: number;
  lost_ms: number;
  lost_wh: number | null;
  /** The two that most often push each other out. */
  pair: Alternating[];
};

export const RELOADING_MINUTES = 15;
/** Fewer are a change of work. */
const RELOADS_MIN = 3;
/** After Ollama's default keep-alive the model would have been gone anyway. */
const KEPT_MS = 5 * 60_000;

export function reloadingOf(calls: readonly FinishedCall[], nowMs: number): Reloading[] {
  const recent = calls.filter(({ endMs }) => nowMs - endMs <= RELOADING_MINUTES * 60_000);
  return [...Map.groupBy(recent, ({ box }) => box)].flatMap(([box, ofBox]) => {
    const reloads = loadsOf(ofBox).filter(
      ({ evictor, gapMs }) => evictor !== null && gapMs !== null && gapMs < KEPT_MS,
    );
    if (reloads.length < RELOADS_MIN) return [];
    const pair = pairOf(reloads);
    if (pair === null) return [];
    const lost = { lost_ms: msOf(reloads), lost_wh: whOf(reloads) };
    return [{ box, loads: reloads.length, ...lost, pair }];
  });
}

/** Returns the two that most often push each other out; null without reloads. */
export function pairOf(reloads: readonly AwaitedLoad[]): Reloading["pair"] | null {
  const pairs = [...Map.groupBy(reloads, pairName).values()];
  const most = pairs.reduce((a, b) => (b.length > a.length ? b : a), pairs[0] ?? [])[0];
  return most?.evictor == null ? null : [alternating(most.evictor), alternating(most)];
}

const pairName = (load: AwaitedLoad): string =>
  [loadName(load), load.evictor === null ? "" : loadName(load.evictor)].sort().join();

const alternating = ({ model, context_length, key }: AwaitedLoad): Alternating => ({
  model,
  context_length,
  key,
});

/** The loads of models that calls waited for, and why each was necessary. Pure. */
import { type FinishedCall, isLoad, keyOf } from "./calls.ts";

export type AwaitedLoad = {
  box: string;
  model: string;
  context_length: number | null;
  key: string | null;
  startMs: number;
  endMs: number;
  ms: number;
  /** The share of the energy of its call; null if unknown. */
  wh: number | null;
  /** Since the last call of the model on the box had ended; null for the first one. */
  gapMs: number | null;
  /** The load that pushed it out of memory, after its last call; null: its time had ended. */
  evictor: AwaitedLoad | null;
};

const JOULES_PER_WH = 3_600;

/** Returns the loads on one box, oldest first. Calls that waited for the same load count once. */
export function loadsOf(calls: readonly FinishedCall[]): AwaitedLoad[] {
  const loads: AwaitedLoad[] = [];
  const ended = new Map<string, number>();
  const used = new Map<string, number>();
  for (const call of calls.toSorted((a, b) => a.startMs - b.startMs)) {
    const { model, context_length, load_ms, edge_ms, energy_j, latency_ms, startMs } = call;
    if (isLoad(call)) {
      const ms = load_ms ?? 0;
      const endMs = startMs + (edge_ms ?? 0) + ms;
      const name = loadName(call);
      const last = loads.findLast((load) => loadName(load) === name);
      if (last === undefined || last.endMs < startMs) {
        const endedMs = ended.get(model);
        const newest = loads.at(-1);
        const usedMs = used.get(name);
        const isPushedOut =
          newest !== undefined &&
          loadName(newest) !== name &&
          usedMs !== undefined &&
          newest.endMs >= usedMs;
        loads.push({
          ...{ box: call.box, model, context_length, key: keyOf(call), startMs, endMs, ms },
          wh: energy_j === null ? null : (energy_j * ms) / latency_ms / JOULES_PER_WH,
          gapMs: endedMs === undefined ? null : Math.max(0, startMs - endedMs),
          evictor: isPushedOut ? newest : null,
        });
      }
    }
    ended.set(model, Math.max(call.endMs, ended.get(model) ?? 0));
    used.set(loadName(call), startMs);
  }
  return loads;
}

/** A model with another context is another load. */
export const loadName = ({
  model,
  context_length,
}: Pick<FinishedCall, "model" | "context_length">) => JSON.stringify([model, context_length]);

/** Returns the sum; null if none is known. */
export function whOf(loads: readonly Pick<AwaitedLoad, "wh">[]): number | null {
  const known = loads.flatMap(({ wh }) => wh ?? []);
  return known.length === 0 ? null : known.reduce((sum, wh) => sum + wh, 0);
}

export const msOf = (loads: readonly Pick<AwaitedLoad, "ms">[]): number =>
  loads.reduce((sum, { ms }) => sum + ms, 0);

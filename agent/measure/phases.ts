/**
 * Where the time of a request went, from Ollama's own durations.
 */
export type DurationsNs = {
  total: number | null;
  load: number | null;
  prefill: number | null;
  decode: number | null;
};
export type PhasesMs = {
  queue_ms: number | null;
  load_ms: number | null;
  prefill_ms: number | null;
  decode_ms: number | null;
};

const NS_PER_MS = 1e6;

/** To the microsecond: Ollama's further digits are noise, and every record carries them. */
export const roundMs = (ms: number): number => Math.round(ms * 1_000) / 1_000;

/**
 * @param durations  nanoseconds, null where Ollama did not say
 * @param ttftMs     time to the first content as measured here; null when there was none
 * @returns          milliseconds; null where unknown
 */
export function phasesOf(durations: DurationsNs, ttftMs: number | null): PhasesMs {
  const { load, prefill, decode } = durations;
  return {
    queue_ms: queueMs(durations, ttftMs),
    load_ms: ms(load),
    prefill_ms: ms(prefill),
    decode_ms: ms(decode),
  };
}

/**
 * The wait for a parallel slot shows nowhere but in the total: it is what load, prefill and decode
 * leave of it. So do other things: a caller who reads slowly holds Ollama's writes up, and a
 * thinking model with a `format` runs a first pass that only the total counts. A slot is waited
 * for before the first content, so the time to that bounds the wait. Not where load and prefill
 * alone are longer: then the two clocks do not describe the same thing.
 */
function queueMs(
  { total, load, prefill, decode }: DurationsNs,
  ttftMs: number | null,
): number | null {
  if (total === null || load === null || prefill === null || decode === null) return null;
  const left = (total - load - prefill - decode) / NS_PER_MS;
  const beforeContent = ttftMs === null ? -1 : ttftMs - (load + prefill) / NS_PER_MS;
  return roundMs(Math.max(0, beforeContent < 0 ? left : Math.min(left, beforeContent)));
}

const ms = (ns: number | null): number | null => (ns === null ? null : roundMs(ns / NS_PER_MS));

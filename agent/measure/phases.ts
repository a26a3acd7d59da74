/** The phases of a request on its box, from Ollama's own durations. */

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

/** Rounds to the microsecond: further digits are noise, and every record would carry them. */
export const roundMs = (ms: number): number => Math.round(ms * 1_000) / 1_000;

/**
 * @param durations  nanoseconds; null if Ollama did not report it
 * @param ttftMs     measured time to the first content; null without content
 * @param waitedMs   the part of it before Ollama had the request
 * @returns          milliseconds; null if unknown
 */
export function phasesOf(durations: DurationsNs, ttftMs: number | null, waitedMs = 0): PhasesMs {
  const { load, prefill, decode } = durations;
  const inOllama = queueMs(durations, ttftMs === null ? null : ttftMs - waitedMs);
  return {
    queue_ms: inOllama === null ? null : roundMs(waitedMs + inOllama),
    load_ms: ms(load),
    prefill_ms: ms(prefill),
    decode_ms: ms(decode),
  };
}

/** Returns the time before the first output token; null unless all of its phases are known. */
export const beforeDecodeMs = ({ queue_ms, load_ms, prefill_ms }: PhasesMs): number | null =>
  queue_ms === null || load_ms === null || prefill_ms === null
    ? null
    : roundMs(queue_ms + load_ms + prefill_ms);

/**
 * Returns the wait for a parallel slot. It appears only in the total, as the part that load,
 * prefill and decode leave. That part has other causes, too: a slow caller delays Ollama's writes,
 * and a thinking model with a `format` runs a first pass that only the total includes. The wait for
 * a slot ends before the first content, so the time to the first content bounds it. The bound does
 * not apply if load and prefill alone are longer: the two clocks then do not describe the same
 * thing.
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

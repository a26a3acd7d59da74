/**
 * The times that models take on boxes, as records show them, for the choice of a box. Pure.
 */
import type * as z from "zod";
import { withTag } from "../../protocol/inventory.ts";
import { LOAD_MS_MIN } from "../../protocol/load-wait.ts";
import { RequestRecord } from "../../protocol/records.ts";
import type { Histogram } from "./histogram.ts";

/** The times of a model on a box; null if unknown. */
export type ModelTimes = {
  /** Loading it into memory. */
  load_ms: number | null;
  /** Reading one token of a prompt of which nothing is cached. */
  token_ms: number | null;
  /** Producing an answer. */
  decode_ms: number | null;
};

/** The fields of a record from which times are learned. */
export const Timed = RequestRecord.pick({
  box: true,
  model: true,
  status: true,
  load_ms: true,
  prefill_ms: true,
  decode_ms: true,
  prompt_tokens: true,
});
export type Timed = z.infer<typeof Timed>;

/** The weight of the newest time. */
const NEWEST = 0.2;
/**
 * The weight of a token time below the mean. A cached part of a prompt counts as tokens and takes no
 * time, so the longest times are the true ones.
 */
const NEWEST_CACHED = 0.02;
/** A shorter prompt does not show the time of a token. */
const PROMPT_TOKENS_MIN = 32;

/** Models that are remembered per box. */
const MODELS_MAX = 200;

const UNKNOWN: ModelTimes = { load_ms: null, token_ms: null, decode_ms: null };

/** By model, with its tag. */
export type BoxTimes = Map<string, ModelTimes>;

/** Adds the times of a record to those of its box. */
export function learn(boxes: Map<string, BoxTimes>, record: Timed): void {
  const { box, model, status, load_ms, prefill_ms, decode_ms, prompt_tokens } = record;
  if (box === null || model === null || status !== "success") return;
  const times = timesIn(boxes, box);
  const name = withTag(model);
  const before = times.get(name) ?? UNKNOWN;
  const isPrompt = prefill_ms !== null && (prompt_tokens ?? 0) >= PROMPT_TOKENS_MIN;
  const token_ms = isPrompt ? prefill_ms / (prompt_tokens ?? 1) : null;
  const isCached = token_ms !== null && token_ms < (before.token_ms ?? 0);
  times.delete(name);
  times.set(name, {
    load_ms: mean(before.load_ms, load_ms !== null && load_ms > LOAD_MS_MIN ? load_ms : null),
    token_ms: mean(before.token_ms, token_ms, isCached ? NEWEST_CACHED : NEWEST),
    decode_ms: mean(before.decode_ms, decode_ms),
  });
  const [oldest] = times.keys();
  if (times.size > MODELS_MAX && oldest !== undefined) times.delete(oldest);
}

/** Takes the time of a load, unless a record has shown one. */
export function learnLoad(
  boxes: Map<string, BoxTimes>,
  box: string,
  model: string,
  loadMs: number,
): void {
  const times = timesIn(boxes, box);
  const known = times.get(withTag(model)) ?? UNKNOWN;
  times.set(withTag(model), { ...known, load_ms: known.load_ms ?? loadMs });
}

function timesIn(boxes: Map<string, BoxTimes>, box: string): BoxTimes {
  const times = boxes.get(box) ?? new Map();
  boxes.set(box, times);
  return times;
}

function mean(before: number | null, newest: number | null, weight = NEWEST): number | null {
  if (newest === null) return before;
  return before === null ? newest : before + weight * (newest - before);
}

/**
 * Returns the median of the loads in a histogram of seconds, as the middle of its bucket; null without
 * any. Load phases of models in memory are left out.
 */
export function loadMedianMs({ edges, counts }: Histogram): number | null {
  const loads = counts.map((count, bucket) =>
    (edges[bucket - 1] ?? 0) * 1_000 < LOAD_MS_MIN ? 0 : count,
  );
  const total = loads.reduce((sum, count) => sum + count, 0);
  let rank = total / 2;
  for (const [bucket, count] of loads.entries()) {
    rank -= count;
    if (count === 0 || rank > 0) continue;
    const [from, to] = [edges[bucket - 1] ?? 0, edges[bucket] ?? edges.at(-1) ?? 0];
    return 1_000 * Math.sqrt(from * to);
  }
  return null;
}

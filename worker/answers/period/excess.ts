/**
 * Where the time went by which requests took longer than before, exactly: the parts of each request add up
 * to the difference between its time and the mean of all requests before. Pure.
 *
 * Requests are compared with those of the same model on the same box. The rest of the difference is that
 * of another choice of models.
 */
import { placeOf } from "../damage/calls.ts";
import type { PeriodCall } from "./calls.ts";

export const PARTS = [
  "edge",
  "tunnel",
  "queue",
  "load",
  "prompt_length",
  "prompt_rate",
  "answer_length",
  "answer_rate",
  "model",
  "other",
] as const;
export type Part = (typeof PARTS)[number];

/** Milliseconds by which a call took longer, by part. Some may be negative. */
export type Excess = { call: PeriodCall; parts: Record<Part, number> };

/** The means of calls. */
export type UsualTimes = {
  calls: number;
  latencyMs: number;
  edgeMs: number;
  tunnelMs: number;
  queueMs: number;
  loadMs: number;
  promptTokens: number;
  promptTokenMs: number;
  answerTokens: number;
  answerTokenMs: number;
};

/** Fewer calls of a model on a box show no usual times. */
const CALLS_MIN = 5;

/** @param before  at least one */
export function excessesOf(
  calls: readonly PeriodCall[],
  before: readonly PeriodCall[],
): { excesses: Excess[]; usual: ReadonlyMap<string, UsualTimes> } {
  const all = meansOf(before);
  const usual = new Map<string, UsualTimes>();
  for (const [place, ofPlace] of Map.groupBy(before, placeOf))
    if (ofPlace.length >= CALLS_MIN) usual.set(place, meansOf(ofPlace));
  return {
    excesses: calls.map((call) => excessOf(call, usual.get(placeOf(call)) ?? null, all)),
    usual,
  };
}

function excessOf(call: PeriodCall, place: UsualTimes | null, all: UsualTimes): Excess {
  const { edge_ms, tunnel_ms, queue_ms, load_ms } = call;
  const usual = place ?? all;
  const waits = {
    edge: (edge_ms ?? 0) - usual.edgeMs,
    tunnel: (tunnel_ms ?? 0) - usual.tunnelMs,
    queue: (queue_ms ?? 0) - usual.queueMs,
    load: (load_ms ?? 0) - usual.loadMs,
  };
  const total = call.latency_ms - all.latencyMs;
  // Nothing is usual for it, so all but its waits is because this model answers now.
  if (place === null)
    return { call, parts: { ...NOTHING, ...waits, model: total - sumOf(Object.values(waits)) } };
  const prompt = split(
    call.prefill_ms,
    call.prompt_tokens,
    place.promptTokens,
    place.promptTokenMs,
  );
  const answer = split(
    call.decode_ms,
    call.completion_tokens,
    place.answerTokens,
    place.answerTokenMs,
  );
  const known = {
    ...waits,
    prompt_length: prompt.length,
    prompt_rate: prompt.rate,
    answer_length: answer.length,
    answer_rate: answer.rate,
    model: place.latencyMs - all.latencyMs,
  };
  return { call, parts: { ...known, other: total - sumOf(Object.values(known)) } };
}

const NOTHING = Object.fromEntries(PARTS.map((part) => [part, 0])) as Record<Part, number>;

/** Splits the time of a phase by the number of its tokens and the time of each. */
function split(ms: number | null, tokens: number | null, usualTokens: number, usualMs: number) {
  if (ms === null || tokens === null || tokens === 0) return { length: 0, rate: 0 };
  const length = (tokens - usualTokens) * usualMs;
  return { length, rate: ms - usualTokens * usualMs - length };
}

const sumOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);

function meansOf(calls: readonly PeriodCall[]): UsualTimes {
  const mean = (of: (call: PeriodCall) => number | null) =>
    calls.reduce((sum, call) => sum + (of(call) ?? 0), 0) / calls.length;
  const promptTokens = mean(({ prompt_tokens }) => prompt_tokens);
  const answerTokens = mean(({ completion_tokens }) => completion_tokens);
  return {
    calls: calls.length,
    latencyMs: mean(({ latency_ms }) => latency_ms),
    edgeMs: mean(({ edge_ms }) => edge_ms),
    tunnelMs: mean(({ tunnel_ms }) => tunnel_ms),
    queueMs: mean(({ queue_ms }) => queue_ms),
    loadMs: mean(({ load_ms }) => load_ms),
    promptTokens,
    promptTokenMs: promptTokens === 0 ? 0 : mean(({ prefill_ms }) => prefill_ms) / promptTokens,
    answerTokens,
    answerTokenMs: answerTokens === 0 ? 0 : mean(({ decode_ms }) => decode_ms) / answerTokens,
  };
}

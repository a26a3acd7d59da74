/**
 * The phases of an answer without durations, from the times at which its parts arrived, its tokens,
 * and the pace of the model. Pure.
 *
 * Four facts carry it. The prompt is evaluated when the first token arrives. A prompt token takes no
 * longer than a generated one. A loaded model has a small, steady overhead. A model that was just
 * loaded has nothing cached. Where the facts leave too much room, a phase is null.
 */
import type { PhasesMs } from "../measure/phases.ts";
import { type Bounds, both, exactly, later, minus, msWithin, plus, times } from "./bounds.ts";
import type { Overhead } from "./learned.ts";
import type { Residency } from "./residency.ts";

/** An answer as it arrived. Times in ms from sending the request. */
export type ArrivedAnswer = {
  /** Null for an answer in one piece. */
  firstContentMs: number | null;
  /** The arrival of the last part, or of the whole answer. */
  endMs: number;
  /** Parts with content; null if not all were counted. */
  contentParts: number | null;
  promptTokens: number | null;
  /** 0 for embeddings. */
  completionTokens: number | null;
  /** The caller took the answer as fast as Ollama made it. */
  wasPrompt: boolean;
};

export type Circumstances = {
  residency: Residency;
  /** The wait for a parallel slot; null if unknown. */
  wait: Bounds | null;
  /** No other request was open on this box. */
  isAlone: boolean;
  overhead: Overhead | null;
  /** Time of one generated token. */
  decode: Bounds | null;
  /** Time of one prompt token of which nothing is cached. */
  coldPrefill: Bounds | null;
};

export type InferredPhases = PhasesMs & { ttft_ms: number | null };

/** Errors that are accepted in any case. */
const QUEUE_WITHIN_MS = 10;
const LOAD_WITHIN_MS = 5;
const WORK_WITHIN_MS = 1;

/** The pace within one answer is steady within this. */
const STEADY = { lo: 0.9, hi: 1.1 };
/** Parts that show a pace. */
const PARTS_MIN = 5;
/** A prompt that took longer than this many generated tokens did not only evaluate its prompt. */
const SLOWEST = 2;
const SLOWEST_EXTRA_MS = 100;

const NOTHING: InferredPhases = {
  queue_ms: null,
  load_ms: null,
  prefill_ms: null,
  decode_ms: null,
  ttft_ms: null,
};

export function inferPhases(answer: ArrivedAnswer, known: Circumstances): InferredPhases {
  const decode = ownDecode(answer) ?? known.decode;
  return answer.firstContentMs === null
    ? ofWhole(answer, { ...known, decode })
    : ofStream(answer, answer.firstContentMs, { ...known, decode });
}

/** Returns the pace that the parts of a streamed answer show; null if they are too few. */
export function ownDecode({
  firstContentMs,
  endMs,
  contentParts,
  wasPrompt,
}: ArrivedAnswer): Bounds | null {
  if (firstContentMs === null || contentParts === null || contentParts < PARTS_MIN) return null;
  if (!wasPrompt) return null;
  const msPerToken = (endMs - firstContentMs) / (contentParts - 1);
  return { lo: msPerToken * STEADY.lo, hi: msPerToken * STEADY.hi };
}

function ofStream(answer: ArrivedAnswer, firstMs: number, known: Circumstances): InferredPhases {
  const evaluated = evaluatedAt(answer, firstMs, known.decode);
  const decoded = {
    lo: answer.endMs - evaluated.hi,
    hi: answer.endMs - evaluated.lo,
  };
  const decode_ms = answer.wasPrompt && decoded.hi > 0 ? msWithin(decoded, WORK_WITHIN_MS) : null;
  return { ...NOTHING, ...beforeDecode(evaluated, answer, known), decode_ms };
}

/**
 * Returns when the prompt was evaluated. Tokens that make no content of their own (the beginning of a
 * tool call or of thinking) may come before the first content.
 */
function evaluatedAt(answer: ArrivedAnswer, firstMs: number, decode: Bounds | null): Bounds {
  const { completionTokens, contentParts } = answer;
  if (completionTokens === null || contentParts === null) return exactly(firstMs);
  const hidden = completionTokens - contentParts - 1; // the last token ends the answer
  if (hidden <= 0) return exactly(firstMs);
  if (decode === null) return { lo: 0, hi: firstMs };
  return { lo: Math.max(0, firstMs - hidden * decode.hi), hi: firstMs };
}

/** @param until  when the first token is made, from sending the request */
function beforeDecode(
  until: Bounds,
  { promptTokens }: ArrivedAnswer,
  { residency, wait, overhead, decode, coldPrefill }: Circumstances,
): Partial<InferredPhases> {
  if (wait === null || residency === "unknown") return {};
  const longest = longestPrefill(promptTokens, decode);
  if (residency === "loaded") {
    if (overhead === null) return {};
    // A request that waits for a slot has its model, and its prompt rendered, by then.
    const queue = later(minus(wait, overhead.load), overhead.queue);
    const prefill = minus(until, later(wait, overheadOf(overhead)));
    if (longest !== null && prefill.lo > SLOWEST * longest + SLOWEST_EXTRA_MS) return {};
    return {
      queue_ms: msWithin(queue, QUEUE_WITHIN_MS),
      load_ms: msWithin(overhead.load, LOAD_WITHIN_MS),
      prefill_ms: msWithin(prefill, WORK_WITHIN_MS),
    };
  }
  const uncached =
    coldPrefill === null || promptTokens === null ? null : times(coldPrefill, promptTokens);
  const prefill = uncached ?? (longest === null ? null : { lo: 0, hi: longest });
  const queue = plus(wait, overhead?.queue ?? exactly(0));
  return {
    queue_ms: msWithin(queue, QUEUE_WITHIN_MS),
    load_ms: prefill === null ? null : msWithin(minus(until, plus(queue, prefill)), LOAD_WITHIN_MS),
    prefill_ms: msWithin(uncached, WORK_WITHIN_MS),
  };
}

function ofWhole(answer: ArrivedAnswer, known: Circumstances): InferredPhases {
  const { promptTokens, completionTokens, endMs } = answer;
  const { wait, overhead, decode, residency } = known;
  if (wait === null || completionTokens === null || !known.isAlone) return NOTHING;
  // The first token belongs to the prompt.
  const steps = Math.max(0, completionTokens - 1);
  let decoded = steps === 0 ? exactly(0) : decode === null ? null : times(decode, steps);
  if (residency === "loaded" && overhead !== null) {
    const work = minus(exactly(endMs), later(wait, overheadOf(overhead)));
    const longest = longestPrefill(promptTokens, decode);
    const left = longest === null ? null : minus(work, { lo: 0, hi: longest });
    if (steps > 0 && left !== null) decoded = decoded === null ? left : both(decoded, left);
  }
  if (decoded === null) return NOTHING;
  const evaluated = minus(exactly(endMs), decoded);
  const before = beforeDecode(evaluated, answer, known);
  const { prefill_ms = null } = before;
  return {
    ...NOTHING,
    ...before,
    decode_ms: steps === 0 ? null : msWithin(decoded, WORK_WITHIN_MS),
    // Vectors have no first token.
    ttft_ms:
      prefill_ms === null || completionTokens === 0 ? null : msWithin(evaluated, WORK_WITHIN_MS),
  };
}

const overheadOf = ({ load, queue }: Overhead): Bounds => plus(load, queue);

function longestPrefill(promptTokens: number | null, decode: Bounds | null): number | null {
  return promptTokens === null || decode === null ? null : promptTokens * decode.hi;
}

/**
 * How much of a prompt Ollama had in its cache, estimated. It reports the tokens of the whole prompt, and
 * the time of those that it read, so a cached part shows as a pace that no GPU has. Pure.
 */
import { type FinishedCall, isLoad } from "./calls.ts";
import { medianOf } from "./slow.ts";

/** A shorter prompt takes about as long as none. */
const TOKENS_MIN = 64;
/** Longer prompts are read in larger parts, so only prompts of about the same length show a pace. */
const ALIKE = 4;
/** The first prompt after a load is read whole: this many show the pace. */
const AFTER_LOAD_MIN = 3;
/** Without those, the slowest tenth of this many calls: one of them was read whole. */
const CALLS_MIN = 20;
const SLOWEST = 0.9;

/** The prompt of a call, and the time that reading it took. */
export type PromptRead = Pick<FinishedCall, "prompt_tokens" | "prefill_ms">;

/**
 * @param others  finished calls of its model on its box, each beside no other one
 * @returns tokens of the prompt of a call that were cached; null if too few calls show the pace
 */
export function cachedTokensOf(call: PromptRead, others: readonly FinishedCall[]): number | null {
  const { prompt_tokens: tokens, prefill_ms } = call;
  if (tokens === null || prefill_ms === null || tokens < TOKENS_MIN) return null;
  const tokenMs = tokenMsOf(tokens, others);
  return tokenMs === null ? null : Math.round(Math.max(0, tokens - prefill_ms / tokenMs));
}

/** The time of one token of a prompt of that length of which nothing is cached. */
function tokenMsOf(tokens: number, calls: readonly FinishedCall[]): number | null {
  const paces = calls.flatMap((call) => {
    const { prompt_tokens: others, prefill_ms } = call;
    if (others === null || prefill_ms === null || others < TOKENS_MIN) return [];
    if (others > ALIKE * tokens || tokens > ALIKE * others) return [];
    return { tokenMs: prefill_ms / others, isAfterLoad: isLoad(call) };
  });
  const whole = paces.flatMap(({ tokenMs, isAfterLoad }) => (isAfterLoad ? tokenMs : []));
  if (whole.length >= AFTER_LOAD_MIN) return medianOf(whole);
  if (paces.length < CALLS_MIN) return null;
  const sorted = paces.map(({ tokenMs }) => tokenMs).sort((a, b) => a - b);
  return sorted[Math.floor(SLOWEST * sorted.length)] ?? null;
}

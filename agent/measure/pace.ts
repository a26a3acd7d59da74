/** The phase and the pace of a streamed answer that is on its way. Pure. */
import type { OpenRequest } from "../../protocol/inventory.ts";
import type { AnswerArrival } from "./tally.ts";

export type AnswerPace = Pick<OpenRequest, "phase" | "completion_tokens" | "tokens_per_second">;

export const NO_ANSWER_PACE: AnswerPace = {
  phase: null,
  completion_tokens: null,
  tokens_per_second: null,
};

/**
 * Counts parts with content: Ollama sends nearly every token in a part of its own. A stream that
 * stands still becomes slower.
 */
export function answerPaceOf(
  { firstContentMs, contentParts }: AnswerArrival,
  nowMs: number,
): AnswerPace {
  if (firstContentMs === null) return { ...NO_ANSWER_PACE, phase: "prefill" };
  const seconds = (nowMs - firstContentMs) / 1_000;
  const isTimed = contentParts !== null && contentParts > 1 && seconds > 0;
  return {
    phase: "decode",
    completion_tokens: contentParts,
    // The first token belongs to the prompt.
    tokens_per_second: isTimed ? Math.round((10 * (contentParts - 1)) / seconds) / 10 : null,
  };
}

/**
 * Answers of `/v1/chat/completions` and `/v1/completions`.
 *
 * Ollama makes one choice. In a stream the usage is in an event of its own, with `choices:[]`,
 * and only when the request asked for it; `[DONE]` ends the stream. A failure in the middle is
 * not said at all: an empty chunk comes, then the end without `[DONE]`.
 *
 * @see https://github.com/ollama/ollama/blob/main/openai/openai.go
 * @see https://github.com/ollama/ollama/blob/main/middleware/openai.go (ChatWriter, CompleteWriter)
 */
import { z } from "zod";
import { type AnswerDialect, type AnswerPart, errorText, optional } from "./answer-part.ts";

const Spoken = optional.object({
  content: optional.text,
  reasoning: optional.text,
  tool_calls: optional.list(z.unknown()),
});

const Answer = z.object({
  choices: optional.list(
    z.object({
      delta: Spoken,
      message: Spoken,
      text: optional.text,
      finish_reason: optional.reason,
    }),
  ),
  usage: optional.object({ prompt_tokens: optional.count, completion_tokens: optional.count }),
  error: optional.any,
});

/** What a chunk says; `[DONE]`, which ends the stream, is no chunk. */
function partOfChunk(value: unknown): AnswerPart {
  const parsed = Answer.safeParse(value);
  if (!parsed.success) return {};
  const { choices, usage, error } = parsed.data;
  const choice = choices?.[0];
  const spoken = choice?.delta ?? choice?.message;
  const text = spoken?.content ?? choice?.text;
  return {
    text,
    hasContent:
      Boolean(text) || Boolean(spoken?.reasoning) || (spoken?.tool_calls?.length ?? 0) > 0,
    promptTokens: usage?.prompt_tokens,
    completionTokens: usage?.completion_tokens,
    doneReason: choice?.finish_reason,
    error: errorText(error),
    isUsageOnly: usage !== undefined && choices?.length === 0,
  };
}

function partOfCompletion(value: unknown): AnswerPart {
  const said = partOfChunk(value);
  return { ...said, isLast: said.doneReason !== undefined };
}

export const openai: AnswerDialect = {
  streamed: partOfChunk,
  whole: partOfCompletion,
  endMark: "[DONE]",
  streamEnd: "its last event ([DONE])",
  wholeEnd: "a finish_reason",
};

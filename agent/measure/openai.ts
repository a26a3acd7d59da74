/**
 * Answers of `/v1/chat/completions` and `/v1/completions`.
 *
 * Ollama returns one choice. In a stream the usage is in a separate event with `choices:[]`, and
 * only if the request wanted it; `[DONE]` ends the stream. A failure in the middle is not reported
 * at all: an empty chunk arrives, then the end without `[DONE]`.
 *
 * @see https://github.com/ollama/ollama/blob/main/openai/openai.go
 * @see https://github.com/ollama/ollama/blob/main/middleware/openai.go (ChatWriter, CompleteWriter)
 */
import * as z from "zod";
import {
  type AnswerDialect,
  type AnswerPart,
  callsOf,
  errorText,
  optional,
} from "./answer-part.ts";

const Message = optional.object({
  content: optional.text,
  reasoning: optional.text,
  tool_calls: optional.list(z.unknown()),
});

const Answer = z.object({
  choices: optional.list(
    z.object({
      delta: Message,
      message: Message,
      text: optional.text,
      finish_reason: optional.reason,
    }),
  ),
  usage: optional.object({ prompt_tokens: optional.count, completion_tokens: optional.count }),
  error: optional.any,
});

/** Parses a chunk. `[DONE]`, which ends the stream, is not a chunk. */
function partOfChunk(value: unknown): AnswerPart {
  const parsed = Answer.safeParse(value);
  if (!parsed.success) return {};
  const { choices, usage, error } = parsed.data;
  const choice = choices?.[0];
  const message = choice?.delta ?? choice?.message;
  const text = message?.content ?? choice?.text;
  return {
    text,
    thinking: message?.reasoning,
    calls: callsOf(message?.tool_calls),
    hasContent:
      Boolean(text) || Boolean(message?.reasoning) || (message?.tool_calls?.length ?? 0) > 0,
    promptTokens: usage?.prompt_tokens,
    completionTokens: usage?.completion_tokens,
    doneReason: choice?.finish_reason,
    error: errorText(error),
    isUsageOnly: usage !== undefined && choices?.length === 0,
  };
}

function partOfCompletion(value: unknown): AnswerPart {
  const part = partOfChunk(value);
  return { ...part, isLast: part.doneReason !== undefined };
}

export const openai: AnswerDialect = {
  streamed: partOfChunk,
  whole: partOfCompletion,
  endMark: "[DONE]",
  streamEnd: "its last event ([DONE])",
  wholeEnd: "a finish_reason",
};

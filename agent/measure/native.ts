/**
 * Answers of Ollama's own API: generate, chat, and the progress of pull, push and create.
 *
 * Streamed or not, the objects are the same. The last (or only) one has `done:true`, the counts,
 * and durations in integer nanoseconds. Any figure may be missing.
 *
 * @see https://github.com/ollama/ollama/blob/main/api/types.go (ChatResponse, GenerateResponse,
 *   Metrics)
 */
import * as z from "zod";
import {
  type AnswerDialect,
  type AnswerPart,
  callsOf,
  errorText,
  optional,
} from "./answer-part.ts";

const content = { thinking: optional.text, tool_calls: optional.list(z.unknown()) };

const Answer = z.object({
  ...content,
  response: optional.text,
  message: optional.object({ ...content, content: optional.text }),
  done: optional.flag,
  done_reason: optional.reason,
  error: optional.any,
  total_duration: optional.nanoseconds,
  load_duration: optional.nanoseconds,
  prompt_eval_count: optional.count,
  prompt_eval_duration: optional.nanoseconds,
  eval_count: optional.count,
  eval_duration: optional.nanoseconds,
});

/** Parses one object of `/api/chat` or `/api/generate`. */
function partOfAnswer(value: unknown): AnswerPart {
  const parsed = Answer.safeParse(value);
  if (!parsed.success) return {};
  const answer = parsed.data;
  const text = answer.message?.content ?? answer.response;
  const { thinking, tool_calls } = answer.message ?? answer;
  const part: AnswerPart = {
    text,
    thinking,
    calls: callsOf(tool_calls),
    hasContent: Boolean(text) || Boolean(thinking) || (tool_calls?.length ?? 0) > 0,
  };
  if (answer.error !== undefined) part.error = errorText(answer.error);
  if (answer.done !== true) return part;
  return {
    ...part,
    isLast: true,
    doneReason: answer.done_reason,
    promptTokens: answer.prompt_eval_count,
    completionTokens: answer.eval_count,
    totalNs: answer.total_duration,
    loadNs: answer.load_duration,
    prefillNs: answer.prompt_eval_duration,
    decodeNs: answer.eval_duration,
  };
}

export const native: AnswerDialect = {
  streamed: partOfAnswer,
  whole: partOfAnswer,
  endMark: null,
  streamEnd: "its last line (done:true)",
  wholeEnd: "done:true",
};

const Progress = z.object({ status: optional.text, error: optional.any });

/**
 * Parses one object of a pull, push or create, which succeeded only if the last one is `success`.
 */
function partOfProgress(value: unknown): AnswerPart {
  const parsed = Progress.safeParse(value);
  if (!parsed.success) return {};
  return { isLast: parsed.data.status === "success", error: errorText(parsed.data.error) };
}

export const progress: AnswerDialect = {
  streamed: partOfProgress,
  whole: partOfProgress,
  endMark: null,
  streamEnd: "its last line (status success)",
  wholeEnd: "status success",
};

/**
 * Answers of `/v1/messages`.
 *
 * The usage in `message_start` is an estimate (the length of the prompt / 4). The usage in
 * `message_delta` arrives later and is final, so it replaces the estimate. Before Ollama 0.15.5 it
 * had no `input_tokens`, which leaves only the estimate.
 *
 * @see https://github.com/ollama/ollama/blob/main/anthropic/anthropic.go (StreamConverter)
 * @see https://github.com/ollama/ollama/pull/13934 (input_tokens in message_delta)
 */
import * as z from "zod";
import {
  type AnswerDialect,
  type AnswerPart,
  errorText,
  jsonOf,
  optional,
  type ToolCallPiece,
} from "./answer-part.ts";

const Usage = optional.object({ input_tokens: optional.count, output_tokens: optional.count });
const Block = z.object({
  type: optional.text,
  text: optional.text,
  thinking: optional.text,
  name: optional.text,
  input: optional.any,
});
type Block = z.infer<typeof Block>;

const Event = z.object({
  type: optional.text,
  message: optional.object({ usage: Usage }),
  content_block: optional.object(Block.shape),
  delta: optional.object({
    text: optional.text,
    thinking: optional.text,
    partial_json: optional.text,
    stop_reason: optional.reason,
  }),
  usage: Usage,
  error: optional.any,
});

/** A block of text or thinking begins empty; any other (a tool call or result) begins complete. */
const hasContent = ({ type, text, thinking }: Block) =>
  Boolean(text) || Boolean(thinking) || (type !== "text" && type !== "thinking");

/** Returns the tool call of a block. Its input is empty where a stream sends it in pieces. */
function callsOfBlock({ type, name, input }: Block): ToolCallPiece[] {
  if (type !== "tool_use" || name === undefined) return [];
  const argumentsJson = jsonOf(input);
  return [{ name, argumentsJson: argumentsJson === "{}" ? undefined : argumentsJson }];
}

function partOfEvent(value: unknown): AnswerPart {
  const parsed = Event.safeParse(value);
  if (!parsed.success) return {};
  const { type, message, content_block: block, delta, usage, error } = parsed.data;
  switch (type) {
    case "message_start":
      return { promptTokens: message?.usage?.input_tokens };
    case "content_block_start":
      if (block === undefined) return {};
      return {
        text: block.text,
        thinking: block.thinking,
        calls: callsOfBlock(block),
        hasContent: hasContent(block),
      };
    case "content_block_delta":
      return {
        text: delta?.text,
        thinking: delta?.thinking,
        calls: [{ argumentsJson: delta?.partial_json }],
        hasContent:
          Boolean(delta?.text) || Boolean(delta?.thinking) || Boolean(delta?.partial_json),
      };
    case "message_delta":
      return {
        promptTokens: usage?.input_tokens,
        completionTokens: usage?.output_tokens,
        doneReason: delta?.stop_reason,
      };
    case "message_stop":
      return { isLast: true };
    case "error":
      return { error: errorText(error ?? {}) };
    default:
      return { error: errorText(error) };
  }
}

const Message = z.object({
  content: optional.list(Block),
  usage: Usage,
  stop_reason: optional.reason,
  error: optional.any,
});

function partOfMessage(value: unknown): AnswerPart {
  const parsed = Message.safeParse(value);
  if (!parsed.success) return {};
  const { content = [], usage, stop_reason, error } = parsed.data;
  return {
    text: content.map((block) => block.text ?? "").join(""),
    thinking: content.map((block) => block.thinking ?? "").join(""),
    calls: content.flatMap(callsOfBlock),
    hasContent: content.some(hasContent),
    promptTokens: usage?.input_tokens,
    completionTokens: usage?.output_tokens,
    doneReason: stop_reason,
    isLast: stop_reason !== undefined,
    error: errorText(error),
  };
}

export const anthropic: AnswerDialect = {
  streamed: partOfEvent,
  whole: partOfMessage,
  endMark: null,
  streamEnd: "its last event (message_stop)",
  wholeEnd: "a stop_reason",
};

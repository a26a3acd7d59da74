/**
 * Answers of `/v1/responses`.
 *
 * A stream repeats its text in `…done` events, so only the deltas count as content. It ends with
 * `response.completed`, `response.incomplete` (a limit was reached, which is not a failure) or
 * `response.failed`, each with the whole response in it.
 *
 * @see https://github.com/ollama/ollama/blob/main/openai/responses.go
 */
import * as z from "zod";
import {
  type AnswerDialect,
  type AnswerPart,
  errorText,
  optional,
  type ToolCallPiece,
} from "./answer-part.ts";

const Texts = optional.list(z.object({ text: optional.text }));
const Item = z.object({
  type: optional.text,
  content: Texts,
  summary: Texts,
  name: optional.text,
  arguments: optional.text,
});
type Item = z.infer<typeof Item>;

const response = {
  status: optional.reason,
  error: optional.any,
  output: optional.list(Item),
  usage: optional.object({ input_tokens: optional.count, output_tokens: optional.count }),
};
const Response = z.object(response);
type Response = z.infer<typeof Response>;

const Event = z.object({
  type: optional.text,
  delta: optional.text,
  item: optional.object(Item.shape),
  /** The text of an `error` event, where OpenAI puts it. */
  message: optional.text,
  error: optional.any,
  response: optional.object(response),
});

const ENDS = new Set(["completed", "incomplete", "failed"]);

/** Returns the end of a response and its usage, without its text. */
const endOf = ({ status, usage, error }: Response): AnswerPart => ({
  doneReason: status,
  promptTokens: usage?.input_tokens,
  completionTokens: usage?.output_tokens,
  isLast: status !== undefined && ENDS.has(status),
  error: errorText(error ?? (status === "failed" ? {} : undefined)),
});

function partOfEvent(value: unknown): AnswerPart {
  const parsed = Event.safeParse(value);
  if (!parsed.success) return {};
  const { type, delta, item, message, error, response } = parsed.data;
  switch (type) {
    case "response.output_text.delta":
      return { text: delta, hasContent: Boolean(delta) };
    case "response.reasoning_summary_text.delta":
    case "response.reasoning_text.delta":
      return { thinking: delta, hasContent: Boolean(delta) };
    case "response.output_item.added":
      return { calls: callsOfItem(item, undefined) };
    case "response.function_call_arguments.delta":
      return { calls: [{ argumentsJson: delta }], hasContent: Boolean(delta) };
    case "response.completed":
    case "response.incomplete":
    case "response.failed":
      return endOf({ ...response, status: type.slice("response.".length) });
    case "error":
      return { error: errorText(message ?? error ?? {}) };
    default:
      return { error: errorText(error) };
  }
}

/** @param argumentsJson  undefined where a stream sends them in events of their own */
const callsOfItem = (item: Item | undefined, argumentsJson: string | undefined): ToolCallPiece[] =>
  item?.type === "function_call" && item.name !== undefined
    ? [{ name: item.name, argumentsJson }]
    : [];

const joined = (texts: Item["content"] = []): string => texts.map(({ text = "" }) => text).join("");

function partOfResponse(value: unknown): AnswerPart {
  const parsed = Response.safeParse(value);
  if (!parsed.success) return {};
  const { output = [] } = parsed.data;
  const text = output
    .map(({ type, content }) => (type === "message" ? joined(content) : ""))
    .join("");
  return {
    ...endOf(parsed.data),
    text,
    thinking: output
      .map(({ type, content, summary }) =>
        type === "reasoning" ? joined(content) || joined(summary) : "",
      )
      .join(""),
    calls: output.flatMap((item) => callsOfItem(item, item.arguments)),
    hasContent: text !== "" || output.some((item) => item.type !== "message"),
  };
}

export const responses: AnswerDialect = {
  streamed: partOfEvent,
  whole: partOfResponse,
  endMark: null,
  streamEnd: "its last event (response.completed)",
  wholeEnd: "status completed",
};

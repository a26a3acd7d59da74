/**
 * One line, event or object of an answer in a common form, and lenient schemas to parse it.
 *
 * Lenient: unknown fields are ignored, a field of the wrong type counts as missing, and nothing
 * throws. A newer Ollama must not turn good answers into errors. Zod also parses the chunk of every
 * token: it costs less than the `JSON.parse` before it (0.5 µs against 0.8 µs on Node 24).
 */
import * as z from "zod";

/** A missing field is unknown. If a later part repeats a field, the later value counts. */
export type AnswerPart = {
  /** A piece of the answer's text. Thinking and tool calls are content, but not text. */
  text?: string | undefined;
  /** A piece of the model's thinking. */
  thinking?: string | undefined;
  /** Tool calls, whole or in pieces. */
  calls?: readonly ToolCallPiece[];
  /** True if the part carries content: text, thinking, a tool call or an embedding. */
  hasContent?: boolean;
  promptTokens?: number | undefined;
  completionTokens?: number | undefined;
  /** Ollama's own durations, nanoseconds. */
  totalNs?: number | undefined;
  loadNs?: number | undefined;
  prefillNs?: number | undefined;
  decodeNs?: number | undefined;
  doneReason?: string | undefined;
  error?: string | undefined;
  /** True if the answer may end after this part. */
  isLast?: boolean;
  /** True if the part was sent only because usage was requested (OpenAI streams). */
  isUsageOnly?: boolean;
};

/**
 * A piece of a tool call. A piece with a name begins a new call; the others continue the last one.
 */
export type ToolCallPiece = { name?: string | undefined; argumentsJson?: string | undefined };

/** Parses the answers of some endpoints. Its functions never throw. */
export type AnswerDialect = {
  /** Parses one line or event of a streamed answer. */
  streamed(value: unknown): AnswerPart;
  /** Parses an answer that is not streamed. */
  whole(value: unknown): AnswerPart;
  /** A line that is not JSON and ends a stream; null if the API has none. */
  endMark: "[DONE]" | null;
  /** Name of the part that ends a streamed answer, for error messages. */
  streamEnd: string;
  /** Name of the field that shows that a whole answer is complete, for error messages. */
  wholeEnd: string;
};

const maybe = <Schema extends z.ZodType>(schema: Schema) => schema.optional().catch(undefined);

export const optional = {
  object: <Shape extends z.ZodRawShape>(shape: Shape) => maybe(z.object(shape)),
  list: <Item extends z.ZodType>(item: Item) => maybe(z.array(item)),
  any: z.unknown().optional(),
  text: maybe(z.string()),
  flag: maybe(z.boolean()),
  /**
   * Tokens. Ollama leaves out unknown counts, and its OpenAI and Anthropic layers write them as 0,
   * so 0 means unknown here.
   */
  count: maybe(z.int().positive()),
  nanoseconds: maybe(z.number().nonnegative()),
  /** Short enough for a record. */
  reason: maybe(z.string().min(1).max(64)),
};

/** One tool call as Ollama's API (arguments as an object) and OpenAI's (as a text) write it. */
const ToolCall = z.object({
  function: optional.object({ name: optional.text, arguments: optional.any }),
});

/** Returns the calls of a `tool_calls` list. Calls in an unknown form are left out. */
export const callsOf = (calls: readonly unknown[] | undefined): ToolCallPiece[] =>
  (calls ?? []).flatMap((call) => {
    const parsed = ToolCall.safeParse(call).data?.function;
    return parsed === undefined
      ? []
      : [{ name: parsed.name, argumentsJson: jsonOf(parsed.arguments) }];
  });

/** Returns arguments as JSON: a text already is JSON, or a piece of it. */
export const jsonOf = (value: unknown): string | undefined =>
  typeof value === "string" ? value : JSON.stringify(value);

const ErrorText = z.union([
  z.string().min(1),
  z.object({ message: z.string().min(1) }).transform((error) => error.message),
]);

/**
 * Returns the text of an `error` field: a string in Ollama's API, an object in OpenAI's and
 * Anthropic's. Undefined if there is no error.
 */
export function errorText(error: unknown): string | undefined {
  if (error === undefined || error === null) return undefined;
  const text = ErrorText.safeParse(error);
  return text.success ? text.data : "Ollama reported an error without a message";
}

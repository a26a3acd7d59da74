/**
 * What one line, event or object of an answer says, in our words; and the lenient schemas to
 * read it with.
 *
 * Lenient: unknown fields are ignored, a field of a wrong type is a field that is not there, and
 * nothing throws. A newer Ollama must not turn good answers into errors. Zod reads every token's
 * chunk too: it costs less than the `JSON.parse` before it (0.5 against 0.8 µs on Node 24).
 */
import { z } from "zod";

/** What is absent was not said. Said again, the later one holds. */
export type AnswerPart = {
  /** A piece of the answer's text. Thinking and tool calls are content, but not text. */
  text?: string | undefined;
  /** Carries something a caller waits for: text, thinking, a tool call or an embedding. */
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
  /** The answer may end properly after this. */
  isLast?: boolean;
  /** Is there only because usage was asked for (OpenAI streams). */
  isUsageOnly?: boolean;
};

/** How the answers of some endpoints are to be read. The functions throw nothing. */
export type AnswerDialect = {
  /** One line or event of a streamed answer. */
  streamed(value: unknown): AnswerPart;
  /** The one object of an answer that is not streamed. */
  whole(value: unknown): AnswerPart;
  /** A line that is not JSON and ends a stream. */
  endMark: "[DONE]" | null;
  /** What a streamed answer ends with, in words. */
  streamEnd: string;
  /** What shows that a whole answer is complete, in words. */
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
   * Tokens. Ollama leaves out what it does not know, and its OpenAI and Anthropic layers write
   * that as 0, so 0 is unknown here.
   */
  count: maybe(z.int().positive()),
  nanoseconds: maybe(z.number().nonnegative()),
  /** Short enough for a record. */
  reason: maybe(z.string().min(1).max(64)),
};

const ErrorText = z.union([
  z.string().min(1),
  z.object({ message: z.string().min(1) }).transform((error) => error.message),
]);

/** The words of an `error` field, native (a string) or OpenAI and Anthropic (an object); undefined where there is none. */
export function errorText(error: unknown): string | undefined {
  if (error === undefined || error === null) return undefined;
  const words = ErrorText.safeParse(error);
  return words.success ? words.data : "Ollama said that there was an error, but not which";
}

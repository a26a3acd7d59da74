/**
 * The answers of the stand-in Ollama, byte by byte: what it sends and what a caller must receive.
 *
 * They have the shape of Ollama's native chat but are the same on every call, so that the load
 * client can compare each byte. Every token differs from the others, so one that is lost, doubled
 * or out of order is found.
 */

export const MODEL = "bench:latest";

/** Tokens of the short unstreamed answer. */
export const SHORT_TOKENS = 8;

const CREATED_AT = "2026-01-01T00:00:00.123456Z";
const TOKEN_NS = 1_000_000;

const token = (index: number): string => ` t${index}`;

const finalOf = (tokens: number) => ({
  done_reason: "stop",
  done: true,
  total_duration: tokens * TOKEN_NS + 400_000,
  load_duration: 100_000,
  prompt_eval_count: 26,
  prompt_eval_duration: 200_000,
  eval_count: tokens,
  eval_duration: tokens * TOKEN_NS,
});

const lineOf = (content: string, rest: object): string =>
  `${JSON.stringify({ model: MODEL, created_at: CREATED_AT, message: { role: "assistant", content }, ...rest })}\n`;

/** Returns one line per token, and then the line with the counts. */
export const streamedLines = (tokens: number): string[] => [
  ...Array.from({ length: tokens }, (_, index) => lineOf(token(index), { done: false })),
  lineOf("", finalOf(tokens)),
];

/** Returns the answer to `stream: false`. */
export const wholeAnswer = (tokens: number): string =>
  lineOf(
    Array.from({ length: tokens }, (_, index) => token(index)).join(""),
    finalOf(tokens),
  ).trimEnd();

export type AnswerPlan = { tokens: number; tokenMs: number; stream: boolean };

/**
 * Returns the body of a call. The pace travels in the options, which nothing on the way to Ollama
 * reads.
 */
export const bodyOf = ({ tokens, tokenMs, stream }: AnswerPlan): string =>
  JSON.stringify({
    model: MODEL,
    messages: [{ role: "user", content: "Why is the sky blue? Answer in one short paragraph." }],
    stream,
    options: { num_predict: tokens, token_ms: tokenMs },
  });

/** Returns the exact bytes that a caller must receive. */
export const expectedOf = ({ tokens, stream }: AnswerPlan): Buffer =>
  Buffer.from(stream ? streamedLines(tokens).join("") : wholeAnswer(tokens));

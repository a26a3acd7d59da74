/**
 * The answers of the stand-in Ollama, byte by byte: what it sends, and what a caller must receive.
 *
 * Shaped like Ollama's native chat, but the same on every call, so that the load client can compare
 * each byte. Every token differs from the others: one that is lost, doubled or out of order shows.
 */

export const MODEL = "bench:latest";

/** Tokens of the short answer that is not streamed. */
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

/** One line per token, then the one with the counts. */
export const streamedLines = (tokens: number): string[] => [
  ...Array.from({ length: tokens }, (_, index) => lineOf(token(index), { done: false })),
  lineOf("", finalOf(tokens)),
];

/** The answer of `stream: false`. */
export const wholeAnswer = (tokens: number): string =>
  lineOf(
    Array.from({ length: tokens }, (_, index) => token(index)).join(""),
    finalOf(tokens),
  ).trimEnd();

export type Ask = { tokens: number; tokenMs: number; stream: boolean };

/** The body of a call. The pace travels in the options, where the way to Ollama does not look. */
export const bodyOf = ({ tokens, tokenMs, stream }: Ask): string =>
  JSON.stringify({
    model: MODEL,
    messages: [{ role: "user", content: "Why is the sky blue? Answer in one short paragraph." }],
    stream,
    options: { num_predict: tokens, token_ms: tokenMs },
  });

/** What a caller must receive, to the byte. */
export const expectedOf = ({ tokens, stream }: Ask): Buffer =>
  Buffer.from(stream ? streamedLines(tokens).join("") : wholeAnswer(tokens));

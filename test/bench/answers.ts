/**
 * The answers of the stand-in Ollama, byte by byte: what it sends and what a caller must receive.
 *
 * They have the shape of Ollama's native chat, or of OpenAI's at its path, but are the same on every call, so
 * that the load client can compare each byte. Every token differs from the others, so one that is lost, doubled
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

/** The API of a call: Ollama's own, or OpenAI's, which every gateway understands. */
export type ChatApi = "native" | "openai";
export const OPENAI_PATH = "/v1/chat/completions";
export const apiOf = (path: string): ChatApi => (path === OPENAI_PATH ? "openai" : "native");

const OPENAI_CHAT = { id: "chatcmpl-bench", created: 1_767_225_600, model: MODEL };

const eventOf = (choice: object): string =>
  `data: ${JSON.stringify({ ...OPENAI_CHAT, object: "chat.completion.chunk", choices: [choice] })}\n\n`;

/** Returns one part per token, and then the last one. */
export function streamedParts(tokens: number, api: ChatApi): string[] {
  const texts = Array.from({ length: tokens }, (_, index) => token(index));
  if (api === "native")
    return [...texts.map((text) => lineOf(text, { done: false })), lineOf("", finalOf(tokens))];
  const parts = texts.map((content) =>
    eventOf({ index: 0, delta: { content }, finish_reason: null }),
  );
  return [...parts, `${eventOf({ index: 0, delta: {}, finish_reason: "stop" })}data: [DONE]\n\n`];
}

/** Returns the answer to `stream: false`. */
export function wholeAnswer(tokens: number, api: ChatApi = "native"): string {
  const content = Array.from({ length: tokens }, (_, index) => token(index)).join("");
  if (api === "native") return lineOf(content, finalOf(tokens)).trimEnd();
  const message = { role: "assistant", content };
  const usage = { prompt_tokens: 26, completion_tokens: tokens, total_tokens: 26 + tokens };
  const choices = [{ index: 0, message, finish_reason: "stop" }];
  return JSON.stringify({ ...OPENAI_CHAT, object: "chat.completion", choices, usage });
}

export type AnswerPlan = { tokens: number; tokenMs: number; stream: boolean };

/**
 * Returns the body of a call. Its plan travels in the options, which nothing on the way to Ollama
 * reads, and in the prompt, since a gateway for OpenAI's API drops the options.
 */
export const bodyOf = ({ tokens, tokenMs, stream }: AnswerPlan, api: ChatApi = "native"): string =>
  JSON.stringify({
    model: MODEL,
    messages: [{ role: "user", content: `Why is the sky blue? [${tokens} tokens, ${tokenMs} ms]` }],
    stream,
    ...(api === "native" && { options: { num_predict: tokens, token_ms: tokenMs } }),
  });

/** @throws if it is not of {@link bodyOf} */
export function planOf(body: string): AnswerPlan {
  const { stream, options, messages } = JSON.parse(body) as {
    stream?: boolean;
    options?: { num_predict: number; token_ms: number };
    messages: { content: string }[];
  };
  if (options !== undefined)
    return { tokens: options.num_predict, tokenMs: options.token_ms, stream: stream === true };
  const [, tokens, tokenMs] =
    /\[(\d+) tokens, ([\d.]+) ms\]/.exec(messages[0]?.content ?? "") ?? [];
  if (tokens === undefined) throw new Error(`no plan in ${body.slice(0, 200)}`);
  return { tokens: Number(tokens), tokenMs: Number(tokenMs), stream: stream === true };
}

/** Returns the exact bytes that a caller must receive. */
export const expectedOf = ({ tokens, stream }: AnswerPlan, api: ChatApi = "native"): Buffer =>
  Buffer.from(stream ? streamedParts(tokens, api).join("") : wholeAnswer(tokens, api));

/** A stored request as a call for a terminal. Pure. */
import type { LogEntry } from "../../protocol/api/logs.ts";

type Call = Pick<LogEntry, "endpoint" | "api" | "model" | "prompt" | "stream" | "key_id">;

/** Stands for a text that was not stored. */
export const NO_PROMPT = "(the prompt was not stored)";
/** Ends a text that a record does not hold whole, see `cut` in protocol/records.ts. */
const CUT = /… \[\d+ more characters cut\]$/;

/** Returns whether the record holds the whole text of the prompt. */
export const holdsPrompt = ({ prompt }: Pick<LogEntry, "prompt">): boolean =>
  prompt !== null && prompt !== "" && !CUT.test(prompt);

type BodyOf = (text: string) => Record<string, unknown>;
const chat: BodyOf = (text) => ({ messages: [{ role: "user", content: text }] });
const prompt: BodyOf = (text) => ({ prompt: text });
const input: BodyOf = (text) => ({ input: text });

/** The body of each endpoint that a text alone makes a call of. */
const BODIES: Record<string, BodyOf> = {
  "/api/chat": chat,
  "/v1/chat/completions": chat,
  "/v1/messages": (text) => ({ max_tokens: 1_024, ...chat(text) }),
  "/api/generate": prompt,
  "/v1/completions": prompt,
  "/v1/images/generations": prompt,
  "/v1/responses": input,
  "/api/embed": input,
  "/v1/embeddings": input,
  "/api/embeddings": prompt,
};

/** Returns null for a call that its record does not describe. */
export function curlOf(call: Call, origin: string): string | null {
  const bodyOf = BODIES[call.endpoint];
  if (bodyOf === undefined || call.model === null) return null;
  const streams = call.api === "ollama" ? !call.stream && { stream: false } : call.stream;
  const body = {
    model: call.model,
    ...bodyOf(call.prompt ?? NO_PROMPT),
    ...(streams === true ? { stream: true } : streams),
  };
  const path = call.api === "ollama" ? `/ollama${call.endpoint}` : call.endpoint;
  return [
    `curl -N ${origin}${path}`,
    `-H 'content-type: application/json'`,
    ...(call.key_id === null ? [] : [`-H "authorization: Bearer $API_KEY"`]),
    `-d ${quoted(JSON.stringify(body))}`,
  ].join(" \\\n  ");
}

/** Quotes a text for a POSIX shell. */
export const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

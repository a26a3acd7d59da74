/**
 * The error text of an answer with a status of 400 or more: Ollama's, OpenAI's or Anthropic's JSON,
 * or plain text.
 */
import * as z from "zod";
import { errorText } from "./answer-part.ts";

const ErrorBody = z.object({ error: z.unknown() });

/** @param body  the whole body as text */
export function errorBodyText(status: number, body: string): string {
  const text = body.trim();
  if (text === "") return emptyBodyText(status);
  try {
    const parsed = ErrorBody.safeParse(JSON.parse(text));
    return (parsed.success ? errorText(parsed.data.error) : undefined) ?? text;
  } catch {
    return text; // e.g. `404 page not found`, or the page of a proxy
  }
}

/**
 * Ollama's only error without a text is its answer to a foreign Host or Origin.
 * @see https://github.com/ollama/ollama/blob/main/server/routes.go (allowedHostsMiddleware)
 */
const emptyBodyText = (status: number): string =>
  status === 403
    ? "Ollama rejected the Host or Origin header (HTTP 403 without a text)"
    : `Ollama answered HTTP ${status} without a text`;

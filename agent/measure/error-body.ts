/**
 * The words of an answer with a status of 400 or more: native, OpenAI's, Anthropic's, or plain text.
 */
import { z } from "zod";
import { errorText } from "./answer-part.ts";

const ErrorBody = z.object({ error: z.unknown() });

/** @param body  all of it, as text */
export function errorBodyText(status: number, body: string): string {
  const text = body.trim();
  if (text === "") return emptyBodyText(status);
  try {
    const parsed = ErrorBody.safeParse(JSON.parse(text));
    return (parsed.success ? errorText(parsed.data.error) : undefined) ?? text;
  } catch {
    return text; // `404 page not found`, and whatever stands between us and Ollama
  }
}

/** Ollama's only answer without words is the one for a foreign Host or Origin. @see server/routes.go (allowedHostsMiddleware) */
const emptyBodyText = (status: number): string =>
  status === 403
    ? "Ollama refused the Host or Origin header (403 without a text)"
    : `Ollama answered ${status} without a text`;

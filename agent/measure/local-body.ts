/**
 * The body of the local request, and what the record keeps of it.
 *
 * An OpenAI stream tells its usage only when asked to. So that no request goes uncounted the agent
 * asks, and hides the answer to that from a caller who did not (usage-hidden.ts). Every other body
 * goes to Ollama as the edge wrote it, byte for byte.
 */
import { z } from "zod";
import { promptOf } from "./prompt.ts";

export type LocalBody = {
  /** What to send to Ollama. */
  body: Uint8Array;
  /** See `promptOf`. */
  prompt: string | null;
  /** Usage was asked for by us alone. */
  hideUsage: boolean;
};

const TELL_USAGE_WHEN_ASKED: ReadonlySet<string> = new Set([
  "/v1/chat/completions",
  "/v1/completions",
]);

/** What Ollama would refuse is none of these, and goes to it unchanged. */
const Asking = z.looseObject({
  stream_options: z.looseObject({ include_usage: z.boolean().nullish() }).nullish(),
});

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * @param stream  whether the request asks for a streamed answer
 * @param body    JSON that the edge has checked and serialised; anything else is left as it is
 */
export function localBodyOf(endpoint: string, stream: boolean, body: Uint8Array): LocalBody {
  const value = parsed(body);
  const unchanged = { body, prompt: promptOf(endpoint, value), hideUsage: false };
  if (!stream || !TELL_USAGE_WHEN_ASKED.has(endpoint)) return unchanged;
  const asking = Asking.safeParse(value);
  if (!asking.success || asking.data.stream_options?.include_usage === true) return unchanged;
  const asked = {
    ...asking.data,
    stream_options: { ...asking.data.stream_options, include_usage: true },
  };
  return { ...unchanged, body: encoder.encode(JSON.stringify(asked)), hideUsage: true };
}

function parsed(body: Uint8Array): unknown {
  if (body.length === 0) return undefined; // a GET, or a body that streams by
  try {
    return JSON.parse(decoder.decode(body));
  } catch {
    return undefined; // Ollama will say so
  }
}

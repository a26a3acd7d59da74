/**
 * The body sent to Ollama, and the prompt that the record keeps of it.
 *
 * An OpenAI stream contains its usage only on request. The agent always requests it, so that every
 * request is counted, and removes it again for a caller that did not (without-usage.ts). Every
 * other body goes to Ollama byte for byte as it arrived.
 */
import { z } from "zod";
import { promptOf } from "./prompt.ts";

export type LocalBody = {
  /** The body to send to Ollama. */
  body: Uint8Array;
  /** As returned by `promptOf`. */
  prompt: string | null;
  /** True if only the agent requested usage, not the caller. */
  hideUsage: boolean;
};

const USAGE_ON_REQUEST: ReadonlySet<string> = new Set(["/v1/chat/completions", "/v1/completions"]);

/** A body that does not match is one that Ollama rejects; it is sent unchanged. */
const StreamOptions = z.looseObject({
  stream_options: z.looseObject({ include_usage: z.boolean().nullish() }).nullish(),
});

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * @param stream  true if the request wants a streamed answer
 * @param body    JSON that has been checked and serialised; any other body is returned unchanged
 */
export function localBodyOf(endpoint: string, stream: boolean, body: Uint8Array): LocalBody {
  const value = parsed(body);
  const unchanged = { body, prompt: promptOf(endpoint, value), hideUsage: false };
  if (!stream || !USAGE_ON_REQUEST.has(endpoint)) return unchanged;
  const options = StreamOptions.safeParse(value);
  if (!options.success || options.data.stream_options?.include_usage === true) return unchanged;
  const withUsage = {
    ...options.data,
    stream_options: { ...options.data.stream_options, include_usage: true },
  };
  return { ...unchanged, body: encoder.encode(JSON.stringify(withUsage)), hideUsage: true };
}

function parsed(body: Uint8Array): unknown {
  if (body.length === 0) return undefined; // a GET, or a body that is streamed
  try {
    return JSON.parse(decoder.decode(body));
  } catch {
    return undefined; // Ollama rejects it
  }
}

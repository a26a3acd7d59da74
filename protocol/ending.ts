/**
 * How an answer that has begun ends when it cannot go on: with an error in its own format, never
 * by silence. Pure.
 */
import { errorBody, type Told } from "./failures.ts";
import type { Api } from "./records.ts";

const encoder = new TextEncoder();

/**
 * @param contentType    of the answer that had begun
 * @param isAtLineStart  whether the last byte sent was a line feed (or none was sent)
 * @returns the last bytes; null when the format has no room for an error: then the body's length must break
 */
export function endingOf(contentType: string, api: Api, told: Told, requestId: string, isAtLineStart: boolean): Uint8Array | null {
  const error = JSON.stringify(errorBody(api, told, requestId));
  const lead = isAtLineStart ? "" : "\n";
  if (contentType.startsWith("application/x-ndjson")) return encoder.encode(`${lead}${error}\n`);
  // A blank line first: a half-sent event would else swallow the error.
  if (contentType.startsWith("text/event-stream"))
    return encoder.encode(`${lead}\n${api === "anthropic" ? "event: error\n" : ""}data: ${error}\n\n`);
  return null;
}

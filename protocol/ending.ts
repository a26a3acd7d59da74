/**
 * How an answer ends when it cannot go on: with an error in its own format, never by silence. Where
 * that has no room for one, the answer begins only when it is whole. Pure.
 */
import { errorBody, type WireError } from "./failures.ts";
import { WINDOW_BYTES } from "./limits.ts";
import type { Headers } from "./messages.ts";
import type { Api } from "./records.ts";

/**
 * So much of an answer is held back. Less than a window, or the other end would wait for room for
 * ever.
 */
export const HELD_BYTES_MAX = WINDOW_BYTES / 2;

const encoder = new TextEncoder();

/**
 * @param contentType    of the answer that had begun
 * @param isAtLineStart  whether the last byte sent was a line feed (or none was sent)
 * @returns the last bytes; null when the format has no room for an error: then the body's length must break
 */
export function endingOf(
  contentType: string,
  api: Api,
  told: WireError,
  requestId: string,
  isAtLineStart: boolean,
): Uint8Array | null {
  const error = JSON.stringify(errorBody(api, told, requestId));
  const lead = isAtLineStart ? "" : "\n";
  if (contentType.startsWith("application/x-ndjson")) return encoder.encode(`${lead}${error}\n`);
  // A blank line first: a half-sent event would else swallow the error.
  if (contentType.startsWith("text/event-stream"))
    return encoder.encode(
      `${lead}\n${api === "anthropic" ? "event: error\n" : ""}data: ${error}\n\n`,
    );
  return null;
}

/**
 * Whether the edge keeps what there is of an answer back from the caller. One JSON value comes in
 * one go anyhow: a caller that has nothing of it yet can still be told of a failure, by its status.
 * Both ends ask, since either may have to record what the caller was told.
 *
 * @param isStreamed  the caller asked for an answer bit by bit
 * @param bytes       of the body, until now
 */
export function isHeldBack(isStreamed: boolean, headers: Headers, bytes: number): boolean {
  const type = headers.find(([name]) => name === "content-type")?.[1] ?? "";
  return !isStreamed && bytes < HELD_BYTES_MAX && /^application\/json\b/.test(type);
}

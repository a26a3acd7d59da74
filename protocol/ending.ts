/**
 * How an answer ends that cannot go on: with an error in its own format, never by silence. If its
 * format has no room for an error, the answer begins only when it is complete. Pure.
 */
import { errorBody, type WireError } from "./failures.ts";
import { WINDOW_BYTES } from "./limits.ts";
import type { Head, Open } from "./messages.ts";
import type { Api } from "./records.ts";

/**
 * Most bytes of an answer that are held back. Less than a window: otherwise the box would wait for
 * room forever.
 */
export const HELD_BYTES_MAX = WINDOW_BYTES / 2;

const encoder = new TextEncoder();

/**
 * Returns the last bytes of an answer that broke off. Null if the format has no room for an error:
 * then the body must end short of its length.
 *
 * @param contentType    content type of the answer
 * @param isAtLineStart  the last byte sent was a line feed, or none was sent
 */
export function endingOf(
  contentType: string,
  api: Api,
  failure: WireError,
  requestId: string,
  isAtLineStart: boolean,
): Uint8Array | null {
  const error = JSON.stringify(errorBody(api, failure, requestId));
  const lead = isAtLineStart ? "" : "\n";
  // A blank line first: otherwise a half-sent event would swallow the error.
  const isEvents = contentType.startsWith("text/event-stream");
  const part = errorPart(contentType, api, error);
  return part === null ? null : encoder.encode(`${lead}${isEvents ? "\n" : ""}${part}`);
}

/**
 * Returns an error as a part of a streamed answer. Null if the format has no room for one.
 * @param error  the error of that API, as JSON in one line
 */
export function errorPart(contentType: string, api: Api, error: string): string | null {
  if (contentType.startsWith("application/x-ndjson")) return `${error}\n`;
  if (contentType.startsWith("text/event-stream"))
    return `${api === "anthropic" ? "event: error\n" : ""}data: ${error}\n\n`;
  return null;
}

/**
 * Returns whether the edge holds back the part of an answer that has arrived. One JSON value is of
 * no use in parts, and a caller that has received nothing can still get a failure as a status. The
 * edge may replace the answer of an Ollama that failed or lacks the model, and needs all of it first.
 * Both ends call this, since either may have to record the status that the caller received.
 *
 * @param how    how the caller requested its answer
 * @param bytes  bytes of the body until now
 */
export function isHeldBack(how: AnswerKind, { status, headers }: Head, bytes: number): boolean {
  const type = headers.find(([name]) => name === "content-type")?.[1] ?? "";
  const comesWhole = !how.stream || isFailing(status);
  return comesWhole && bytes < HELD_BYTES_MAX && /^application\/json\b/.test(type);
}

export type AnswerKind = Pick<Open, "stream">;

/** Returns whether another Ollama may answer better: this one failed, or does not have the model. */
export const isFailing = (status: number): boolean => status === 404 || status >= 500;

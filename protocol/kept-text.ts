/**
 * The part of a record that stays while texts are not stored (`LOG_CONTENT=off`). Pure.
 *
 * An error message is text, too: Ollama's messages quote prompts and answers, and those about a bad
 * body quote the body. The caller still gets the whole message; only a code is stored.
 */
import type { RequestRecord } from "./records.ts";

const SENTENCE = "The message is not stored because LOG_CONTENT is off.";

/** Returns the record without prompt, response, and any error message that may quote them. */
export const withoutText = (record: RequestRecord): RequestRecord => ({
  ...record,
  prompt: null,
  response: null,
  error_message: record.error_message === null ? null : messageOf(record, record.error_message),
});

function messageOf({ failed_at, http_status }: RequestRecord, message: string): string {
  if (failed_at === "ollama") return `ollama_error: ${SENTENCE}`;
  if (failed_at === "gateway" && http_status === 400) return `bad_request: ${SENTENCE}`;
  // Written by the edge or the agent itself: it names models, boxes and limits, and quotes no text.
  return failed_at === null ? `error: ${SENTENCE}` : message;
}

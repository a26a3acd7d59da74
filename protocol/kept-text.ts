/**
 * The part of a record without its texts: stored with `LOG_CONTENT=off`, and shown to keys without
 * the scope `text`. Pure.
 *
 * An error message is text, too: Ollama's messages quote prompts and answers, and those about a bad
 * body quote the body. The caller still gets the whole message; only a code stays in the record.
 */
import type { RequestRecord } from "./records.ts";

export const NOT_STORED = "The message is not stored because LOG_CONTENT is off.";
export const NOT_KEPT = "The message is not kept any longer.";
export const NOT_SHOWN = "The message is shown only to keys with the scope text.";

/** The fields of a record that may quote a caller or a model. */
export const TEXT_FIELDS = [
  "error_message",
  "prompt",
  "response",
] as const satisfies (keyof RequestRecord)[];

type WithText = Pick<RequestRecord, (typeof TEXT_FIELDS)[number] | "failed_at" | "http_status">;

/**
 * Returns the record without prompt, response, and any error message that may quote them.
 * @param instead  the sentence in place of such a message
 */
export const withoutText = <Record extends WithText>(
  record: Record,
  instead: string = NOT_STORED,
): Record => ({
  ...record,
  prompt: null,
  response: null,
  error_message: messageOf(record, instead),
});

function messageOf(
  { error_message, failed_at, http_status }: WithText,
  instead: string,
): string | null {
  if (error_message === null) return null;
  if (failed_at === "ollama") return `ollama_error: ${instead}`;
  if (failed_at === "gateway" && http_status === 400) return `bad_request: ${instead}`;
  // Written by the edge or the agent itself: it names models, boxes and limits, and quotes no text.
  return failed_at === null ? `error: ${instead}` : error_message;
}

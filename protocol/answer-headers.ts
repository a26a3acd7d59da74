/**
 * The headers that an answer of a box keeps on its way to a caller, at every door. Pure.
 *
 * A box is not trusted with the origin it is served from. A page of a box would run its scripts there,
 * next to the dashboard; its cookies, redirects and service workers would outlive the answer. Ollama
 * answers with JSON, streams and bytes, so nothing else passes.
 */
import type { Headers } from "./messages.ts";

const TYPES = new Set([
  "application/json",
  "application/x-ndjson",
  "text/event-stream",
  "text/plain",
  "application/octet-stream",
]);
/** A browser saves this type as a file and never shows it. */
const ANY_OTHER_TYPE = "application/octet-stream";

/** The agent sends it if the prompt probably does not fit into the context. Its only value is `likely`. */
export const TRUNCATED_HEADER = "x-prompt-truncated";
export const LIKELY = "likely";

/** Seconds or a date. */
const RETRY_AFTER = /^[\w ,:]{1,40}$/;
const LENGTH = /^\d{1,15}$/;

/** Sent with every answer of a box, and with everything else that is not a page of ours. */
export const INERT: Readonly<Record<string, string>> = {
  "x-content-type-options": "nosniff",
  "content-security-policy": "sandbox; default-src 'none'",
};

/** Returns the headers that pass, each once: the first of a name wins. */
export function passedHeaders(headers: Headers): Headers {
  const first = (wanted: string) => headers.find(([name]) => name === wanted)?.[1];
  const [type, length, retry] = ["content-type", "content-length", "retry-after"].map(first);
  const passed: Headers = [];
  if (type !== undefined) passed.push(["content-type", passedType(type)]);
  if (length !== undefined && LENGTH.test(length)) passed.push(["content-length", length]);
  if (retry !== undefined && RETRY_AFTER.test(retry)) passed.push(["retry-after", retry]);
  if (first(TRUNCATED_HEADER) === LIKELY) passed.push([TRUNCATED_HEADER, LIKELY]);
  return passed;
}

/**
 * Returns a type as it was sent if it is one of Ollama's, with no parameter but `charset=utf-8`.
 */
function passedType(type: string): string {
  const [essence = "", ...parameters] = type.toLowerCase().split(";");
  const isOllamas =
    TYPES.has(essence.trim()) &&
    parameters.every((parameter) => /^ *(charset="?utf-8"?)? *$/.test(parameter));
  return isOllamas ? type : ANY_OTHER_TYPE;
}

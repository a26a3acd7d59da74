/**
 * Checks that a request passes at every door to an Ollama, the Worker's and the agent's listener:
 * its headers, its encoding, its size and its JSON. Pure. `body-policy.ts` checks what the JSON holds.
 */
import type { Failure } from "./failures.ts";
import { hasByteOrderMark } from "./json-bytes.ts";
import { jsonValuesOf } from "./json-scan.ts";
import { API_BODY_VALUES_MAX, BODY_BYTES_MAX, HEAD_BYTES_MAX } from "./limits.ts";
import type { Headers } from "./messages.ts";
import { FORWARDED_HEADERS, type OllamaRoute } from "./routes.ts";

/** Longest value of one forwarded header: the few that are forwarded fit in the head together. */
const VALUE_CHARS_MAX = HEAD_BYTES_MAX / 4;

/** How much of an encoding's name an error repeats. */
const SHOWN_CHARS_MAX = 50;

type CheckFailure = Extract<
  Failure,
  { reason: "bad_request" | "head_too_large" | "encoded_body" | "body_too_large" }
>;

/** Picks the headers that travel to Ollama. An upload keeps its length. */
export function forwardedHeaders(
  headers: Iterable<readonly [name: string, value: string]>,
  body: OllamaRoute["body"],
): Headers {
  const forwarded: Headers = [];
  for (const [name, value] of headers)
    if (FORWARDED_HEADERS.has(name) || (name === "content-length" && body === "raw"))
      forwarded.push([name, value]);
  return forwarded;
}

/** Rejects a forwarded header that is too long. */
export const headFailure = (forwarded: Headers): CheckFailure | null =>
  forwarded.some(([, value]) => value.length > VALUE_CHARS_MAX)
    ? { reason: "head_too_large" }
    : null;

/** Rejects a compressed body: its checks would need the whole of it unpacked. */
export function encodingFailure(encoding: string | null | undefined): CheckFailure | null {
  if (encoding === null || encoding === undefined || encoding.toLowerCase() === "identity")
    return null;
  return { reason: "encoded_body", encoding: encoding.slice(0, SHOWN_CHARS_MAX) };
}

/** @param bytes  the announced or the counted size of the body; null or undefined if unknown */
export const sizeFailure = (
  bytes: number | string | null | undefined,
  bytesMax = BODY_BYTES_MAX,
): CheckFailure | null =>
  Number(bytes ?? 0) > bytesMax ? { reason: "body_too_large", bytesMax } : null;

export type ParsedJson =
  | { ok: true; value: unknown }
  | { ok: false; failure: Extract<Failure, { reason: "bad_request" }> };

/** Parses a body of our own API, after a scan that bounds the tree. Skips a byte order mark. */
export function jsonOfBytes(sent: Uint8Array): ParsedJson {
  const bytes = hasByteOrderMark(sent) ? sent.subarray(3) : sent;
  const values = jsonValuesOf(bytes);
  if (typeof values === "string") return bad(values);
  if (values > API_BODY_VALUES_MAX)
    return bad(
      `The request body contains more than ${API_BODY_VALUES_MAX} values. Send a smaller one.`,
    );
  try {
    return { ok: true, value: JSON.parse(new TextDecoder().decode(bytes)) };
  } catch (error) {
    return bad(`The request body is not valid JSON: ${(error as Error).message}.`); // bytes follow it
  }
}

const bad = (detail: string): ParsedJson => ({
  ok: false,
  failure: { reason: "bad_request", detail },
});

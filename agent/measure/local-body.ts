/**
 * The body sent to Ollama, and the prompt that the record keeps of it.
 *
 * An OpenAI stream contains its usage only on request. The agent always requests it, so that every
 * request is counted, and removes it again for a caller that did not (without-usage.ts). The
 * request is a few bytes set into the caller's. Every other body goes to Ollama as it arrived.
 */
import type { ReadBody } from "../../protocol/body-reader.ts";
import { skipSpace } from "../../protocol/json-bytes.ts";
import type { JsonSlice } from "../../protocol/json-scan.ts";
import { isTrue, kindOf } from "../../protocol/json-text.ts";
import { promptOf } from "./prompt.ts";

export type LocalBody = {
  /** The body to send to Ollama, in parts: a large one is not copied. */
  parts: readonly Uint8Array[];
  /** As returned by `promptOf`. */
  prompt: string | null;
  /** True if only the agent requested usage, not the caller. */
  hideUsage: boolean;
};

const USAGE_ON_REQUEST: ReadonlySet<string> = new Set(["/v1/chat/completions", "/v1/completions"]);

export const unmeasuredBody = (body: Uint8Array): LocalBody => ({
  parts: [body],
  prompt: null,
  hideUsage: false,
});

/**
 * @param stream  true if the request wants a streamed answer
 * @param body    goes on unchanged if it is not a JSON object within the limits: Ollama rejects it
 */
export function localBodyOf(
  endpoint: string,
  stream: boolean,
  body: Uint8Array,
  read: ReadBody | null,
): LocalBody {
  if (read === null) return unmeasuredBody(body);
  const { scan } = read;
  if (!scan.ok || kindOf(body, scan.value) !== "object") return unmeasuredBody(body);
  const unchanged = { ...unmeasuredBody(body), prompt: promptOf(body, read.prompt) };
  if (!stream || !USAGE_ON_REQUEST.has(endpoint)) return unchanged;
  const edit = usageEdit(body, scan.value, scan.fields.get("stream_options"), read.includeUsage);
  if (edit === null) return unchanged;
  const { at, text } = edit;
  return {
    ...unchanged,
    parts: [body.subarray(0, at.from), Buffer.from(text), body.subarray(at.to)],
    hideUsage: true,
  };
}

type Span = { from: number; to: number };

/**
 * Returns the text that requests usage, and the place in the body that it replaces; null if the
 * caller requests usage itself, or its options are invalid. Ollama lets the last member of a name
 * win, so an `include_usage` of the caller can stay.
 */
function usageEdit(
  body: Uint8Array,
  whole: Span,
  options: JsonSlice | undefined,
  wanted: Span | null,
): { at: Span; text: string } | null {
  const atEnd = ({ from, to }: Span, member: string) => {
    const isEmpty = skipSpace(body, from + 1) === to - 1;
    return { at: { from: to - 1, to: to - 1 }, text: isEmpty ? member : `,${member}` };
  };
  if (options === undefined) return atEnd(whole, '"stream_options":{"include_usage":true}');
  const kind = kindOf(body, options);
  if (kind === "null") return { at: options, text: '{"include_usage":true}' };
  if (kind !== "object") return null;
  const wantedKind = wanted === null ? "null" : kindOf(body, wanted);
  if (wanted !== null && (isTrue(body, wanted) || !["boolean", "null"].includes(wantedKind)))
    return null;
  return atEnd(options, '"include_usage":true');
}

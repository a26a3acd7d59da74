/**
 * Removes the usage from a stream, byte for byte as if it had not been requested.
 *
 * With `include_usage` Ollama adds to an OpenAI stream one event before `[DONE]` (`choices:[]` and
 * the usage), and to every chunk of `/v1/completions` a `usage` of zeros. `usage` is the last field
 * of the Go structs, so it is the last member of the JSON.
 *
 * @see https://github.com/ollama/ollama/blob/main/openai/openai.go (CompletionChunk,
 *   ChatCompletionChunk)
 */
import type { AnswerPart } from "./answer-part.ts";

const LF = 0x0a;
const CR = 0x0d;
const MEMBER = ',"usage":';
const NOTHING = new Uint8Array(0);
const BRACE = new TextEncoder().encode("}");

/**
 * @param event  the bytes of one event, with the blank line that ends it
 * @param json   the text of its data
 * @param part   the same, parsed
 * @returns      the bytes that Ollama would have sent without `include_usage`
 */
export function withoutUsage(event: Uint8Array, json: string, part: AnswerPart): Uint8Array {
  if (part.isUsageOnly === true) return NOTHING;
  const at = json.lastIndexOf(MEMBER);
  if (at < 0 || !isOneMember(json.slice(at))) return event;
  let end = event.length;
  while (end > 0 && (event[end - 1] === LF || event[end - 1] === CR)) end--;
  const start = end - Buffer.byteLength(json.slice(at));
  return Buffer.concat([event.subarray(0, start), BRACE, event.subarray(end)]);
}

/**
 * Returns true if the end of an object's text, from a comma on, is exactly one more member and the
 * closing brace. It is not if the comma is inside a nested value. The comma cannot be inside a
 * string, where the quote after it would be escaped.
 */
function isOneMember(end: string): boolean {
  try {
    const value: unknown = JSON.parse(`{${end.slice(1)}`);
    return typeof value === "object" && value !== null && Object.keys(value).length === 1;
  } catch {
    return false;
  }
}

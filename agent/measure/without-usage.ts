/**
 * Makes a stream that was asked to tell its usage look like one that was not, to the byte.
 *
 * With `include_usage` Ollama adds to an OpenAI stream one event before `[DONE]` (`choices:[]`
 * and the usage), and to every chunk of `/v1/completions` a `usage` of zeros. It is the last field
 * of the Go structs, so it is the last member of the JSON.
 *
 * @see https://github.com/ollama/ollama/blob/main/openai/openai.go (CompletionChunk, ChatCompletionChunk)
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
 * @param said   what that says
 * @returns      what Ollama would have sent in its place; the event itself where it is not about usage
 */
export function withoutUsage(event: Uint8Array, json: string, said: AnswerPart): Uint8Array {
  if (said.isUsageOnly === true) return NOTHING;
  const at = json.lastIndexOf(MEMBER);
  if (at < 0 || !isOneMember(json.slice(at))) return event;
  let end = event.length;
  while (end > 0 && (event[end - 1] === LF || event[end - 1] === CR)) end--;
  const start = end - Buffer.byteLength(json.slice(at));
  return Buffer.concat([event.subarray(0, start), BRACE, event.subarray(end)]);
}

/**
 * Whether the end of an object's text, from a comma on, is exactly one more member and the brace
 * that closes the object. It is not when the comma is inside something nested. Inside a string it
 * cannot be: a quote there is escaped.
 */
function isOneMember(end: string): boolean {
  try {
    const value: unknown = JSON.parse(`{${end.slice(1)}`);
    return typeof value === "object" && value !== null && Object.keys(value).length === 1;
  } catch {
    return false;
  }
}

/**
 * Distinguishes the two calls that share `POST /api/chat` at the root: our own, which answers with
 * events, and Ollama's, which answers with lines or one object. Pure.
 *
 * Every client of Ollama names the type of the answer: `application/x-ndjson` (the command and Go) or
 * `application/json` and nothing else (JavaScript, Python). A call without either may still be
 * Ollama's by a field that only Ollama has, or by `stream:false`, which an answer in events cannot
 * meet. A `prompt` is ours alone.
 */
import type { JsonScan } from "../../protocol/json-scan.ts";
import { isTrue, kindOf } from "../../protocol/json-text.ts";
import { openingPlace, scanOpening } from "../gateway/choice/opening.ts";

const ONLY_OLLAMA = ["truncate", "shift", "logprobs", "top_logprobs"];
const CHAT = openingPlace(["prompt", ...ONLY_OLLAMA]);

/** Scans the body once, for this decision, the policy of bodies, and the choice of a box. */
export const scanChat = (body: Uint8Array) => scanOpening(body, CHAT);

/** Returns whether the headers alone show a client of Ollama. */
export const acceptsOllama = (accept: string | null): boolean =>
  /\bapplication\/x-ndjson\b/i.test(accept ?? "") || /^ *application\/json *$/i.test(accept ?? "");

/** @param scan  as {@link scanChat} returned it for the body */
export function isOllamaChat(accept: string | null, body: Uint8Array, scan: JsonScan): boolean {
  if (/\bapplication\/x-ndjson\b/i.test(accept ?? "")) return true;
  if (!scan.ok) return acceptsOllama(accept);
  const { fields } = scan;
  const prompt = fields.get("prompt");
  if (prompt !== undefined && kindOf(body, prompt) !== "null") return false;
  if (acceptsOllama(accept)) return true;
  const [messages, stream] = [fields.get("messages"), fields.get("stream")];
  if (messages === undefined) return false;
  const wantsWhole =
    stream !== undefined && kindOf(body, stream) === "boolean" && !isTrue(body, stream);
  return wantsWhole || ONLY_OLLAMA.some((field) => fields.has(field));
}

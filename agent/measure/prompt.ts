/**
 * The prompt text that a record keeps: the user's last message in the body of a request.
 *
 * Never an image, a system prompt or a tool's result. A body in another form has no prompt. Reads
 * the bytes of the body, so that a large one costs no more memory than the text that is kept.
 */
import type { JsonSlice } from "../../protocol/json-scan.ts";
import { eachItem, kindOf, membersOf, textOf } from "../../protocol/json-slice.ts";
import { PROMPT_CHARS_MAX } from "../../protocol/limits.ts";
import { BoundedText } from "./bounded-text.ts";

/** Where the prompt is: a text or a list of texts, or messages of which the user's last one counts. */
type Place = { field: "prompt" | "input" | "messages"; holds: "texts" | "messages" | "either" };

const PLACES: ReadonlyMap<string, Place> = new Map([
  ["/api/generate", { field: "prompt", holds: "texts" }],
  ["/api/chat", { field: "messages", holds: "messages" }],
  ["/api/embed", { field: "input", holds: "texts" }],
  ["/api/embeddings", { field: "prompt", holds: "texts" }],
  ["/v1/chat/completions", { field: "messages", holds: "messages" }],
  ["/v1/completions", { field: "prompt", holds: "texts" }],
  ["/v1/embeddings", { field: "input", holds: "texts" }],
  ["/v1/responses", { field: "input", holds: "either" }],
  ["/v1/messages", { field: "messages", holds: "messages" }],
  ["/v1/images/generations", { field: "prompt", holds: "texts" }],
  ["/v1/images/edits", { field: "prompt", holds: "texts" }],
]);

/**
 * @param fields  the fields of a checked body
 * @returns       text, cut to the record's limit; null without text
 */
export function promptOf(
  endpoint: string,
  bytes: Uint8Array,
  fields: ReadonlyMap<string, JsonSlice>,
): string | null {
  const place = PLACES.get(endpoint);
  const value = place && fields.get(place.field);
  if (place === undefined || value === undefined) return null;
  const kind = kindOf(bytes, value);
  if (kind === "string") return place.holds === "messages" ? null : joined(bytes, [value]);
  if (kind !== "array") return null;
  return place.holds === "texts" ? joinedItems(bytes, value) : lastUserText(bytes, value);
}

/**
 * Skips messages without text, from the last one back: Anthropic's tool results and single images
 * also have the role of the user.
 */
function lastUserText(bytes: Uint8Array, messages: JsonSlice): string | null {
  let last: JsonSlice[] = [];
  eachItem(bytes, messages, (message) => {
    if (kindOf(bytes, message) !== "object") return;
    const { role, content } = membersOf(bytes, message, ["role", "content"]);
    if (content === undefined || wordOf(bytes, role) !== "user") return;
    const texts = kindOf(bytes, content) === "array" ? textParts(bytes, content) : [content];
    if (texts.some((text) => kindOf(bytes, text) === "string" && text.to - text.from > 2))
      last = texts;
  });
  return joined(bytes, last);
}

/** Returns the parts with text of the user: `text` (OpenAI chat, Anthropic), `input_text` (responses). */
function textParts(bytes: Uint8Array, content: JsonSlice): JsonSlice[] {
  const texts: JsonSlice[] = [];
  eachItem(bytes, content, (part) => {
    if (kindOf(bytes, part) !== "object") return;
    const { type, text } = membersOf(bytes, part, ["type", "text"]);
    if (text === undefined || kindOf(bytes, text) !== "string") return;
    if (["text", "input_text"].includes(wordOf(bytes, type))) texts.push(text);
  });
  return texts;
}

/** Longest word that decides anything: `input_text`. */
const WORD_CHARS_MAX = 10;

/** Returns a short string; empty if the value is missing, longer, or not a string. */
function wordOf(bytes: Uint8Array, value: JsonSlice | undefined): string {
  if (value === undefined || kindOf(bytes, value) !== "string") return "";
  const { text, chars } = textOf(bytes, value, WORD_CHARS_MAX);
  return chars > WORD_CHARS_MAX ? "" : text;
}

/** Joins the texts of a list. Its other items, such as tokens, are left out. */
function joinedItems(bytes: Uint8Array, list: JsonSlice): string | null {
  const kept = new BoundedText(PROMPT_CHARS_MAX);
  let isFirst = true;
  eachItem(bytes, list, (item) => {
    if (kindOf(bytes, item) !== "string") return;
    addTo(kept, bytes, item, isFirst);
    isFirst = false;
  });
  return kept.text;
}

function joined(bytes: Uint8Array, texts: readonly JsonSlice[]): string | null {
  const kept = new BoundedText(PROMPT_CHARS_MAX);
  for (const [i, text] of texts.entries()) addTo(kept, bytes, text, i === 0);
  return kept.text;
}

function addTo(kept: BoundedText, bytes: Uint8Array, slice: JsonSlice, isFirst: boolean): void {
  if (!isFirst) kept.add("\n");
  const { text, chars } = textOf(bytes, slice, kept.room);
  kept.add(text);
  kept.skip(chars - text.length);
}

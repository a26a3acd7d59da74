/** The prompt text that a record keeps, from the places that the scan of its body found. */
import type { PromptTexts } from "../../protocol/body-reader.ts";
import { textOf } from "../../protocol/json-text.ts";
import { PROMPT_CHARS_MAX } from "../../protocol/limits.ts";
import { BoundedText } from "./bounded-text.ts";

/** @returns text, cut to the record's limit; null without text */
export function promptOf(bytes: Uint8Array, { texts, restChars }: PromptTexts): string | null {
  const kept = new BoundedText(PROMPT_CHARS_MAX);
  for (const [i, slice] of texts.entries()) {
    if (i > 0) kept.add("\n");
    const text = textOf(bytes, slice, kept.room);
    kept.add(text);
    kept.skip(slice.chars - text.length);
  }
  kept.skip(restChars);
  return kept.text;
}

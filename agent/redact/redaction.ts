/**
 * Removes personal data and secrets from the texts of records, before they are on the disk of the agent or
 * leave the box. The caller's answer does not come by here. Pure.
 */

import { ERROR_CHARS_MAX, PROMPT_CHARS_MAX, RESPONSE_CHARS_MAX } from "../../protocol/limits.ts";
import { cut, MARK_CHARS, type ReportedRecord } from "../../protocol/records.ts";
import { PATTERNS, type Pattern, REDACTED_KINDS, type RedactedKind } from "./patterns.ts";

/**
 * Removed before the mark of a text that was cut: the cut may have divided a match. Each pattern that needs its end
 * is shorter.
 */
const BEFORE_CUT_CHARS = 400;
const CUT = /… \[(\d{1,15}) more characters cut\]/g;

/** Removes matches from a text. */
export type Redact = (text: string) => string;

type Texts = Pick<ReportedRecord, "prompt" | "response" | "error_message">;
const CHARS_MAX = {
  prompt: PROMPT_CHARS_MAX,
  response: RESPONSE_CHARS_MAX,
  error_message: ERROR_CHARS_MAX,
};

/**
 * Returns how to redact; null if there is nothing to remove.
 * @param words  texts that are removed wherever they occur, in any case
 */
export function redactOf(kinds: readonly RedactedKind[], words: readonly string[]): Redact | null {
  if (kinds.length === 0 && words.length === 0) return null;
  // Longer words first: one may be the beginning of another.
  const longest = [...words].sort((a, b) => b.length - a.length).map(escaped);
  const wordPattern = longest.length === 0 ? null : new RegExp(longest.join("|"), "giu");
  return (text) => {
    let rest = wordPattern === null ? text : text.replace(wordPattern, "[redacted]");
    for (const kind of REDACTED_KINDS.filter((each) => kinds.includes(each)))
      for (const pattern of PATTERNS[kind]) rest = replaced(rest, pattern, `[${kind}]`);
    return withoutCutEnds(rest);
  };
}

/** Returns the record with redacted texts, within their bounds. */
export function redactedTexts<Some extends Partial<Texts>>(some: Some, redact: Redact): Some {
  const redacted = { ...some };
  for (const field of ["prompt", "response", "error_message"] as const) {
    const text = some[field];
    if (typeof text !== "string") continue;
    const shown = redact(text);
    const max = CHARS_MAX[field];
    redacted[field] = shown.length > max + MARK_CHARS ? cut(shown, max) : shown;
  }
  return redacted;
}

/** Looks again behind what only began like a match: the next one may be part of it. */
function replaced(text: string, { find, charsOf }: Pattern, by: string): string {
  let result = "";
  let from = 0;
  find.lastIndex = 0;
  for (let found = find.exec(text); found !== null; found = find.exec(text)) {
    const chars = charsOf === undefined ? found[0].length : charsOf(found[0]);
    find.lastIndex = found.index + Math.max(1, chars);
    if (chars === 0) continue;
    result += text.slice(from, found.index) + by;
    from = found.index + chars;
  }
  return result + text.slice(from);
}

const escaped = (word: string): string => word.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");

function withoutCutEnds(text: string): string {
  let result = "";
  let from = 0;
  for (const { 0: mark, 1: chars, index } of text.matchAll(CUT)) {
    const kept = text.slice(from, Math.max(from, index - BEFORE_CUT_CHARS)).toWellFormed();
    const more = Number(chars) + (index - from - kept.length);
    result += `${kept}… [${more} more characters cut]`;
    from = index + mark.length;
  }
  return result + text.slice(from);
}

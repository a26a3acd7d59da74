/**
 * The texts of open answers, noted in parts as they grow, so that a killed agent loses only the
 * end of them. Pure.
 */
import type { TextPart } from "./lines.ts";

export class NotedTexts {
  readonly #texts = new Map<string, string>();

  /** Returns the part of a text that is not noted yet, and notes it. Null if all of it is noted. */
  next(requestId: string, text: string): TextPart | null {
    const noted = this.#texts.get(requestId) ?? "";
    if (text === noted) return null;
    this.#texts.set(requestId, text);
    const from = commonLength(noted, text);
    return { request_id: requestId, from, text: text.slice(from) };
  }

  forget(requestId: string): void {
    this.#texts.delete(requestId);
  }

  /** Some parts are gone, so each text is noted again from its beginning. */
  clear(): void {
    this.#texts.clear();
  }
}

/** Returns a text with one more part of it; null if a part before it is missing. */
export const withPart = (text: string | null, { from, text: part }: TextPart): string | null =>
  from > (text?.length ?? 0) ? null : (text ?? "").slice(0, from) + part;

/** Texts grow at their end, except for the mark of a text that is cut, and the end of a thought. */
function commonLength(before: string, after: string): number {
  if (after.startsWith(before)) return before.length;
  let length = 0;
  while (length < before.length && before[length] === after[length]) length++;
  return length;
}

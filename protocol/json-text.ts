/**
 * Reads single values out of the bytes of a JSON body that {@link scanJson} has checked, so that no
 * reader has to build the whole body as a tree. Pure.
 */
import { BACKSLASH, escapedUnit, LETTER_U, QUOTE } from "./json-bytes.ts";

export type JsonKind = "object" | "array" | "string" | "boolean" | "null" | "number";

const LETTER_F = 0x66;
const LETTER_N = 0x6e;
const LETTER_T = 0x74;
const OPEN_ARRAY = 0x5b;
const OPEN_OBJECT = 0x7b;

export function kindOf(bytes: Uint8Array, { from }: { from: number }): JsonKind {
  switch (bytes[from]) {
    case OPEN_OBJECT:
      return "object";
    case OPEN_ARRAY:
      return "array";
    case QUOTE:
      return "string";
    case LETTER_T:
    case LETTER_F:
      return "boolean";
    case LETTER_N:
      return "null";
    default:
      return "number";
  }
}

export const isTrue = (bytes: Uint8Array, { from }: { from: number }): boolean =>
  bytes[from] === LETTER_T;

const decoder = new TextDecoder();

/** Returns the beginning of a string, in UTF-16 code units. Reads no more than that. */
export function textOf(
  bytes: Uint8Array,
  { from, to }: { from: number; to: number },
  charsMax: number,
): string {
  const end = to - 1;
  let at = from + 1;
  for (let chars = 0; at < end && chars < charsMax; chars++) {
    const byte = bytes[at] ?? 0;
    if (byte === BACKSLASH) at += bytes[at + 1] === LETTER_U ? 6 : 2;
    else at += byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
    if (byte >= 0xf0) chars++;
  }
  if (at === from + 1) return "";
  const text: string = JSON.parse(`${decoder.decode(bytes.subarray(from, at))}"`);
  return text.slice(0, charsMax);
}

/**
 * Returns whether a string begins with an ASCII text, and, unless `isWhole` is false, ends with it.
 * Decodes escapes; those of one letter stand for characters that no such text has.
 */
export function isText(
  bytes: Uint8Array,
  { from, to }: { from: number; to: number },
  text: string,
  isWhole = true,
): boolean {
  let at = from + 1;
  for (let i = 0; i < text.length; i++) {
    const isEscaped = bytes[at] === BACKSLASH && bytes[at + 1] === LETTER_U;
    if ((isEscaped ? escapedUnit(bytes, at) : bytes[at]) !== text.charCodeAt(i)) return false;
    at += isEscaped ? 6 : 1;
  }
  return !isWhole || at === to - 1;
}

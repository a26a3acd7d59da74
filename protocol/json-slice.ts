/**
 * Reads single values out of the bytes of a JSON body that {@link scanJson} has checked, so that no
 * reader has to build the whole body as a tree. Pure.
 */
import { BACKSLASH, isKey, plainEnd, QUOTE, scalarEnd, skipSpace } from "./json-bytes.ts";
import type { JsonSlice } from "./json-scan.ts";

export type JsonKind = "object" | "array" | "string" | "boolean" | "null" | "number";

const COMMA = 0x2c;
const LETTER_F = 0x66;
const LETTER_N = 0x6e;
const LETTER_T = 0x74;
const LETTER_U = 0x75;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

export function kindOf(bytes: Uint8Array, { from }: JsonSlice): JsonKind {
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

export const isTrue = (bytes: Uint8Array, { from }: JsonSlice): boolean => bytes[from] === LETTER_T;

const decoder = new TextDecoder();

/**
 * Returns the beginning of a string, and how long the whole of it is. Both are in UTF-16 code units.
 * Decodes only the beginning.
 */
export function textOf(
  bytes: Uint8Array,
  { from, to }: JsonSlice,
  charsMax: number,
): { text: string; chars: number } {
  const end = to - 1;
  let cutAt = charsMax === 0 ? from + 1 : end;
  let chars = 0;
  for (let at = from + 1; at < end; ) {
    const plain = plainEnd(bytes, at) - at;
    if (chars < charsMax && chars + plain >= charsMax) cutAt = at + charsMax - chars;
    chars += plain;
    at += plain;
    if (at === end) break;
    const byte = bytes[at] ?? 0;
    if (byte === BACKSLASH) at += bytes[at + 1] === LETTER_U ? 6 : 2;
    else at += byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
    const before = chars;
    chars += byte < 0xf0 ? 1 : 2;
    if (before < charsMax && chars >= charsMax) cutAt = at;
  }
  if (cutAt === from + 1) return { text: "", chars };
  const text: string = JSON.parse(`${decoder.decode(bytes.subarray(from, cutAt))}"`);
  return { text: text.slice(0, charsMax), chars };
}

/** Calls `visit` with each item of an array. */
export function eachItem(
  bytes: Uint8Array,
  array: JsonSlice,
  visit: (item: JsonSlice) => void,
): void {
  let at = skipSpace(bytes, array.from + 1);
  while (at < array.to - 1) {
    const to = valueEnd(bytes, at);
    visit({ from: at, to });
    at = skipSpace(bytes, to);
    if (bytes[at] === COMMA) at = skipSpace(bytes, at + 1);
  }
}

/** Returns the values of these members of an object. The last one of a name counts, as in Ollama. */
export function membersOf<Name extends string>(
  bytes: Uint8Array,
  object: JsonSlice,
  names: readonly Name[],
): Partial<Record<Name, JsonSlice>> {
  const members: Partial<Record<Name, JsonSlice>> = {};
  let at = skipSpace(bytes, object.from + 1);
  while (at < object.to - 1) {
    const keyEnd = closingQuote(bytes, at + 1);
    const name = names.find((candidate) => isKey(bytes, at + 1, keyEnd, candidate));
    const from = skipSpace(bytes, skipSpace(bytes, keyEnd + 1) + 1);
    const to = valueEnd(bytes, from);
    if (name !== undefined) members[name] = { from, to };
    at = skipSpace(bytes, to);
    if (bytes[at] === COMMA) at = skipSpace(bytes, at + 1);
  }
  return members;
}

/** Bytes of a string that are read one by one. Beyond, the engine's own search is faster. */
const SHORT_BYTES = 64;

/** Returns the position of the quote that ends a string, from a place inside it. */
function closingQuote(bytes: Uint8Array, at: number): number {
  for (;;) {
    for (const longFrom = at + SHORT_BYTES; at < longFrom; ) {
      const byte = bytes[at];
      if (byte === QUOTE) return at;
      at += byte === BACKSLASH ? 2 : 1;
    }
    const quote = bytes.indexOf(QUOTE, at);
    let escapes = 0;
    while (quote - escapes > at && bytes[quote - escapes - 1] === BACKSLASH) escapes++;
    if (escapes % 2 === 0) return quote;
    at = quote + 1;
  }
}

/** Returns the position behind the value at `at`. */
function valueEnd(bytes: Uint8Array, at: number): number {
  let depth = 0;
  for (;;) {
    const byte = bytes[at] ?? 0;
    const isOpener = byte === OPEN_ARRAY || byte === OPEN_OBJECT;
    if (byte === QUOTE) at = closingQuote(bytes, at + 1) + 1;
    else if (depth === 0 && !isOpener) return scalarEnd(bytes, at);
    else {
      if (isOpener) depth++;
      else if (byte === CLOSE_ARRAY || byte === CLOSE_OBJECT) depth--;
      at++;
    }
    if (depth === 0) return at;
  }
}

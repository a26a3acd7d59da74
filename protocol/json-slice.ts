/**
 * Reads single values out of the bytes of a JSON body that {@link scanJson} has checked, so that no
 * reader has to build the whole body as a tree. Pure.
 */
import { BACKSLASH, isKey, QUOTE, scalarEnd, skipSpace, stringEnd } from "./json-bytes.ts";
import type { JsonSlice } from "./json-scan.ts";

export type JsonKind = "object" | "array" | "string" | "boolean" | "null" | "number";

const KINDS: ReadonlyMap<string, JsonKind> = new Map([
  ["{", "object"],
  ["[", "array"],
  ['"', "string"],
  ["t", "boolean"],
  ["f", "boolean"],
  ["n", "null"],
]);

export const kindOf = (bytes: Uint8Array, { from }: JsonSlice): JsonKind =>
  KINDS.get(String.fromCharCode(bytes[from] ?? 0)) ?? "number";

export const isTrue = (bytes: Uint8Array, { from }: JsonSlice): boolean => bytes[from] === 0x74;

const COMMA = 0x2c;
const LETTER_U = 0x75;
const CLOSERS: ReadonlySet<number> = new Set([0x5d, 0x7d]);
const OPENERS: ReadonlySet<number> = new Set([0x5b, 0x7b]);

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
    const byte = bytes[at] ?? 0;
    if (byte === BACKSLASH) at += bytes[at + 1] === LETTER_U ? 6 : 2;
    else at += byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
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
    const keyEnd = stringEnd(bytes, at + 1);
    const name = names.find((candidate) => isKey(bytes, at + 1, keyEnd, candidate));
    const from = skipSpace(bytes, skipSpace(bytes, keyEnd + 1) + 1);
    const to = valueEnd(bytes, from);
    if (name !== undefined) members[name] = { from, to };
    at = skipSpace(bytes, to);
    if (bytes[at] === COMMA) at = skipSpace(bytes, at + 1);
  }
  return members;
}

/** Returns the position behind the value at `at`. */
function valueEnd(bytes: Uint8Array, at: number): number {
  let depth = 0;
  for (;;) {
    const byte = bytes[at] ?? 0;
    if (byte === QUOTE) at = stringEnd(bytes, at + 1) + 1;
    else if (depth === 0 && !OPENERS.has(byte)) return scalarEnd(bytes, at);
    else {
      if (OPENERS.has(byte)) depth++;
      else if (CLOSERS.has(byte)) depth--;
      at++;
    }
    if (depth === 0) return at;
  }
}

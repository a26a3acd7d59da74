/**
 * The parts of JSON in its bytes: where a space, a string, a number or a key ends. Pure.
 *
 * These loops touch every byte of every body, so they allocate nothing.
 */

export const QUOTE = 0x22;
export const BACKSLASH = 0x5c;
const MINUS = 0x2d;
const PLUS = 0x2b;
const POINT = 0x2e;
const LETTER_E = 0x65;
const CAPITAL_E = 0x45;
const LETTER_U = 0x75;
const CASE_BIT = 0x20;

/** Bytes of a string that need a look: quotes, backslashes, control characters, and all beyond ASCII. */
const SPECIAL = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte < 0x20 || byte === QUOTE || byte === BACKSLASH || byte >= 0x80 ? 1 : 0,
);
const ESCAPES: ReadonlySet<number> = new Set(Array.from('"\\/bfnrt', (c) => c.charCodeAt(0)));

export const hasByteOrderMark = (bytes: Uint8Array): boolean =>
  bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;

/** Returns the position of the first byte that is not white space, at or after `at`. */
export function skipSpace(bytes: Uint8Array, at: number): number {
  for (;;) {
    const byte = bytes[at];
    if (byte === undefined || byte > 0x20) return at;
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return at;
    at++;
  }
}

/** Returns the position of the first byte of a string that is not plain ASCII, at or after `at`. */
export function plainEnd(bytes: Uint8Array, at: number): number {
  for (;;) {
    const byte = bytes[at];
    if (byte === undefined || SPECIAL[byte] !== 0) return at;
    at++;
  }
}

/**
 * @param at  the first byte behind the opening quote
 * @returns   the position of the closing quote, or `~position` of the byte that does not fit
 */
export function stringEnd(bytes: Uint8Array, at: number): number {
  for (;;) {
    at = plainEnd(bytes, at);
    const byte = bytes[at];
    if (byte === QUOTE) return at;
    if (byte === undefined || byte < 0x20) return ~at;
    const width = byte === BACKSLASH ? escapeWidth(bytes, at) : utf8Width(bytes, at);
    if (width === 0) return ~at;
    at += width;
  }
}

/**
 * @param at  the first byte of a string, a number, `true`, `false` or `null`
 * @returns   the position behind it, or `~position` of the byte that does not fit
 */
export function scalarEnd(bytes: Uint8Array, at: number): number {
  switch (bytes[at]) {
    case QUOTE: {
      const end = stringEnd(bytes, at + 1);
      return end < 0 ? end : end + 1;
    }
    case 0x74:
      return wordEnd(bytes, at, "true");
    case 0x66:
      return wordEnd(bytes, at, "false");
    case 0x6e:
      return wordEnd(bytes, at, "null");
    default:
      return numberEnd(bytes, at);
  }
}

function wordEnd(bytes: Uint8Array, at: number, word: string): number {
  for (let i = 1; i < word.length; i++) if (bytes[at + i] !== word.charCodeAt(i)) return ~(at + i);
  return at + word.length;
}

function numberEnd(bytes: Uint8Array, at: number): number {
  if (bytes[at] === MINUS) at++;
  if (bytes[at] === 0x30) at++;
  else {
    const end = digitsEnd(bytes, at);
    if (end === at) return ~at;
    at = end;
  }
  const next = bytes[at];
  if (next !== POINT && next !== LETTER_E && next !== CAPITAL_E) return at;
  if (next === POINT) {
    const end = digitsEnd(bytes, at + 1);
    if (end === at + 1) return ~end;
    at = end;
  }
  if (bytes[at] === LETTER_E || bytes[at] === CAPITAL_E) {
    const sign = bytes[at + 1];
    const from = at + (sign === PLUS || sign === MINUS ? 2 : 1);
    const end = digitsEnd(bytes, from);
    if (end === from) return ~end;
    at = end;
  }
  return at;
}

const isDigit = (byte: number): boolean => byte >= 0x30 && byte <= 0x39;

function digitsEnd(bytes: Uint8Array, at: number): number {
  for (;;) {
    const byte = bytes[at];
    if (byte === undefined || byte > 0x39 || byte < 0x30) return at;
    at++;
  }
}

/** Returns the length of the escape at `at`; 0 if it is not valid. */
function escapeWidth(bytes: Uint8Array, at: number): number {
  if (bytes[at + 1] === LETTER_U) return escapedUnit(bytes, at) < 0 ? 0 : 6;
  return ESCAPES.has(bytes[at + 1] ?? 0) ? 2 : 0;
}

/** Returns the UTF-16 unit of a `\uXXXX` at `at`; negative if it is not valid. */
function escapedUnit(bytes: Uint8Array, at: number): number {
  let unit = 0;
  for (let i = at + 2; i < at + 6; i++) {
    const byte = bytes[i] ?? 0;
    const letter = byte | CASE_BIT;
    if (isDigit(byte)) unit = unit * 16 + byte - 0x30;
    else if (letter >= 0x61 && letter <= 0x66) unit = unit * 16 + letter - 0x57;
    else return -1;
  }
  return unit;
}

/** Returns the length of the UTF-8 sequence at `at`, two to four bytes; 0 if it is not valid. */
function utf8Width(bytes: Uint8Array, at: number): number {
  const lead = bytes[at] ?? 0;
  const second = bytes[at + 1] ?? 0;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  if (lead < 0xe0) return isContinuation(second) ? 2 : 0;
  if (!isContinuation(bytes[at + 2] ?? 0)) return 0;
  if (lead < 0xf0) {
    const isShortest = lead !== 0xe0 || second >= 0xa0;
    const isSurrogate = lead === 0xed && second >= 0xa0;
    return isContinuation(second) && isShortest && !isSurrogate ? 3 : 0;
  }
  if (!isContinuation(bytes[at + 3] ?? 0)) return 0;
  const isInRange = (lead !== 0xf0 || second >= 0x90) && (lead !== 0xf4 || second < 0x90);
  return isContinuation(second) && isInRange ? 4 : 0;
}

const isContinuation = (byte: number): boolean => (byte & 0xc0) === 0x80;

/** {@link foldedAt} returns a letter, and in its lowest bits how many bytes it takes. */
const WIDTH_BITS = 3;

/**
 * Returns the letter of a key at `at` as Go's decoder compares keys: in lower case, escapes decoded,
 * and with the two letters beyond ASCII that fold into it, ſ and K. Any other letter is 0.
 */
function foldedAt(bytes: Uint8Array, at: number): number {
  const byte = bytes[at] ?? 0;
  if (byte === BACKSLASH && bytes[at + 1] === LETTER_U)
    return (foldedLetter(escapedUnit(bytes, at)) << WIDTH_BITS) | 6;
  if (byte === 0xc5 && bytes[at + 1] === 0xbf) return (foldedLetter(0x17f) << WIDTH_BITS) | 2;
  if (byte === 0xe2 && bytes[at + 1] === 0x84 && bytes[at + 2] === 0xaa)
    return (foldedLetter(0x212a) << WIDTH_BITS) | 3;
  return (foldedLetter(byte) << WIDTH_BITS) | 1;
}

function foldedLetter(unit: number): number {
  if (unit >= 0x41 && unit <= 0x5a) return unit | CASE_BIT;
  if (unit === 0x17f) return 0x73;
  if (unit === 0x212a) return 0x6b;
  return unit < 0x80 ? unit : 0;
}

/** Returns the first letter of a valid key, folded as Ollama's decoder folds it; 0 if it cannot match. */
export const firstLetter = (bytes: Uint8Array, from: number): number =>
  foldedAt(bytes, from) >> WIDTH_BITS;

/** Returns whether Ollama's decoder takes a valid key, without its quotes, for the field `name`. */
export function isKey(bytes: Uint8Array, from: number, to: number, name: string): boolean {
  if (to - from < name.length) return false;
  let at = from;
  for (let i = 0; i < name.length; i++) {
    if (at >= to) return false;
    const folded = foldedAt(bytes, at);
    if (folded >> WIDTH_BITS !== name.charCodeAt(i)) return false;
    at += folded & ((1 << WIDTH_BITS) - 1);
  }
  return at === to;
}

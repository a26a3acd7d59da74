/**
 * The keys of a JSON object as Ollama's decoder compares them: Go's `encoding/json` ignores their case
 * and decodes their escapes. Pure.
 *
 * @see https://pkg.go.dev/encoding/json#Unmarshal, https://go.dev/src/encoding/json/fold.go
 */
import { BACKSLASH, escapedUnit, LETTER_U, QUOTE } from "./json-bytes.ts";

const CASE_BIT = 0x20;
/** Length of a `\uXXXX`. */
const ESCAPE_BYTES = 6;

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

/** Names of fields, found by a hash of their letters. */
export type KeyTable<Member extends { name: string }> = {
  members: readonly Member[];
  longest: number;
  bySlot: readonly (readonly Named<Member>[])[];
};
type Named<Member> = { member: Member; letters: Uint8Array; hash: number };

/** A power of two; the most names have a slot of their own. */
const SLOTS = 64;

/** @param members  with names in lower case and ASCII, as Ollama documents them */
export function keyTable<Member extends { name: string }>(
  members: readonly Member[],
): KeyTable<Member> {
  const named = members.map((member) => {
    const letters = new TextEncoder().encode(member.name);
    return { member, letters, hash: letters.reduceRight(hashed, 0) };
  });
  return {
    members,
    longest: Math.max(...members.map(({ name }) => name.length)),
    bySlot: Array.from({ length: SLOTS }, (_, slot) =>
      named.filter(({ hash }) => (hash & (SLOTS - 1)) === slot),
    ),
  };
}

/** Adds a letter, from the last one of a key to its first. */
const hashed = (hash: number, letter: number): number => (Math.imul(hash, 31) + letter) | 0;

/**
 * Maps the bytes of plain keys to lower case. The quote and all others have numbers of their own.
 */
const NOT_PLAIN = 0;
const IS_QUOTE = 1;
const LETTERS = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte === QUOTE ? IS_QUOTE : byte === BACKSLASH ? NOT_PLAIN : foldedLetter(byte),
);

/**
 * Returns the member that Ollama's decoder would set for a valid key that ends before the quote at
 * `end`; "odd" for a key with escapes or characters beyond ASCII. The quote before a key is the only
 * one with no backslash before it.
 */
export function plainMember<Member extends { name: string }>(
  bytes: Uint8Array,
  end: number,
  { longest, bySlot }: KeyTable<Member>,
): Member | "odd" | null {
  let hash = 0;
  // Its last bytes may be the digits of an escape.
  for (let at = end - 1; at >= end - longest - ESCAPE_BYTES; at--) {
    const letter = LETTERS[bytes[at] ?? 0] ?? NOT_PLAIN;
    if (letter > IS_QUOTE) hash = hashed(hash, letter);
    else if (letter === NOT_PLAIN || bytes[at - 1] === BACKSLASH) return "odd";
    else {
      const named = bySlot[hash & (SLOTS - 1)] ?? [];
      for (let index = 0; index < named.length; index++) {
        const one = named[index] as Named<Member>;
        if (one.hash === hash && isPlainKey(bytes, at + 1, end, one.letters)) return one.member;
      }
      return null;
    }
  }
  return null;
}

function isPlainKey(bytes: Uint8Array, from: number, to: number, letters: Uint8Array): boolean {
  if (to - from !== letters.length) return false;
  for (let i = 0; i < letters.length; i++)
    if (LETTERS[bytes[from + i] ?? 0] !== letters[i]) return false;
  return true;
}

/** Returns the same for an odd key that ends before the quote at `to`. */
export function oddMember<Member extends { name: string }>(
  bytes: Uint8Array,
  to: number,
  { members, longest }: KeyTable<Member>,
): Member | null {
  let from = to;
  while (bytes[from - 1] !== QUOTE || bytes[from - 2] === BACKSLASH) {
    if (to - from > longest * ESCAPE_BYTES) return null;
    from--;
  }
  return members.find(({ name }) => isKey(bytes, from, to, name)) ?? null;
}

function isKey(bytes: Uint8Array, from: number, to: number, name: string): boolean {
  let at = from;
  for (let i = 0; i < name.length; i++) {
    if (at >= to) return false;
    const folded = foldedAt(bytes, at);
    if (folded >> WIDTH_BITS !== name.charCodeAt(i)) return false;
    at += folded & ((1 << WIDTH_BITS) - 1);
  }
  return at === to;
}

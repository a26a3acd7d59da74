/**
 * The grammar of JSON in UTF-8 as a table: the next state for each state and byte. Pure.
 *
 * One lookup a byte makes every body about equally cheap; long texts in ASCII are passed faster. The
 * loop allocates nothing and leaves rare cases to its caller, so the engine compiles it early and once.
 *
 * @see https://www.rfc-editor.org/rfc/rfc8259, https://www.rfc-editor.org/rfc/rfc3629#section-4
 */

/** An entry is a state in its upper byte. The lower one counts: characters, and values. */
const STATE_MASK = 0xff00;
/** Counts UTF-16 code units of strings, and 1 for each string. */
export const COUNTS_CHARS = 0b0011;
/** Counts values at all levels, {@link VALUE_WEIGHT} for each one. */
export const COUNTS_VALUES = 0b0100;
export const VALUE_WEIGHT = COUNTS_VALUES;

/** At and beyond this state, {@link run} returns. */
const RETURNS = 0xf0_00;
/** An array begins. */
export const OPEN_ARRAY = 0xf0_00;
export const OPEN_OBJECT = 0xf1_00;
/** The array or object around ends. */
export const CLOSE = 0xf2_00;
/** A key of a watched object ends with this quote. */
export const KEY = 0xf3_00;
/** A string in a watched list begins behind this quote. */
export const TEXT = 0xf4_00;
/** A single value has ended with this byte. */
export const ENDED = 0xf5_00;
/** A single number has ended before this byte. */
export const ENDED_BEFORE = 0xf6_00;
/** The byte does not fit. */
export const BROKEN = 0xff_00;

/** After this many bytes, {@link run} looks whether it is in a long string. */
const STRIDE_BYTES = 32;
/** Bytes that leave a string in its state. */
const PLAIN = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x20 && byte < 0x80 && byte !== 0x22 && byte !== 0x5c ? 1 : 0,
);
const IN_STRING = new Uint8Array(256);

const NEXT = new Uint16Array(256 * 256).fill(BROKEN);

/** Places in {@link run}'s cursor. */
export const STATE = 0;
export const COUNT = 1;

/**
 * Goes on until a state of which its caller must know, or to the end of the bytes.
 * @param cursor  takes the state, and adds to the count
 * @param counts  {@link COUNTS_CHARS} or {@link COUNTS_VALUES}
 * @returns       the position behind the last byte
 */
export function run(
  bytes: Uint8Array,
  at: number,
  state: number,
  cursor: Int32Array,
  counts: number,
): number {
  const end = bytes.length;
  let count = cursor[COUNT] ?? 0;
  while (at < end) {
    const stop = Math.min(at + STRIDE_BYTES, end);
    do {
      const entry = NEXT[state | (bytes[at] ?? 0)] ?? BROKEN;
      count += entry & counts;
      state = entry & STATE_MASK;
      at++;
    } while (at < stop && state < RETURNS);
    if (state >= RETURNS) break;
    if (IN_STRING[state >> 8] === 0) continue;
    const plainFrom = at;
    while (at < end && PLAIN[bytes[at] ?? 0] === 1) at++;
    if (counts === COUNTS_CHARS) count += at - plainFrom;
  }
  cursor[STATE] = state;
  cursor[COUNT] = count;
  return at;
}

/** Returns whether the bytes may end in this state: behind a single number. */
export const mayEnd = (state: number): boolean =>
  ((NEXT[state | 0x20] ?? BROKEN) & STATE_MASK) === ENDED_BEFORE;

let states = 0;
const newState = (): number => states++ << 8;

function on(state: number, bytes: Iterable<number>, next: number, weight = 0): void {
  for (const byte of bytes) NEXT[state | byte] = next | weight;
}

const of = (text: string): number[] => Array.from(text, (char) => char.charCodeAt(0));
const range = (first: number, last: number): number[] =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index);

const SPACE = of(" \t\n\r");
const DIGITS = of("0123456789");
const HEX = of("0123456789abcdefABCDEF");
const QUOTE = of('"');

/** @returns the state behind the opening quote; the closing one leads to `after` */
function addString(after: number): number {
  const inside = newState();
  IN_STRING[inside >> 8] = 1;
  on(inside, range(0x20, 0x7f), inside, 1);
  on(inside, QUOTE, after);
  const escaped = newState();
  on(inside, of("\\"), escaped);
  on(escaped, of('"\\/bfnrt'), inside, 1);
  let digit = inside;
  for (let left = 1; left <= 4; left++) {
    const state = newState();
    on(state, HEX, digit, left === 1 ? 1 : 0);
    digit = state;
  }
  on(escaped, of("u"), digit);
  const continues = (first: number, last: number, next: number): number => {
    const state = newState();
    on(state, range(first, last), next);
    return state;
  };
  // The shortest form only, no surrogates, and nothing beyond U+10FFFF.
  const one = continues(0x80, 0xbf, inside);
  const two = continues(0x80, 0xbf, one);
  on(inside, range(0xc2, 0xdf), one, 1);
  on(inside, range(0xe1, 0xef), two, 1);
  on(inside, [0xe0], continues(0xa0, 0xbf, one), 1);
  on(inside, [0xed], continues(0x80, 0x9f, one), 1);
  on(inside, range(0xf1, 0xf3), continues(0x80, 0xbf, two), 2);
  on(inside, [0xf0], continues(0x90, 0xbf, two), 2);
  on(inside, [0xf4], continues(0x80, 0x8f, two), 2);
  return inside;
}

/**
 * Lets a value begin in these states.
 * @param string       where an opening quote leads
 * @param after        where the last letter of a word leads
 * @param endOfNumber  adds the bytes that may follow a number
 */
function addValue(
  begins: readonly number[],
  string: number,
  after: number,
  endOfNumber: (number: number) => void,
): void {
  const begin = (bytes: readonly number[], next: number, weight = 0) => {
    for (const state of begins) on(state, bytes, next, weight | VALUE_WEIGHT);
  };
  begin(of("["), OPEN_ARRAY);
  begin(of("{"), OPEN_OBJECT);
  begin(QUOTE, string, 1);
  for (const word of ["true", "false", "null"]) {
    let next = after;
    for (let index = word.length - 1; index > 0; index--) {
      const state = newState();
      on(state, of(word.charAt(index)), next);
      next = state;
    }
    begin(of(word.charAt(0)), next);
  }
  const [minus, zero, integer, point, fraction] = Array.from({ length: 5 }, newState) as Five;
  const [e, sign, exponent] = [newState(), newState(), newState()];
  for (const number of [zero, integer, fraction, exponent]) endOfNumber(number);
  begin(of("-"), minus);
  begin(of("0"), zero);
  begin(of("123456789"), integer);
  on(minus, of("0"), zero);
  on(minus, of("123456789"), integer);
  on(integer, DIGITS, integer);
  for (const number of [zero, integer]) on(number, of("."), point);
  on(point, DIGITS, fraction);
  on(fraction, DIGITS, fraction);
  for (const number of [zero, integer, fraction]) on(number, of("eE"), e);
  on(e, of("+-"), sign);
  for (const state of [e, sign, exponent]) on(state, DIGITS, exponent);
}
type Five = [number, number, number, number, number];

/** Where an array or object begins, and where it goes on behind one of its values. */
export type Inside = { first: number; after: number; colon: number };

/** @param isWatched  {@link run} returns at each string */
function addArray(isWatched: boolean): Inside {
  const [first, value, after] = [newState(), newState(), newState()];
  const end = (state: number) => {
    on(state, SPACE, after);
    on(state, of(","), value);
    on(state, of("]"), CLOSE);
  };
  end(after);
  on(first, SPACE, first);
  on(value, SPACE, value);
  on(first, of("]"), CLOSE);
  addValue([first, value], isWatched ? TEXT : addString(after), after, end);
  return { first, after, colon: BROKEN };
}

/** @param isWatched  {@link run} returns at each key */
function addObject(isWatched: boolean): Inside {
  const [first, key, after, colon, value] = Array.from({ length: 5 }, newState) as Five;
  const end = (state: number) => {
    on(state, SPACE, after);
    on(state, of(","), key);
    on(state, of("}"), CLOSE);
  };
  end(after);
  for (const state of [first, key, colon, value]) on(state, SPACE, state);
  on(first, of("}"), CLOSE);
  const keyString = addString(isWatched ? KEY : colon);
  for (const state of [first, key]) on(state, QUOTE, keyString);
  on(colon, of(":"), value);
  addValue([value], addString(after), after, end);
  return { first, after, colon };
}

/** A string, behind its quote. */
export const STRING = addString(ENDED);
/** One value, on its first byte. */
export const VALUE = newState();
addValue([VALUE], STRING, ENDED, (number) => on(number, range(0, 0xff), ENDED_BEFORE));

export const ARRAY = addArray(false);
export const WATCHED_ARRAY = addArray(true);
export const OBJECT = addObject(false);
export const WATCHED_OBJECT = addObject(true);

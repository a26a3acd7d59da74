/**
 * One linear pass over the bytes of a JSON body, without building a tree. Pure.
 *
 * Checks that the first value is JSON in UTF-8 within the limits of depth and size, and shows what
 * lies at the places that its reader watches. Fields are found as Ollama's decoder finds them, which
 * stops after the first value. Memory does not grow with the body, a byte costs the same in every
 * body, and a hostile body ends the pass at the limit that it breaks.
 */
import { hasByteOrderMark, QUOTE, skipSpace } from "./json-bytes.ts";
import { oddMember, plainMember } from "./json-keys.ts";
import type { JsonFields, JsonMember, JsonPlace } from "./json-places.ts";
import * as states from "./json-states.ts";
import { COUNT, mayEnd, run, STATE } from "./json-states.ts";
import { JSON_CONTAINERS_MAX, JSON_DEPTH_MAX, JSON_ODD_KEYS_MAX } from "./limits.ts";

/** A value inside the bytes of a body: `from` its first byte, up to but not including `to`. */
export type JsonSlice = {
  from: number;
  to: number;
  /** UTF-16 code units of a string; 0 for another value. */
  chars: number;
};

export type JsonScan =
  | {
      ok: true;
      /** The first value of the body. Ollama ignores the bytes behind it. */
      value: JsonSlice;
      /** Values of the watched fields of the body, by the canonical names of the fields. */
      fields: ReadonlyMap<string, JsonSlice>;
    }
  | { ok: false; detail: string };

/** @param into  given to the readers of the places */
export const scanJson = <R>(bytes: Uint8Array, root: JsonPlace<R>, into: R): JsonScan =>
  new Scan(bytes, root, into, states.COUNTS_CHARS).result();

/** Returns the number of values at all levels; the reason for a body that is refused. */
export function jsonValuesOf(bytes: Uint8Array): number | string {
  const scan = new Scan(bytes, {}, null, states.COUNTS_VALUES);
  const result = scan.result();
  return result.ok ? scan.count / states.VALUE_WEIGHT : result.detail;
}

const COLON = 0x3a;
const NOT_FULL = -1;

/** An array or object that has begun. */
class Level<R> {
  from = 0;
  /** The count behind its bracket. */
  count = 0;
  isArray = false;
  place: JsonPlace<R> | null = null;
  /** The state behind one of its values. */
  after = states.BROKEN;
  /** The count when the reader of its texts had enough. */
  fullCount = NOT_FULL;
  /** Its members so far, one bit each. */
  seen = 0;
}

class Scan<R> {
  readonly #bytes: Uint8Array;
  readonly #root: JsonPlace<R>;
  readonly #into: R;
  readonly #counts: number;
  readonly #cursor = new Int32Array(2);
  /** By depth. The first one stands around the body. */
  readonly #levels: Level<R>[] = [new Level()];
  #depth = 0;
  #containers = 0;
  /** Keys at watched places that are repeated, or not plain. */
  #oddities = 0;
  /** The place of a value that is read by itself, the body or a member; null in an array. */
  #place: JsonPlace<R> | null;
  #from = 0;
  /** The count before it. */
  #count = 0;
  /** The field of the body that is being read. */
  #field: JsonMember<R> | null = null;
  /** By field of the body: from, to and chars. `to` is 0 for a field that has not occurred. */
  readonly #slots: Int32Array;
  #failure = "";

  constructor(bytes: Uint8Array, root: JsonPlace<R>, into: R, counts: number) {
    this.#bytes = bytes;
    this.#root = root;
    this.#into = into;
    this.#counts = counts;
    this.#place = root;
    this.#slots = new Int32Array((root.fields?.members.length ?? 0) * 3);
  }

  get count(): number {
    return this.#cursor[COUNT] ?? 0;
  }

  result(): JsonScan {
    const bytes = this.#bytes;
    if (hasByteOrderMark(bytes)) return { ok: false, detail: BYTE_ORDER_MARK };
    const from = skipSpace(bytes, 0);
    if (from === bytes.length) return { ok: false, detail: EMPTY };
    this.#from = from;
    this.#cursor[STATE] = states.VALUE;
    let at = from;
    do {
      const state = this.#cursor[STATE] ?? states.BROKEN;
      at = this.#step(run(bytes, at, state, this.#cursor, this.#counts));
      if (at < 0) return { ok: false, detail: this.#failure };
    } while (this.#depth > 0);
    return { ok: true, value: { from, to: at, chars: 0 }, fields: this.#fields() };
  }

  /** @returns where to go on; negative if the body is refused */
  #step(at: number): number {
    switch (this.#cursor[STATE]) {
      case states.KEY:
        return this.#key(at);
      case states.TEXT:
        return this.#text(at);
      case states.OPEN_ARRAY:
        return this.#open(at, true);
      case states.OPEN_OBJECT:
        return this.#open(at, false);
      case states.CLOSE:
        return this.#close(at);
      case states.ENDED:
        return this.#single(at);
      case states.ENDED_BEFORE:
        return this.#single(at - 1);
      case states.BROKEN:
        return this.#refuse(unexpected(this.#bytes, at - 1));
      default:
        // The bytes have ended. A number ends with them if it is the whole body.
        return this.#depth === 0 && mayEnd(this.#cursor[STATE] ?? 0)
          ? this.#single(at)
          : this.#refuse(TOO_SHORT);
    }
  }

  #open(at: number, isArray: boolean): number {
    if (this.#depth === JSON_DEPTH_MAX) return this.#refuse(TOO_DEEP);
    if (++this.#containers > JSON_CONTAINERS_MAX) return this.#refuse(TOO_MANY);
    const around = this.#levels[this.#depth];
    const item = around?.isArray ? around.place?.items : undefined;
    const place = this.#place ?? item ?? null;
    this.#place = null;
    this.#depth++;
    this.#levels[this.#depth] ??= new Level();
    const level = this.#levels[this.#depth] as Level<R>;
    level.from = at - 1;
    level.count = this.count;
    level.isArray = isArray;
    level.place = place;
    level.fullCount = NOT_FULL;
    level.seen = 0;
    const { first, after } = isArray ? arrayAt(place) : objectAt(place);
    level.after = after;
    this.#cursor[STATE] = first;
    return at;
  }

  #close(at: number): number {
    const { from, count, place, fullCount } = this.#levels[this.#depth] as Level<R>;
    if (fullCount !== NOT_FULL) place?.texts?.skip(this.#into, this.count - fullCount);
    // Strings inside an item are not texts of the array around it.
    if (this.#counts === states.COUNTS_CHARS) this.#cursor[COUNT] = count;
    this.#depth--;
    return this.#ended(place, from, at, 0);
  }

  /** A key of a watched object has ended. Passes those that are no names in one loop. */
  #key(at: number): number {
    const bytes = this.#bytes;
    const cursor = this.#cursor;
    const counts = this.#counts;
    const level = this.#levels[this.#depth] as Level<R>;
    const fields = level.place?.fields as JsonFields<R>;
    let member = plainMember(bytes, at - 1, fields);
    while (member === null) {
      at = run(bytes, at, states.WATCHED_OBJECT.colon, cursor, counts);
      if (cursor[STATE] !== states.KEY) return this.#step(at);
      member = plainMember(bytes, at - 1, fields);
    }
    cursor[STATE] = states.WATCHED_OBJECT.colon;
    if (member === "odd") {
      if (++this.#oddities > JSON_ODD_KEYS_MAX) return this.#refuse(TOO_ODD);
      member = oddMember(bytes, at - 1, fields);
      if (member === null) return at;
    }
    if ((level.seen >> member.index) & 1) {
      if (member.isGuarded) return this.#refuse(twice(member.name));
      if (++this.#oddities > JSON_ODD_KEYS_MAX) return this.#refuse(TOO_ODD);
    }
    level.seen |= 1 << member.index;
    if (this.#depth === 1) this.#field = member;
    const colon = skipSpace(bytes, at);
    if (bytes[colon] !== COLON) return colon; // the state there refuses it
    this.#from = skipSpace(bytes, colon + 1);
    this.#count = this.count;
    this.#place = member.place;
    this.#cursor[STATE] = states.VALUE;
    return this.#from;
  }

  /** Reads a text in a watched array. @param from  behind its quote */
  #text(from: number): number {
    const before = this.count;
    const at = run(this.#bytes, from, states.STRING, this.#cursor, this.#counts);
    if (this.#cursor[STATE] !== states.ENDED) return this.#step(at);
    const level = this.#levels[this.#depth] as Level<R>;
    if (level.place?.texts?.take(this.#into, from - 1, at, this.count - before) === false) {
      level.fullCount = this.count;
      level.after = states.ARRAY.after;
    }
    this.#cursor[STATE] = level.after;
    return at;
  }

  /** A value that is read by itself has ended. */
  #single(at: number): number {
    const place = this.#place;
    this.#place = null;
    const chars = this.#bytes[this.#from] === QUOTE ? this.count - this.#count - 1 : 0;
    return this.#ended(place, this.#from, at, chars);
  }

  #ended(place: JsonPlace<R> | null, from: number, to: number, chars: number): number {
    place?.found?.(this.#into, from, to, chars);
    if (this.#depth === 1 && this.#field !== null) {
      const slot = this.#field.index * 3;
      this.#slots[slot] = from;
      this.#slots[slot + 1] = to;
      this.#slots[slot + 2] = chars;
      this.#field = null;
    }
    this.#cursor[STATE] = this.#levels[this.#depth]?.after ?? states.BROKEN;
    return to;
  }

  #refuse(detail: string): number {
    this.#failure = detail;
    return -1;
  }

  #fields(): Map<string, JsonSlice> {
    const fields = new Map<string, JsonSlice>();
    for (const { name, index } of this.#root.fields?.members ?? []) {
      const [from = 0, to = 0, chars = 0] = this.#slots.subarray(index * 3, index * 3 + 3);
      if (to > 0) fields.set(name, { from, to, chars });
    }
    return fields;
  }
}

const arrayAt = (place: JsonPlace<never> | null): states.Inside =>
  place?.texts === undefined ? states.ARRAY : states.WATCHED_ARRAY;

const objectAt = (place: JsonPlace<never> | null): states.Inside =>
  place?.fields === undefined ? states.OBJECT : states.WATCHED_OBJECT;

const EMPTY = "The request body is empty; it must be a JSON object.";
const BYTE_ORDER_MARK =
  "The request body begins with a byte order mark, which Ollama rejects. Send it without one.";
const TOO_DEEP =
  `Arrays and objects in the request body are nested more than ${JSON_DEPTH_MAX} levels deep. ` +
  "Send a flatter body.";
const TOO_MANY =
  `The request body contains more than ${JSON_CONTAINERS_MAX} arrays and objects. ` +
  "Split it into several requests. Long arrays of numbers or strings are accepted.";
const TOO_ODD =
  `The request body repeats fields, or writes their names with escapes, more than ` +
  `${JSON_ODD_KEYS_MAX} times. Send each field once, with a plain name.`;
const TOO_SHORT = "The request body is not valid JSON: it ends before its first value does.";
const twice = (field: string): string =>
  `The field ${JSON.stringify(field)} occurs twice, in this or another case. Send it once.`;

/** @param at  the first byte that does not fit */
function unexpected(bytes: Uint8Array, at: number): string {
  const lead = leadOf(bytes, at);
  return lead === null
    ? `The request body is not valid JSON: it has an unexpected character at byte ${at}.`
    : `The request body is not valid UTF-8 at byte ${lead}. Send JSON in UTF-8.`;
}

/** Returns where the UTF-8 sequence begins that a byte breaks; null if it breaks none. */
function leadOf(bytes: Uint8Array, at: number): number | null {
  for (let lead = at - 1; lead >= Math.max(0, at - 3); lead--) {
    const byte = bytes[lead] ?? 0;
    if (byte < 0x80) break;
    const width = byte < 0xc0 ? 0 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
    if (width > at - lead) return lead;
    if (width > 0) break;
  }
  return (bytes[at] ?? 0) < 0x80 ? null : at;
}

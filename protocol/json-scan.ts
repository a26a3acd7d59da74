/**
 * One linear pass over the bytes of a JSON body, without building a tree. Pure.
 *
 * Checks that the first value is JSON in UTF-8 within the limits of depth and size, and finds its
 * top-level fields as Ollama's decoder finds them: Go's `encoding/json` ignores the case of keys,
 * decodes their escapes, and stops after the first value. Memory does not grow with the body, and
 * a hostile body ends the pass at the limit that it breaks.
 *
 * @see https://pkg.go.dev/encoding/json#Unmarshal, https://go.dev/src/encoding/json/fold.go
 */
import {
  firstLetter,
  hasByteOrderMark,
  isKey,
  QUOTE,
  scalarEnd,
  skipSpace,
  stringEnd,
} from "./json-bytes.ts";
import { JSON_CONTAINERS_MAX, JSON_DEPTH_MAX } from "./limits.ts";

/** A value inside the bytes of a body: `from` its first byte, up to but not including `to`. */
export type JsonSlice = { from: number; to: number };

export type JsonFields = {
  /** Fields that may occur once, in any spelling. */
  guarded: readonly string[];
  /** Fields whose last occurrence counts, as in Ollama. */
  read: readonly string[];
};

export type JsonScan =
  | {
      ok: true;
      /** The first value of the body. Ollama ignores the bytes behind it. */
      value: JsonSlice;
      /** Values of the fields of the top-level object, by the canonical names of the fields. */
      fields: ReadonlyMap<string, JsonSlice>;
      /** Values at all levels, the first one included. */
      values: number;
    }
  | { ok: false; detail: string };

/** The fields that a scan looks for, by the code of their first letter. */
export type FieldTable = {
  guarded: ReadonlySet<string>;
  byLetter: readonly (readonly string[] | undefined)[];
};

/** @param fields  names in lower case and ASCII, as Ollama documents them */
export const fieldTable = ({ guarded, read }: JsonFields): FieldTable => ({
  guarded: new Set(guarded),
  byLetter: Array.from({ length: 128 }, (_, letter) => {
    const names = [...guarded, ...read].filter((name) => name.charCodeAt(0) === letter);
    return names.length > 0 ? names : undefined;
  }),
});

const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

export function scanJson(bytes: Uint8Array, table: FieldTable): JsonScan {
  if (hasByteOrderMark(bytes)) return refused(BYTE_ORDER_MARK);
  const fields = new Map<string, JsonSlice>();
  const isObject = new Uint8Array(JSON_DEPTH_MAX + 1);
  let depth = 0;
  let containers = 0;
  let values = 0;
  let field: string | null = null;
  let fieldFrom = 0;
  const from = skipSpace(bytes, 0);
  if (from === bytes.length) return refused(EMPTY);

  for (let at = from; ; ) {
    if (isObject[depth] === 1) {
      if (bytes[at] !== QUOTE) return broken(bytes, at);
      const keyEnd = stringEnd(bytes, at + 1);
      if (keyEnd < 0) return broken(bytes, ~keyEnd);
      if (depth === 1) field = fieldOf(bytes, at + 1, keyEnd, table);
      at = skipSpace(bytes, keyEnd + 1);
      if (bytes[at] !== COLON) return broken(bytes, at);
      at = skipSpace(bytes, at + 1);
    }

    values++;
    if (depth === 1) fieldFrom = at;
    const first = bytes[at];
    if (first === OPEN_OBJECT || first === OPEN_ARRAY) {
      if (depth === JSON_DEPTH_MAX) return refused(TOO_DEEP);
      if (++containers > JSON_CONTAINERS_MAX) return refused(TOO_MANY);
      isObject[++depth] = first === OPEN_OBJECT ? 1 : 0;
      at = skipSpace(bytes, at + 1);
      if (bytes[at] !== (first === OPEN_OBJECT ? CLOSE_OBJECT : CLOSE_ARRAY)) continue;
      depth--;
      at++;
    } else {
      at = scalarEnd(bytes, at);
      if (at < 0) return broken(bytes, ~at);
    }

    // A value has ended, and with it perhaps those around it.
    for (;;) {
      if (depth === 0) return { ok: true, value: { from, to: at }, fields, values };
      if (depth === 1 && field !== null) {
        if (fields.has(field) && table.guarded.has(field)) return refused(twice(field));
        fields.set(field, { from: fieldFrom, to: at });
        field = null;
      }
      at = skipSpace(bytes, at);
      const next = bytes[at];
      if (next === COMMA) break;
      if (next !== (isObject[depth] === 1 ? CLOSE_OBJECT : CLOSE_ARRAY)) return broken(bytes, at);
      depth--;
      at++;
    }
    at = skipSpace(bytes, at + 1);
  }
}

const EMPTY = "The request body is empty; it must be a JSON object.";
const BYTE_ORDER_MARK =
  "The request body begins with a byte order mark, which Ollama rejects. Send it without one.";
const TOO_DEEP =
  `Arrays and objects in the request body are nested more than ${JSON_DEPTH_MAX} levels deep. ` +
  "Send a flatter body.";
const TOO_MANY =
  `The request body contains more than ${JSON_CONTAINERS_MAX} arrays and objects. ` +
  "Split it into several requests. Long arrays of numbers or strings are accepted.";
const twice = (field: string): string =>
  `The field ${JSON.stringify(field)} occurs twice, in this or another case. Send it once.`;

const refused = (detail: string): JsonScan => ({ ok: false, detail });

/** @param at  the first byte that does not fit */
function broken(bytes: Uint8Array, at: number): JsonScan {
  const byte = bytes[at];
  if (byte === undefined)
    return refused("The request body is not valid JSON: it ends before its first value does.");
  return refused(
    byte < 0x80
      ? `The request body is not valid JSON: it has an unexpected character at byte ${at}.`
      : `The request body is not valid UTF-8 at byte ${at}. Send JSON in UTF-8.`,
  );
}

/** Returns the field of the table that Ollama's decoder would set for a key; null if none. */
function fieldOf(
  bytes: Uint8Array,
  from: number,
  to: number,
  { byLetter }: FieldTable,
): string | null {
  const names = byLetter[firstLetter(bytes, from)];
  if (names === undefined) return null;
  for (const name of names) if (isKey(bytes, from, to, name)) return name;
  return null;
}

/**
 * Reads from a body, in the scan that checks it, what the choice of a box needs: the opening of its
 * conversation and the context that it requests. Pure.
 *
 * The opening is everything up to the end of the user's first message. It stays the same while a
 * conversation grows. Only a hash of it is kept.
 */
import { bodyPlace } from "../../../protocol/body-policy.ts";
import { fieldsOf, type JsonPlace } from "../../../protocol/json-places.ts";
import { type JsonScan, scanJson } from "../../../protocol/json-scan.ts";
import { isText, kindOf } from "../../../protocol/json-text.ts";

/** Longer openings differ in their first part or in their length. */
const OPENING_BYTES_MAX = 64 * 1024;
/** A longer object of options is not read. */
const OPTIONS_BYTES_MAX = 4 * 1024;

export type Opening = {
  /** Null if the body has no message of a user. */
  hash: string | null;
  /** The context that the call requests; null for the default. */
  numCtx: number | null;
};

export const NO_OPENING: Opening = { hash: null, numCtx: null };

class OpeningReader {
  readonly bytes: Uint8Array;
  isUser = false;
  /** Behind the first message of the user; 0 before it. */
  to = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** @param scan  the scan of the body, with a place that {@link openingPlace} returned */
  taken(scan: JsonScan): Opening {
    if (!scan.ok) return NO_OPENING;
    const messages = scan.fields.get("messages");
    const options = scan.fields.get("options");
    return {
      hash: messages === undefined || this.to === 0 ? null : this.#hashFrom(messages.from),
      numCtx:
        options === undefined ? null : numCtxIn(this.bytes.subarray(options.from, options.to)),
    };
  }

  #hashFrom(from: number): string {
    const end = Math.min(this.to, from + OPENING_BYTES_MAX);
    return `${hashOf(this.bytes.subarray(from, end))}${(this.to - from).toString(36)}`;
  }
}

const MESSAGE: JsonPlace<OpeningReader> = {
  fields: fieldsOf<OpeningReader>({
    role: {
      found: (into, from, to) => {
        const isString = kindOf(into.bytes, { from }) === "string";
        into.isUser = isString && isText(into.bytes, { from, to }, "user");
      },
    },
  }),
  found: (into, _from, to) => {
    if (into.isUser && into.to === 0) into.to = to;
    into.isUser = false;
  },
};

/** Returns the place of a whole body. @param watched  more of its fields */
export const openingPlace = (watched: readonly string[] = []): JsonPlace<OpeningReader> =>
  bodyPlace<OpeningReader>({
    ...Object.fromEntries(watched.map((name) => [name, {}])),
    messages: { items: MESSAGE },
  });

/** Scans a body once. @param place  as {@link openingPlace} returned it */
export function scanOpening(
  bytes: Uint8Array,
  place: JsonPlace<OpeningReader>,
): { scan: JsonScan; opening: Opening } {
  const reader = new OpeningReader(bytes);
  const scan = scanJson(bytes, place, reader);
  return { scan, opening: reader.taken(scan) };
}

function numCtxIn(options: Uint8Array): number | null {
  if (options.length > OPTIONS_BYTES_MAX) return null;
  const read: unknown = JSON.parse(new TextDecoder().decode(options));
  const numCtx = read !== null && typeof read === "object" && "num_ctx" in read && read.num_ctx;
  return typeof numCtx === "number" && numCtx > 0 ? numCtx : null;
}

const FNV_PRIME = 0x01000193;
const FNV_BASIS = 0x811c9dc5;

/** Returns 64 bits (FNV-1a, twice): a collision sends a conversation to a box that is as good. */
function hashOf(bytes: Uint8Array): string {
  let [a, b] = [FNV_BASIS, ~FNV_BASIS];
  for (const byte of bytes) {
    a = Math.imul(a ^ byte, FNV_PRIME);
    b = Math.imul(b ^ byte, FNV_PRIME) + 1;
  }
  return `${(a >>> 0).toString(36)}${(b >>> 0).toString(36)}`;
}

/** Returns a number in [0, 1) that is the same for the same text everywhere. */
export function placeOnRing(text: string): number {
  let hash = FNV_BASIS;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), FNV_PRIME);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return ((hash ^ (hash >>> 13)) >>> 0) / 2 ** 32;
}

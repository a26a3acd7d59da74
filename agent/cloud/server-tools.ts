/**
 * The tools that Ollama itself runs for a caller of `/v1/messages` and `/v1/responses`. Pure.
 *
 * Ollama recognises them by their type, such as `web_search_20250305`, and calls ollama.com with the
 * owner's key, also for a local model. Other tools are run by the caller.
 *
 * The body is scanned once, without building a tree. Keys are compared as Go's decoder compares
 * them, and every duplicate counts.
 */

const ENDPOINTS: ReadonlySet<string> = new Set(["/v1/messages", "/v1/responses"]);
const PREFIX = "web_";

/** Bytes of a key or a type that are decoded: 6 for each escaped character of the longest match. */
const DECODED_BYTES_MAX = 256;

const [OBJECT, OBJECT_END, ARRAY, ARRAY_END] = [0x7b, 0x7d, 0x5b, 0x5d];
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
/** The depth of a key of the body itself, and of a key of one tool in its list. */
const BODY_DEPTH = 1;
const TOOL_DEPTH = 3;

/** Returns the type of the first tool that Ollama would run; null without one. */
export function serverToolOf(endpoint: string, body: Uint8Array): string | null {
  if (!ENDPOINTS.has(endpoint)) return null;
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  // A type that begins with the prefix contains it as it is, or escaped. Most bodies end here.
  if (!bytes.includes(PREFIX) && !bytes.includes("\\u")) return null;
  let depth = 0;
  let isInTools = false;
  let isType = false;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === OBJECT || byte === ARRAY) depth++;
    else if (byte === OBJECT_END || byte === ARRAY_END) depth--;
    else if (byte === QUOTE) {
      const start = at + 1;
      at = endOfString(bytes, start);
      if (at >= bytes.length) return null; // not JSON, so Ollama rejects it
      if (depth === BODY_DEPTH) {
        if (isKey(bytes, at)) isInTools = isWord(bytes, start, at, "tools");
      } else if (isInTools && depth === TOOL_DEPTH) {
        if (isKey(bytes, at)) isType = isWord(bytes, start, at, "type");
        else if (isType && mayBegin(bytes[start])) {
          const type = textOf(bytes, start, at);
          if (type.startsWith(PREFIX)) return type;
        }
      }
    }
  }
  return null;
}

/** Returns the index of the closing quote; that of the end of the bytes without one. */
function endOfString(bytes: Buffer, start: number): number {
  let end = start;
  for (let byte = bytes[end]; end < bytes.length && byte !== QUOTE; byte = bytes[end])
    end += byte === BACKSLASH ? 2 : 1;
  return end;
}

/** Returns whether a colon follows the closing quote. */
function isKey(bytes: Buffer, quote: number): boolean {
  let at = quote + 1;
  while (isSpace(bytes[at])) at++;
  return bytes[at] === COLON;
}

const isSpace = (byte: number | undefined): boolean =>
  byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d;

const mayBegin = (byte: number | undefined): boolean =>
  byte === BACKSLASH || byte === PREFIX.charCodeAt(0);

/** Compares a key as Go's decoder compares keys: without case, and with ſ as s. */
function isWord(bytes: Buffer, start: number, end: number, word: string): boolean {
  for (let i = 0; i < word.length; i++) {
    const byte = bytes[start + i] ?? 0;
    if (byte === BACKSLASH || byte > 0x7f) return keyOf(bytes, start, end) === word;
    if ((byte | 0x20) !== word.charCodeAt(i)) return false;
  }
  return end - start === word.length;
}

const keyOf = (bytes: Buffer, start: number, end: number): string =>
  textOf(bytes, start, end).normalize("NFKC").toLowerCase();

/** Decodes the beginning of a string. Escapes other than `\u` occur in no match. */
const textOf = (bytes: Buffer, start: number, end: number): string =>
  bytes
    .toString("utf8", start, Math.min(end, start + DECODED_BYTES_MAX))
    .replace(/\\u([0-9a-f]{4})/gi, (_, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    );

/**
 * The policy for form bodies (`multipart/form-data`), which carry the audio of a transcription. Pure.
 *
 * The form is forwarded as its caller sent it, and Ollama parses it again with Go's `mime/multipart`,
 * which is lenient. So everything that the two parsers could read differently is refused: the bytes
 * of the boundary outside a delimiter, folded or encoded headers, and a model that is named twice.
 *
 * @see https://pkg.go.dev/mime/multipart#Reader
 */
import type { BodyFailure, CheckedBody } from "./body-policy.ts";
import { isCloudModel } from "./model-name.ts";

/** Parts of a form; an upload with its options has about seven. */
const PARTS_MAX = 100;
const PART_HEAD_BYTES_MAX = 8_192;
const MODEL_CHARS_MAX = 512;

const CRLF = "\r\n";
const DASHES = "--";
const DASH = 0x2d;

/** RFC 2046 allows these characters, and at most 70 of them. */
const BOUNDARY =
  /^multipart\/form-data *; *boundary=(?:"([0-9A-Za-z'()+_,./:=? -]{1,70})"|([0-9A-Za-z'()+_./:=?-]{1,70})) *$/i;
const HEADER = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*)$/;
const DISPOSITION =
  /^form-data *; *name="([^"\\\r\n]+)"(?: *; *filename="((?:[^"\\\r\n]|\\.)*)")?(?: *; *filename\*=[^ ;"]+)?$/i;
/** Go decodes the others. */
const PLAIN_ENCODINGS = new Set(["binary", "8bit", "7bit"]);

type FormPart = { name: string; from: number; to: number };

class BadForm extends Error {}

/** Checks the bytes of a form against the policy. */
export function checkForm(
  contentType: string | null,
  bytes: Uint8Array,
): { ok: true; body: CheckedBody } | { ok: false; failure: BodyFailure } {
  try {
    const models = partsOf(boundaryOf(contentType), bytes).filter(({ name }) => name === "model");
    if (models.length > 1) throw new BadForm('The field "model" occurs twice. Send it once.');
    const [field] = models;
    const model = field === undefined ? null : modelOf(bytes, field);
    if (model !== null && isCloudModel(model))
      return { ok: false, failure: { reason: "cloud_model", model } };
    return { ok: true, body: { bytes, model, stream: false } };
  } catch (error) {
    if (!(error instanceof BadForm)) throw error;
    return { ok: false, failure: { reason: "bad_request", detail: error.message } };
  }
}

function boundaryOf(contentType: string | null): string {
  const match = BOUNDARY.exec(contentType ?? "");
  const boundary = match?.[1] ?? match?.[2];
  if (boundary === undefined || boundary.endsWith(" "))
    throw new BadForm(
      "The request body must be a form: Content-Type multipart/form-data with a boundary.",
    );
  return boundary;
}

/** @throws {BadForm} unless the delimiters alone divide the form */
function partsOf(boundary: string, bytes: Uint8Array): FormPart[] {
  const mark = encoder.encode(DASHES + boundary);
  const parts: FormPart[] = [];
  let at = indexOf(bytes, mark, 0);
  if (at !== 0) throw new BadForm("The form must begin with its boundary.");
  for (;;) {
    const head = at + mark.length;
    const next = textOf(bytes, head, head + 2);
    if (next === DASHES) {
      const rest = textOf(bytes, head + 2, bytes.length);
      if (rest !== "" && rest !== CRLF) throw new BadForm("The form goes on behind its end.");
      return parts;
    }
    if (next !== CRLF) throw new BadForm("The form has its boundary inside a line.");
    at = indexOf(bytes, mark, head);
    if (at < 0) throw new BadForm("The form ends before its closing boundary.");
    if (textOf(bytes, at - 2, at) !== CRLF)
      throw new BadForm("The form has its boundary inside a line.");
    if (parts.length === PARTS_MAX) throw new BadForm(`The form has more than ${PARTS_MAX} parts.`);
    parts.push(partOf(bytes, head + 2, at - 2));
  }
}

/** @param to  the end of the content */
function partOf(bytes: Uint8Array, from: number, to: number): FormPart {
  const head = textOf(bytes, from, Math.min(to, from + PART_HEAD_BYTES_MAX));
  const end = head.indexOf(CRLF + CRLF);
  if (end < 0) throw new BadForm("A part of the form has no end of its headers, or too many.");
  let disposition: RegExpExecArray | null = null;
  for (const line of head.slice(0, end).split(CRLF)) {
    const [, name = "", value = ""] = HEADER.exec(line) ?? [];
    if (name === "" || /[\r\n]/.test(value))
      throw new BadForm("A header of the form is malformed.");
    if (name.toLowerCase() === "content-transfer-encoding")
      if (!PLAIN_ENCODINGS.has(value.trim().toLowerCase()))
        throw new BadForm("A part of the form is encoded. Send it as it is.");
    if (name.toLowerCase() !== "content-disposition") continue;
    if (disposition !== null) throw new BadForm("A part of the form has two names.");
    disposition = DISPOSITION.exec(value.trim());
    if (disposition === null) throw new BadForm("A part of the form has a malformed name.");
  }
  if (disposition === null) throw new BadForm("A part of the form has no name.");
  return { name: disposition[1] ?? "", from: from + end + 2 * CRLF.length, to };
}

function modelOf(bytes: Uint8Array, { from, to }: FormPart): string {
  if (to - from > MODEL_CHARS_MAX)
    throw new BadForm(`The field "model" must have at most ${MODEL_CHARS_MAX} characters.`);
  return utf8.decode(bytes.subarray(from, to));
}

const encoder = new TextEncoder();
const utf8 = new TextDecoder("utf-8", { fatal: false, ignoreBOM: true });
/** One character for each byte. */
const latin1 = new TextDecoder("latin1");
const textOf = (bytes: Uint8Array, from: number, to: number): string =>
  latin1.decode(bytes.subarray(from, to));

/** Returns the first place of the mark, which begins with a dash; -1 without one. */
function indexOf(bytes: Uint8Array, mark: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(DASH, from); at >= 0; at = bytes.indexOf(DASH, at + 1)) {
    let matched = 1;
    while (matched < mark.length && bytes[at + matched] === mark[matched]) matched++;
    if (matched === mark.length) return at;
  }
  return -1;
}

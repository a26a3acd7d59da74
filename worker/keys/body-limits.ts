/**
 * The limits of a key on the fields of a body: what a call may do to the memory of a box and to the
 * models of others. Pure.
 *
 * A field beyond a limit is refused. Only a body that names no number of tokens is changed, since Ollama
 * would then generate without end: it gets the number of the key.
 */
import type { KeyPolicy } from "../../protocol/api/keys.ts";
import { fieldsOf } from "../../protocol/json-places.ts";
import { type JsonScan, type JsonSlice, scanJson } from "../../protocol/json-scan.ts";
import { kindOf } from "../../protocol/json-text.ts";
import type { KeyFailure } from "./failures.ts";

export type BodyLimits = Pick<
  KeyPolicy,
  "max_num_ctx" | "max_num_predict" | "may_keep_alive" | "may_num_gpu"
>;

type Forbidden = Extract<KeyFailure, { reason: "field_forbidden" }>;

/** `clamped`: the field that was set, and its value, for a header; null if the body is unchanged. */
export type LimitedBody =
  | { ok: true; bytes: Uint8Array; clamped: string | null }
  | { ok: false; failure: Forbidden };

/** A longer object of options is refused, since its limits cannot be checked cheaply. */
const OPTIONS_BYTES_MAX = 64 * 1024;

/** The field that limits the tokens of an answer; null: `options.num_predict`. */
const TOKENS_FIELDS = new Map<string, string | null>([
  ["/api/chat", null],
  ["/api/generate", null],
  ["/v1/chat/completions", "max_tokens"],
  ["/v1/completions", "max_tokens"],
  ["/v1/messages", "max_tokens"],
  ["/v1/responses", "max_output_tokens"],
]);

const TOKENS = ["max_tokens", "max_completion_tokens", "max_output_tokens"];

const PLACE = {
  fields: fieldsOf<null>(
    Object.fromEntries(["keep_alive", "options", ...TOKENS].map((name) => [name, {}])),
  ),
};

/** Returns whether a key limits the fields of bodies at all. */
export const limitsBodies = (policy: BodyLimits): boolean =>
  policy.max_num_ctx !== null ||
  policy.max_num_predict !== null ||
  !policy.may_keep_alive ||
  !policy.may_num_gpu;

/** @param bytes  a JSON body that passed the other checks */
export function limitedBody(policy: BodyLimits, endpoint: string, bytes: Uint8Array): LimitedBody {
  const scan = scanJson(bytes, PLACE, null);
  if (!scan.ok) return { ok: true, bytes, clamped: null }; // refused before
  const readOf = (name: string) => parsed(bytes, scan.fields.get(name));
  const keepAlive = scan.fields.get("keep_alive");
  if (!policy.may_keep_alive && keepAlive !== undefined && kindOf(bytes, keepAlive) !== "null")
    return forbidden("keep_alive", "This API key may not set keep_alive.");
  const optionsSlice = scan.fields.get("options");
  if (optionsSlice !== undefined && optionsSlice.to - optionsSlice.from > OPTIONS_BYTES_MAX)
    return forbidden(
      "options",
      `This API key may send at most ${OPTIONS_BYTES_MAX} bytes of options.`,
    );
  const options = Object(readOf("options") ?? {}) as Record<string, unknown>;
  if (!policy.may_num_gpu && (options.num_gpu ?? null) !== null)
    return forbidden("num_gpu", "This API key may not set options.num_gpu.");
  const { max_num_ctx: ctxMax, max_num_predict: predictMax } = policy;
  if (ctxMax !== null && Number(options.num_ctx ?? 0) > ctxMax)
    return beyond("options.num_ctx", options.num_ctx, ctxMax);
  const field = TOKENS_FIELDS.get(endpoint);
  if (predictMax === null || field === undefined) return { ok: true, bytes, clamped: null };
  for (const name of field === null ? [] : TOKENS)
    if (isBeyond(readOf(name), predictMax)) return beyond(name, readOf(name), predictMax);
  if (isBeyond(options.num_predict, predictMax))
    return beyond("options.num_predict", options.num_predict, predictMax);
  const given = field === null ? options.num_predict : readOf(field);
  if ((given ?? null) !== null) return { ok: true, bytes, clamped: null };
  const [name, value] =
    field === null ? ["options", { ...options, num_predict: predictMax }] : [field, predictMax];
  const clamped = `${field ?? "num_predict"}=${predictMax}`;
  return { ok: true, bytes: withField(bytes, scan, name, JSON.stringify(value)), clamped };
}

const forbidden = (field: string, detail: string): LimitedBody => ({
  ok: false,
  failure: { reason: "field_forbidden", field, detail },
});

const beyond = (field: string, value: unknown, max: number): LimitedBody =>
  forbidden(field, `This API key may set ${field} to at most ${max}; got ${Number(value)}.`);

/** A negative number of tokens stands for no end. Ollama refuses a value of another type. */
const isBeyond = (value: unknown, max: number): boolean =>
  typeof value === "number" && (value > max || value < 0);

/** Returns a value of the body; undefined if it is missing. */
const parsed = (bytes: Uint8Array, slice: JsonSlice | undefined): unknown =>
  slice === undefined || slice.to - slice.from > OPTIONS_BYTES_MAX
    ? undefined
    : JSON.parse(new TextDecoder().decode(bytes.subarray(slice.from, slice.to)));

const [SPACE, OPENING_BRACE] = [0x20, 0x7b];

/** Sets a field: in its place, or behind all others. The other bytes stay as they were sent. */
function withField(
  bytes: Uint8Array,
  { value: body, fields }: Extract<JsonScan, { ok: true }>,
  name: string,
  json: string,
): Uint8Array {
  const before = fields.get(name);
  const end = body.to - 1;
  let last = end - 1;
  while ((bytes[last] ?? SPACE) <= SPACE) last--;
  const comma = bytes[last] === OPENING_BRACE ? "" : ",";
  const { from, to } = before ?? { from: end, to: end };
  const text = before === undefined ? `${comma}${JSON.stringify(name)}:${json}` : json;
  const added = new TextEncoder().encode(text);
  const out = new Uint8Array(bytes.length - (to - from) + added.length);
  out.set(bytes.subarray(0, from));
  out.set(added, from);
  out.set(bytes.subarray(to), from + added.length);
  return out;
}

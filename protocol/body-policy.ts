/**
 * The policy for JSON bodies, at every door to an Ollama: which models and fields a body may name. Pure.
 *
 * The body is scanned once and forwarded as its caller sent it. Ollama's decoder ignores the case of
 * keys and lets the last duplicate win, so the scan finds the guarded fields in any spelling, and a
 * body that contains one of them twice is refused: a value that was not checked cannot win.
 */
import type { Failure } from "./failures.ts";
import { fieldsOf, type JsonPlace } from "./json-places.ts";
import { type JsonScan, type JsonSlice, scanJson } from "./json-scan.ts";
import { isTrue, kindOf, textOf } from "./json-text.ts";
import { isCloudModel } from "./model-name.ts";
import type { OllamaRoute } from "./routes.ts";
import { endUserIn, TAG_FIELDS } from "./tags.ts";

export type CheckedBody = {
  bytes: Uint8Array;
  model: string | null;
  /** The other models that a call which changes models names; absent for every other call. */
  otherModels?: readonly string[];
  stream: boolean;
  /** The user that it names; null or absent if it names none. */
  endUser?: string | null;
};

const MODEL_FIELDS = ["model", "name", "source", "destination", "from"];
const MODEL_CHARS_MAX = 512;

/** The fields that a policy reads or may come to read. A body may name each of them once. */
const GUARDED_FIELDS = [
  ...MODEL_FIELDS,
  "stream",
  "stream_options",
  "remote_host",
  "keep_alive",
  "options",
  "tools",
];

/** Returns the place of a whole body, with the fields that a reader watches. */
export const bodyPlace = <R>(watched: Readonly<Record<string, JsonPlace<R>>>): JsonPlace<R> => ({
  fields: fieldsOf<R>(
    {
      ...Object.fromEntries([...GUARDED_FIELDS, ...TAG_FIELDS].map((name) => [name, {}])),
      ...watched,
    },
    GUARDED_FIELDS,
  ),
});
const BODY = bodyPlace<null>({});

export type BodyFailure = Extract<Failure, { reason: "bad_request" | "cloud_model" }>;

type Refused = { ok: false; failure: BodyFailure };
const bad = (detail: string): Refused => ({
  ok: false,
  failure: { reason: "bad_request", detail },
});

/** Checks the bytes of a body against the policy. */
export const checkBody = (route: OllamaRoute, bytes: Uint8Array) =>
  checkScanned(route, bytes, scanJson(bytes, BODY, null));

/** @param scan  the scan of the bytes, with {@link bodyPlace} */
export function checkScanned(
  route: OllamaRoute,
  bytes: Uint8Array,
  scan: JsonScan,
): { ok: true; body: CheckedBody } | Refused {
  if (!scan.ok) return bad(scan.detail);
  if (kindOf(bytes, scan.value) !== "object") return bad("The request body must be a JSON object.");
  const models = new Map<string, string>();
  for (const field of MODEL_FIELDS) {
    const slice = scan.fields.get(field);
    if (slice === undefined || kindOf(bytes, slice) === "null") continue;
    const named = modelOf(bytes, field, slice);
    if (typeof named !== "string") return named;
    if (isCloudModel(named)) return { ok: false, failure: { reason: "cloud_model", model: named } };
    models.set(field, named);
  }
  const wanted = scan.fields.get("stream");
  const kind = wanted === undefined ? "null" : kindOf(bytes, wanted);
  if (kind !== "null" && kind !== "boolean")
    return bad(`The field "stream" must be true or false; got a value of type ${kind}.`);
  const isWanted = wanted !== undefined && isTrue(bytes, wanted);
  const stream =
    route.streams === "by_default"
      ? kind === "null" || isWanted
      : route.streams === "when_asked" && isWanted;
  const model = models.get("model") || models.get("name") || models.get("source") || null;
  const body = { bytes, model, stream, endUser: endUserIn(bytes, scan.fields) };
  if (route.kind !== "management") return { ok: true, body };
  const otherModels = [...new Set(models.values())].filter((name) => name !== "" && name !== model);
  return { ok: true, body: { ...body, otherModels } };
}

/** Checks a body that was built here, and serialises it for Ollama. */
export const checkValue = (route: OllamaRoute, value: object) =>
  checkBody(route, new TextEncoder().encode(JSON.stringify(value)));

function modelOf(bytes: Uint8Array, field: string, slice: JsonSlice): string | Refused {
  const kind = kindOf(bytes, slice);
  if (kind !== "string")
    return bad(`The field ${JSON.stringify(field)} must be a string; got ${kind}.`);
  if (slice.chars > MODEL_CHARS_MAX)
    return bad(
      `The field ${JSON.stringify(field)} must have at most ${MODEL_CHARS_MAX} characters; got ${slice.chars}.`,
    );
  return textOf(bytes, slice, MODEL_CHARS_MAX);
}

/**
 * The policy for JSON bodies, at every door to an Ollama: which models and fields a body may name. Pure.
 *
 * The body is parsed once, checked, and forwarded re-serialised. Ollama's decoder ignores the case
 * of keys and lets the last duplicate win, so a checked body that was passed on raw could mean
 * something else to Ollama than it meant here.
 */
import type { Failure } from "./failures.ts";
import { BODY_BYTES_MAX } from "./limits.ts";
import { isCloudModel } from "./model-name.ts";
import type { OllamaRoute } from "./routes.ts";

export type CheckedBody = { bytes: Uint8Array; model: string | null; stream: boolean };

/** Fields that a policy reads or may come to read. Each is accepted only in its exact spelling. */
const GUARDED = new Set([
  "model",
  "name",
  "source",
  "destination",
  "from",
  "stream",
  "stream_options",
  "remote_host",
  "keep_alive",
  "options",
]);
const MODEL_FIELDS = ["model", "name", "source", "destination", "from"];
const MODEL_CHARS_MAX = 512;

const encoder = new TextEncoder();

export type BodyFailure = Extract<
  Failure,
  { reason: "bad_request" | "cloud_model" | "body_too_large" }
>;

type Refused = { ok: false; failure: BodyFailure };
const bad = (detail: string): Refused => ({
  ok: false,
  failure: { reason: "bad_request", detail },
});

/** Checks a parsed body against the policy, and serialises it for Ollama. */
export function checkBody(
  route: OllamaRoute,
  value: unknown,
): { ok: true; body: CheckedBody } | Refused {
  if (!isObject(value)) return bad("The request body must be a JSON object.");
  for (const key of Object.keys(value)) {
    const folded = fold(key);
    if (folded !== key && GUARDED.has(folded))
      return bad(`The field ${JSON.stringify(key)} must be written ${JSON.stringify(folded)}.`);
  }
  for (const field of MODEL_FIELDS) {
    const named = value[field];
    if (named === undefined || named === null) continue;
    if (typeof named !== "string")
      return bad(`The field ${JSON.stringify(field)} must be a string; got ${typeof named}.`);
    if (named.length > MODEL_CHARS_MAX)
      return bad(
        `The field ${JSON.stringify(field)} must have at most ${MODEL_CHARS_MAX} characters; got ${named.length}.`,
      );
    if (isCloudModel(named)) return { ok: false, failure: { reason: "cloud_model", model: named } };
  }
  const { stream: wanted } = value;
  if (wanted !== undefined && wanted !== null && typeof wanted !== "boolean")
    return bad(`The field "stream" must be true or false; got a value of type ${typeof wanted}.`);
  const model = [value.model, value.name, value.source].find(
    (named) => typeof named === "string" && named !== "",
  );
  const stream =
    route.streams === "by_default"
      ? wanted !== false
      : route.streams === "when_asked" && wanted === true;
  const text = serialised(value);
  if (text === null) return bad("The request body is nested too deeply.");
  const bytes = encoder.encode(text);
  // It can be longer than the original: 1e20 is serialised with 21 digits.
  if (bytes.length > BODY_BYTES_MAX) return { ok: false, failure: { reason: "body_too_large" } };
  return { ok: true, body: { bytes, model: typeof model === "string" ? model : null, stream } };
}

/** Null if the value is nested deeper than the engine can serialise; it can parse deeper than that. */
function serialised(value: object): string | null {
  try {
    return JSON.stringify(value);
  } catch {
    return null;
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Folds a key as Go's decoder compares keys: without case, and with the two letters that fold into ASCII (ſ, K). */
const fold = (key: string): string => key.normalize("NFKC").toLowerCase();

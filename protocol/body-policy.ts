/**
 * What a JSON body may say, at every door to an Ollama. Pure.
 *
 * The body is parsed once, checked, and forwarded re-serialised: Ollama's decoder ignores the case
 * of keys and lets the last duplicate win, so a checked body that is passed on raw could say
 * something else to Ollama than it said to us.
 */
import type { Failure } from "./failures.ts";
import { BODY_BYTES_MAX } from "./limits.ts";
import { isCloudModel, type OllamaRoute } from "./routes.ts";

export type CheckedBody = { bytes: Uint8Array; model: string | null; stream: boolean };

/** Fields that a policy reads, or could want to: none of them may come in another spelling that Ollama takes for it. */
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
const bad = (what: string): Refused => ({ ok: false, failure: { reason: "bad_request", what } });

/** A request body as JSON. */
export function jsonOf(text: string): { ok: true; value: unknown } | Refused {
  try {
    return { ok: true, value: JSON.parse(text) };
  } catch (error) {
    return bad(
      text.trim() === ""
        ? "The request body is empty; it must be a JSON object."
        : `The request body is not JSON: ${(error as Error).message}.`,
    );
  }
}

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
      return bad(`The field ${JSON.stringify(field)} must be a string.`);
    if (named.length > MODEL_CHARS_MAX)
      return bad(
        `The field ${JSON.stringify(field)} is longer than ${MODEL_CHARS_MAX} characters.`,
      );
    if (isCloudModel(named)) return { ok: false, failure: { reason: "cloud_model", model: named } };
  }
  if (value.stream !== undefined && value.stream !== null && typeof value.stream !== "boolean")
    return bad('The field "stream" must be true or false.');
  const model = [value.model, value.name, value.source].find(
    (named) => typeof named === "string" && named !== "",
  );
  const stream =
    route.streams === "by_default"
      ? value.stream !== false
      : route.streams === "when_asked" && value.stream === true;
  const text = textOf(value);
  if (text === null) return bad("The request body is nested too deeply.");
  const bytes = encoder.encode(text);
  // It may be longer than what came: 1e20 is written with 21 digits.
  if (bytes.length > BODY_BYTES_MAX) return { ok: false, failure: { reason: "body_too_large" } };
  return { ok: true, body: { bytes, model: typeof model === "string" ? model : null, stream } };
}

/** Written anew; null where it is nested deeper than the engine's stack, which reads more than it writes. */
function textOf(value: object): string | null {
  try {
    return JSON.stringify(value);
  } catch {
    return null;
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** As Go's decoder compares keys: without case, with the two letters that fold into ASCII (ſ, K). */
const fold = (key: string): string => key.normalize("NFKC").toLowerCase();

/** Why a key or a session is refused, or cannot be made or changed, and the public error of each. Pure. */
import { KEYS_MAX } from "../../protocol/api/keys.ts";
import type { KeyEnd } from "../../protocol/call-end.ts";
import { byGateway, RETRY, type WireError } from "../../protocol/failures.ts";
import type { LimitReached } from "./limits.ts";

export type KeyFailure =
  | { reason: "no_key" }
  | { reason: "key_unknown" }
  /** It was made with a pepper that this edge no longer has. */
  | { reason: "key_outdated" }
  | ({ reason: "key_ended" } & KeyEnd)
  /** The Aggregator does not answer, so it is unknown whether the key is still valid. */
  | { reason: "keys_unchecked" }
  | { reason: "model_forbidden"; model: string }
  | { reason: "box_forbidden"; box: string }
  /** A web page uses a key that names other pages. */
  | { reason: "page_forbidden"; origin: string }
  | { reason: "field_forbidden"; field: string; detail: string }
  /** See {@link LimitReached}. */
  | ({ reason: "limit_reached" } & LimitReached)
  /** The object that counts for a key does not answer, so no call may pass. */
  | { reason: "limits_unchecked" }
  | { reason: "keys_full" }
  | { reason: "key_not_found"; id: string }
  | { reason: "key_replaced"; id: string }
  | { reason: "keys_off" }
  /** Too many wrong keys or box secrets from one address. */
  | { reason: "guessing_keys" }
  | { reason: "session_ended" }
  | { reason: "foreign_page" }
  | { reason: "scope_missing"; scope: string };

const INVALID_TOKEN = {
  "www-authenticate": 'Bearer realm="ollama-edge-serve", error="invalid_token"',
};

/** Has an entry for each reason, by type. */
const ERRORS: {
  [Reason in KeyFailure["reason"]]: (failure: Extract<KeyFailure, { reason: Reason }>) => WireError;
} = {
  no_key: () =>
    byGateway(
      401,
      "unauthorized",
      "An API key is required. Send it as `Authorization: Bearer <key>` or `x-api-key: <key>`. " +
        "The ollama command needs it in the path: OLLAMA_HOST=https://<edge>/ollama/k/<key>.",
      { "www-authenticate": 'Bearer realm="ollama-edge-serve"' },
    ),
  key_unknown: () => byGateway(401, "unauthorized", "This API key is not valid.", INVALID_TOKEN),
  key_outdated: () =>
    byGateway(
      401,
      "unauthorized",
      "This API key was made before the edge's KEY_PEPPER was replaced. Ask for a new key.",
      INVALID_TOKEN,
    ),
  key_ended: (end) => byGateway(401, `key_${end.state}`, endText(end), INVALID_TOKEN),
  keys_unchecked: () =>
    byGateway(
      503,
      "keys_unchecked",
      "The edge cannot check at the moment whether this API key is still valid. Try again later.",
      RETRY,
    ),
  limits_unchecked: () =>
    byGateway(
      503,
      "limits_unchecked",
      "The edge cannot check at the moment how much this API key has used. Try again later.",
      RETRY,
    ),
  model_forbidden: (failure) =>
    byGateway(
      403,
      "forbidden",
      `This API key may not use the model ${failure.model}. /api/tags lists those that it may use.`,
    ),
  box_forbidden: (failure) =>
    byGateway(403, "forbidden", `This API key may not use box ${failure.box}.`),
  page_forbidden: (failure) =>
    byGateway(403, "forbidden", `Pages of ${failure.origin} may not use this API key.`),
  field_forbidden: (failure) => byGateway(403, "forbidden", failure.detail),
  limit_reached: ({ limit, max, resetMs, waitMs }) => {
    const seconds = Math.max(1, Math.ceil((waitMs ?? 0) / 1_000));
    const until =
      resetMs === null
        ? "Wait until one of them has ended."
        : `It resets at ${new Date(resetMs).toISOString()}.`;
    return byGateway(
      429,
      "limit_reached",
      `This API key has reached its limit of ${max} for ${limit}. ${until}`,
      {
        "retry-after": String(seconds),
        "x-ratelimit-limit": String(max),
        "x-ratelimit-remaining": "0",
        "x-ratelimit-reset": String(seconds),
      },
    );
  },
  keys_full: () =>
    byGateway(
      409,
      "keys_full",
      `There are ${KEYS_MAX} keys, which is the limit. Delete some first.`,
    ),
  key_not_found: (failure) =>
    byGateway(404, "key_not_found", `There is no key with the id ${failure.id}.`),
  key_replaced: (failure) =>
    byGateway(
      409,
      "key_replaced",
      `Key ${failure.id} was replaced or has ended. Make a new key instead.`,
    ),
  keys_off: () =>
    byGateway(
      409,
      "keys_off",
      "Neither KEY_PEPPER nor ADMIN_KEY is set, so the edge cannot make keys. Set one of them.",
    ),
  session_ended: () => byGateway(401, "session_ended", "Your session has ended. Sign in again."),
  foreign_page: () =>
    byGateway(
      403,
      "foreign_page",
      "A session works only from the page of this edge. Send an API key instead.",
    ),
  guessing_keys: () =>
    byGateway(
      429,
      "too_many_wrong_keys",
      "Too many wrong keys or box secrets came from this address. Correct yours, then try again.",
      RETRY,
    ),
  scope_missing: (failure) =>
    byGateway(
      403,
      "forbidden",
      `This API key lacks the scope "${failure.scope}". Use a key that has it.`,
    ),
};

function endText(end: KeyEnd): string {
  switch (end.state) {
    case "expired":
      return "This API key has expired. Ask for a new one.";
    case "revoked":
      return "This API key was revoked.";
    case "replaced": {
      const endedAt = new Date(end.ends_at_ms).toISOString();
      return `This API key was replaced, and ended at ${endedAt}. Use the newer key, whose id is ${end.replaced_by}.`;
    }
  }
}

export const isKeyFailure = (failure: { reason: string }): failure is KeyFailure =>
  Object.hasOwn(ERRORS, failure.reason);

export const keyErrorOf = (failure: KeyFailure): WireError =>
  (ERRORS[failure.reason] as (failure: KeyFailure) => WireError)(failure);

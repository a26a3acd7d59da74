/**
 * Every way in which the gateway itself can fail a call, and what the caller is told.
 *
 * `reason` is for us: exact. `code` and `status` are for callers: few and stable. `failedAt`
 * answers the first question: our edge, the tunnel, or Ollama? Ollama's own errors are not here;
 * they pass through as they are.
 */

import type { z } from "zod";
import { REPOSITORY_MODELS_MAX } from "../protocol/api/repository.ts";
import type { ApiError } from "../protocol/api/shapes.ts";
import { BODY_BYTES_MAX, GRACE_MS, HEAD_BYTES_MAX, PROTOCOL_VERSION, SUBPROTOCOL } from "../protocol/limits.ts";
import type { Api, FailedAt } from "../protocol/records.ts";

export type FailureReason =
  | { reason: "misconfigured"; what: string }
  | { reason: "bad_request"; what: string }
  | { reason: "body_too_large" }
  | { reason: "head_too_large" }
  | { reason: "encoded_body"; encoding: string }
  | { reason: "no_key" }
  | { reason: "key_unknown" }
  | { reason: "scope_missing"; scope: string }
  | { reason: "open_mode_elsewhere" }
  | { reason: "foreign_origin"; origin: string }
  | { reason: "no_route"; method: string; path: string }
  | { reason: "wrong_method"; method: string; path: string; allow: string[] }
  | { reason: "cloud_model"; model: string }
  | { reason: "box_unknown"; box: string }
  | { reason: "model_unknown"; model: string; where: string }
  | { reason: "repository_full" }
  | { reason: "no_box" }
  | { reason: "box_down"; box: string }
  | { reason: "box_busy"; box: string }
  | { reason: "box_draining"; box: string }
  | { reason: "box_refused"; message: string }
  | { reason: "box_secret_unknown"; box: string }
  | { reason: "not_a_websocket" }
  | { reason: "protocol_mismatch"; offered: string }
  | { reason: "tunnel_lost"; box: string }
  | { reason: "agent_restarted"; box: string }
  | { reason: "ollama_unreachable"; message: string }
  | { reason: "ollama_broke"; message: string }
  /** What a box's answer to a call of ours said, in place of what was asked for. `failedAt` null: in Ollama's own words. */
  | { reason: "box_answered"; status: number; failedAt: FailedAt | null; message: string; box: string }
  /** Several boxes were asked, and not all did it. */
  | { reason: "boxes_failed"; what: string; failedAt: FailedAt }
  | { reason: "internal" };

export type Told = { status: number; code: string; failedAt: FailedAt; message: string; headers?: Record<string, string> };

export class GatewayError extends Error {
  override readonly name = "GatewayError";
  readonly failure: FailureReason;
  constructor(failure: FailureReason, options?: ErrorOptions) {
    super(failure.reason, options);
    this.failure = failure;
  }
}

/** What a schema found wrong, in one line: `limit: Too big: expected number to be <=1000`. */
export const badRequest = ({ issues }: z.ZodError): GatewayError =>
  new GatewayError({
    reason: "bad_request",
    what: `${issues.map(({ path, message }) => (path.length === 0 ? message : `${path.join(".")}: ${message}`)).join("; ")}.`,
  });

const RETRY = { "retry-after": "5" };
const gateway = (status: number, code: string, message: string, headers?: Record<string, string>): Told => ({
  status,
  code,
  failedAt: "gateway",
  message,
  ...(headers === undefined ? {} : { headers }),
});

/** No `default`: a new reason does not compile until somebody decides what to tell the caller. */
export function tellCaller(failure: FailureReason): Told {
  switch (failure.reason) {
    case "misconfigured":
      return gateway(503, "misconfigured", `The Worker is not set up: ${failure.what}.`);
    case "bad_request":
      return gateway(400, "bad_request", failure.what);
    case "body_too_large":
      return gateway(413, "body_too_large", `The request body is larger than ${BODY_BYTES_MAX / 1024 / 1024} MiB.`);
    case "head_too_large":
      return gateway(431, "head_too_large", `The request head is larger than ${HEAD_BYTES_MAX / 1024} KiB.`);
    case "encoded_body":
      return gateway(415, "encoded_body", `Content-Encoding ${failure.encoding} is not accepted; send the body as it is.`);
    case "no_key":
      return gateway(401, "unauthorized", "An API key is needed: send it as `Authorization: Bearer <key>` or `x-api-key`.", {
        "www-authenticate": 'Bearer realm="ollama-edge-serve"',
      });
    case "key_unknown":
      return gateway(401, "unauthorized", "This API key is not known.", {
        "www-authenticate": 'Bearer realm="ollama-edge-serve", error="invalid_token"',
      });
    case "scope_missing":
      return gateway(403, "forbidden", `This key lacks the scope ${failure.scope}.`);
    case "open_mode_elsewhere":
      return gateway(
        403,
        "open_mode_elsewhere",
        "AUTH_MODE is open, which works only for requests to a loopback host name (localhost, 127.0.0.1).",
      );
    case "foreign_origin":
      return gateway(403, "foreign_origin", `A page of ${failure.origin} may not call this gateway.`);
    case "no_route":
      return gateway(404, "not_found", `${failure.method} ${failure.path} is not a path of this gateway.`);
    case "wrong_method":
      return gateway(405, "method_not_allowed", `${failure.path} takes ${failure.allow.join(", ")}, not ${failure.method}.`, {
        allow: failure.allow.join(", "),
      });
    case "cloud_model":
      return gateway(
        403,
        "cloud_model",
        `${failure.model} is a cloud model: it would run on ollama.com on the box owner's account. Cloud models are refused here.`,
      );
    case "box_unknown":
      return gateway(404, "box_not_found", `There is no box named ${failure.box}.`);
    case "model_unknown":
      return gateway(404, "model_not_found", `There is no model named ${failure.model} ${failure.where}.`);
    case "repository_full":
      return gateway(409, "repository_full", `The repository holds ${REPOSITORY_MODELS_MAX} models, and takes no more: delete some first.`);
    case "no_box":
      return gateway(503, "no_box", "No box is connected. Start an agent beside an Ollama, see the README.", RETRY);
    case "box_down":
      return gateway(503, "box_down", `Box ${failure.box} is not connected.`, RETRY);
    case "box_busy":
      return gateway(503, "box_busy", `Box ${failure.box} has as many open requests as it may.`, RETRY);
    case "box_draining":
      return gateway(503, "box_draining", `Box ${failure.box} is being drained and takes no new requests.`, RETRY);
    case "box_refused":
      return gateway(502, "box_refused", failure.message);
    case "box_secret_unknown":
      return gateway(401, "unauthorized", `The secret of box ${failure.box} is wrong, or the box is not in BOX_SECRETS.`);
    case "not_a_websocket":
      return gateway(426, "upgrade_required", "This path takes the agent's WebSocket.", { upgrade: "websocket" });
    case "protocol_mismatch":
      return gateway(
        426,
        "protocol_mismatch",
        `This edge speaks protocol ${PROTOCOL_VERSION} (${SUBPROTOCOL}); the agent offered ${failure.offered || "nothing"}. Install the agent that this Worker serves at /agent/agent.mjs.`,
      );
    case "tunnel_lost":
      return {
        status: 504,
        code: "tunnel_lost",
        failedAt: "tunnel",
        message: `Box ${failure.box} was lost and did not come back within ${GRACE_MS / 1_000} s.`,
      };
    case "agent_restarted":
      return {
        status: 502,
        code: "agent_restarted",
        failedAt: "tunnel",
        message: `The agent of box ${failure.box} was restarted while it served this request.`,
      };
    case "ollama_unreachable":
      return { status: 502, code: "ollama_unreachable", failedAt: "ollama", message: failure.message };
    case "ollama_broke":
      return { status: 502, code: "ollama_broke", failedAt: "ollama", message: failure.message };
    case "box_answered":
      return {
        status: failure.status,
        code: failure.failedAt === null ? "ollama_error" : "upstream_error",
        failedAt: failure.failedAt ?? "ollama",
        message: failure.message,
        headers: { "x-box": failure.box },
      };
    case "boxes_failed":
      return { status: 502, code: "boxes_failed", failedAt: failure.failedAt, message: failure.what };
    case "internal":
      return gateway(500, "internal", "Internal error.");
  }
}

/** Whose words an error is told in: `/api` is ours, the others are those of the API that was called. */
export type Dialect = "api" | Api;

const OPENAI_TYPES: Record<number, string> = {
  401: "authentication_error",
  403: "permission_error",
  404: "not_found_error",
  429: "rate_limit_error",
};
const ANTHROPIC_TYPES: Record<number, string> = { ...OPENAI_TYPES, 413: "request_too_large", 503: "overloaded_error" };

/**
 * The error as a JSON value of that API.
 * @see https://platform.openai.com/docs/guides/error-codes, https://docs.anthropic.com/en/api/errors
 */
export function errorBody(dialect: Dialect, told: Told, requestId: string): unknown {
  const fallback = told.status < 500 ? "invalid_request_error" : "api_error";
  switch (dialect) {
    case "api":
      return { error: { code: told.code, message: told.message, failed_at: told.failedAt, request_id: requestId } } satisfies ApiError;
    case "ollama":
      return { error: told.message };
    case "openai":
      return { error: { message: told.message, type: OPENAI_TYPES[told.status] ?? fallback, param: null, code: told.code } };
    case "anthropic":
      return { type: "error", error: { type: ANTHROPIC_TYPES[told.status] ?? fallback, message: told.message }, request_id: requestId };
  }
}

/** The whole error answer. `X-Failed-At` says who failed in the APIs whose shape has no place for it. */
export function errorResponse(dialect: Dialect, failure: FailureReason, requestId: string): Response {
  const told = tellCaller(failure);
  return Response.json(errorBody(dialect, told, requestId), {
    status: told.status,
    headers: { ...told.headers, "x-request-id": requestId, "x-failed-at": told.failedAt, "cache-control": "no-store" },
  });
}

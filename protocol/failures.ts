/**
 * Why a call is refused or fails, and what its caller is told: the part that every door to an
 * Ollama has in common, the Worker's as well as the agent's own listener. Each door adds what only
 * it can say. Ollama's own errors are not here; they pass through as they are.
 *
 * `reason` is for us: exact. `code` and `status` are for callers: few and stable. `failedAt`
 * answers the first question: our side, the tunnel, or Ollama?
 */
import type { ApiError } from "./api/shapes.ts";
import { BODY_BYTES_MAX, HEAD_BYTES_MAX } from "./limits.ts";
import type { Api, FailedAt } from "./records.ts";

export type Failure =
  | { reason: "bad_request"; what: string }
  | { reason: "body_too_large" }
  | { reason: "head_too_large" }
  | { reason: "encoded_body"; encoding: string }
  | { reason: "foreign_origin"; origin: string }
  | { reason: "no_route"; method: string; path: string }
  | { reason: "wrong_method"; method: string; path: string; allow: string[] }
  | { reason: "cloud_model"; model: string }
  | { reason: "box_busy"; box: string }
  | { reason: "box_draining"; box: string }
  | { reason: "ollama_unreachable"; message: string }
  | { reason: "ollama_broke"; message: string }
  | { reason: "internal" };

export type WireError = {
  status: number;
  code: string;
  failedAt: FailedAt;
  message: string;
  headers?: Record<string, string>;
};

/** Ask again in a moment, in seconds. */
export const RETRY = { "retry-after": "5" };

/** What our side refuses, or fails at. */
export const byGateway = (
  status: number,
  code: string,
  message: string,
  headers?: Record<string, string>,
): WireError => ({
  status,
  code,
  failedAt: "gateway",
  message,
  ...(headers === undefined ? {} : { headers }),
});

/** No `default`: a new reason does not compile until somebody decides what to tell the caller. */
export function sharedWireErrorOf(failure: Failure): WireError {
  switch (failure.reason) {
    case "bad_request":
      return byGateway(400, "bad_request", failure.what);
    case "body_too_large":
      return byGateway(
        413,
        "body_too_large",
        `The request body is larger than ${BODY_BYTES_MAX / 1024 / 1024} MiB.`,
      );
    case "head_too_large":
      return byGateway(
        431,
        "head_too_large",
        `The request head is larger than ${HEAD_BYTES_MAX / 1024} KiB.`,
      );
    case "encoded_body":
      return byGateway(
        415,
        "encoded_body",
        `Content-Encoding ${failure.encoding} is not accepted; send the body as it is.`,
      );
    case "foreign_origin":
      return byGateway(
        403,
        "foreign_origin",
        `A page of ${failure.origin} may not call this gateway.`,
      );
    case "no_route":
      return byGateway(
        404,
        "not_found",
        `${failure.method} ${failure.path} is not a path of this gateway.`,
      );
    case "wrong_method":
      return byGateway(
        405,
        "method_not_allowed",
        `${failure.path} takes ${failure.allow.join(", ")}, not ${failure.method}.`,
        {
          allow: failure.allow.join(", "),
        },
      );
    case "cloud_model":
      return byGateway(
        403,
        "cloud_model",
        `${failure.model} is a cloud model: it would run on ollama.com on the box owner's account. Cloud models are refused here.`,
      );
    case "box_busy":
      return byGateway(
        503,
        "box_busy",
        `Box ${failure.box} has as many open requests as it may.`,
        RETRY,
      );
    case "box_draining":
      return byGateway(
        503,
        "box_draining",
        `Box ${failure.box} is being drained and takes no new requests.`,
        RETRY,
      );
    case "ollama_unreachable":
      return {
        status: 502,
        code: "ollama_unreachable",
        failedAt: "ollama",
        message: failure.message,
      };
    case "ollama_broke":
      return { status: 502, code: "ollama_broke", failedAt: "ollama", message: failure.message };
    case "internal":
      return byGateway(500, "internal", "Internal error.");
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
const ANTHROPIC_TYPES: Record<number, string> = {
  ...OPENAI_TYPES,
  413: "request_too_large",
  503: "overloaded_error",
};

/**
 * The error as a JSON value of that API.
 * @see https://platform.openai.com/docs/guides/error-codes, https://docs.anthropic.com/en/api/errors
 */
export function errorBody(dialect: Dialect, told: WireError, requestId: string): unknown {
  const fallback = told.status < 500 ? "invalid_request_error" : "api_error";
  switch (dialect) {
    case "api":
      return {
        error: {
          code: told.code,
          message: told.message,
          failed_at: told.failedAt,
          request_id: requestId,
        },
      } satisfies ApiError;
    case "ollama":
      return { error: told.message };
    case "openai":
      return {
        error: {
          message: told.message,
          type: OPENAI_TYPES[told.status] ?? fallback,
          param: null,
          code: told.code,
        },
      };
    case "anthropic":
      return {
        type: "error",
        error: { type: ANTHROPIC_TYPES[told.status] ?? fallback, message: told.message },
        request_id: requestId,
      };
  }
}

/** The headers of an error answer. `X-Failed-At` says who failed in the APIs whose shape has no place for it. */
export const errorHeaders = (told: WireError, requestId: string): Record<string, string> => ({
  ...told.headers,
  "x-request-id": requestId,
  "x-failed-at": told.failedAt,
  "cache-control": "no-store",
});

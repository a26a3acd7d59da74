/**
 * Why a call is refused or fails, and the error its caller gets: the part common to every door to an
 * Ollama, the Worker's and the agent's own listener. Each door adds its own reasons. Ollama's own
 * errors are not here; they pass through unchanged.
 *
 * `reason` is exact and internal. `code` and `status` are for callers: few and stable. `failedAt`
 * answers the first question on call: our side, the tunnel, or Ollama?
 */
import type { ApiError } from "./api/shapes.ts";
import { HEAD_BYTES_MAX, QUEUED_BYTES_MAX, QUEUED_MAX, STREAMS_PER_BOX_MAX } from "./limits.ts";
import type { Api, FailedAt } from "./records.ts";

export type Failure =
  | { reason: "bad_request"; detail: string }
  | { reason: "body_too_large"; bytesMax: number }
  | { reason: "head_too_large" }
  | { reason: "encoded_body"; encoding: string }
  | { reason: "foreign_origin"; origin: string }
  | { reason: "service_worker" }
  | { reason: "no_route"; method: string; path: string }
  | { reason: "wrong_method"; method: string; path: string; allow: string[] }
  | { reason: "cloud_model"; model: string }
  | { reason: "server_tool"; tool: string }
  | { reason: "box_busy"; box: string }
  | { reason: "box_draining"; box: string }
  | { reason: "queue_full"; box: string; position: number; etaMs: number | null }
  /** `hangs`: it accepts connections and answers nothing. */
  | { reason: "ollama_unreachable"; message: string; hangs?: boolean }
  | { reason: "ollama_broke"; message: string }
  | { reason: "internal" };

export type WireError = {
  status: number;
  code: string;
  failedAt: FailedAt;
  message: string;
  headers?: Record<string, string>;
};

/** The status of a caller that left before its answer; nginx's "client closed request". */
export const CLOSED_REQUEST = 499;

/** For errors that a retry may cure, in seconds. */
export const RETRY = { "retry-after": "5" };

/** Builds an error of our side. */
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

/** Has no `default`: a new reason does not compile until its error is decided. */
export function sharedWireErrorOf(failure: Failure): WireError {
  switch (failure.reason) {
    case "bad_request":
      return byGateway(400, "bad_request", failure.detail);
    case "body_too_large":
      return byGateway(
        413,
        "body_too_large",
        `The request body is larger than ${failure.bytesMax / 1024 / 1024} MiB.`,
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
        `Content-Encoding ${failure.encoding} is not accepted. Send the body uncompressed.`,
      );
    case "foreign_origin":
      return byGateway(
        403,
        "foreign_origin",
        `A web page of origin ${failure.origin} may not call this address.`,
      );
    case "service_worker":
      return byGateway(
        403,
        "service_worker",
        "This answer may not become a service worker: a box is not trusted with the page's origin.",
      );
    case "no_route":
      return byGateway(
        404,
        "not_found",
        `${failure.method} ${failure.path} is not a path that is served here.`,
      );
    case "wrong_method":
      return byGateway(
        405,
        "method_not_allowed",
        `${failure.path} accepts ${failure.allow.join(", ")}, not ${failure.method}.`,
        {
          allow: failure.allow.join(", "),
        },
      );
    case "cloud_model":
      return byGateway(
        403,
        "cloud_model",
        `${failure.model} is a cloud model. Cloud models are refused: ` +
          "they would run on ollama.com, on the account of the box's owner.",
      );
    case "server_tool":
      return byGateway(
        403,
        "server_tool",
        `The tool ${failure.tool} would run on ollama.com, on the account of the box's owner. ` +
          "The owner has not allowed that.",
      );
    case "box_busy":
      return byGateway(
        503,
        "box_busy",
        `Box ${failure.box} is at its limit of ${STREAMS_PER_BOX_MAX} open requests. Try again later.`,
        RETRY,
      );
    case "box_draining":
      return byGateway(
        503,
        "box_draining",
        `Box ${failure.box} is draining and accepts no new requests. Try again later.`,
        RETRY,
      );
    case "queue_full":
      return byGateway(
        503,
        "queue_full",
        `Box ${failure.box} has no room for another waiting request: at most ${QUEUED_MAX} requests ` +
          `and ${QUEUED_BYTES_MAX / 1024 / 1024} MiB of bodies wait for its Ollama. ` +
          `This one had position ${failure.position}${waitText(failure.etaMs)}. Try again later.`,
        { "retry-after": String(retrySeconds(failure.etaMs)) },
      );
    case "ollama_unreachable":
      return {
        status: 503,
        code: "ollama_unreachable",
        failedAt: "ollama",
        message: failure.message,
        headers: RETRY,
      };
    case "ollama_broke":
      return { status: 502, code: "ollama_broke", failedAt: "ollama", message: failure.message };
    case "internal":
      return byGateway(500, "internal", "Internal error. Report it with the request id.");
  }
}

const waitText = (etaMs: number | null): string =>
  etaMs === null ? "" : ` and about ${Math.ceil(etaMs / 1_000)} s to wait`;

/** A caller comes back when its turn would have come, but not at once, and not after minutes. */
const RETRY_SECONDS = { min: Number(RETRY["retry-after"]), max: 60 };

const retrySeconds = (etaMs: number | null): number =>
  Math.min(Math.max(Math.ceil((etaMs ?? 0) / 1_000), RETRY_SECONDS.min), RETRY_SECONDS.max);

/** The shape of an error: ours on `/api`, otherwise that of the called API. */
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
 * Returns the error as a JSON value of that API.
 * @see https://platform.openai.com/docs/guides/error-codes, https://docs.anthropic.com/en/api/errors
 */
export function errorBody(dialect: Dialect, error: WireError, requestId: string): unknown {
  const { status, code, message } = error;
  const fallback = status < 500 ? "invalid_request_error" : "api_error";
  switch (dialect) {
    case "api":
      return {
        error: {
          code,
          message,
          failed_at: error.failedAt,
          request_id: requestId,
        },
      } satisfies ApiError;
    case "ollama":
      // The `ollama` command shows only this field of a 401.
      return status === 401 ? { error: message, status: message } : { error: message };
    case "openai":
      return {
        error: {
          message,
          type: OPENAI_TYPES[status] ?? fallback,
          param: null,
          code,
        },
      };
    case "anthropic":
      return {
        type: "error",
        error: { type: ANTHROPIC_TYPES[status] ?? fallback, message },
        request_id: requestId,
      };
  }
}

/**
 * Returns the headers of an error answer. `X-Failed-At` names who failed in the APIs whose shape
 * cannot.
 */
export const errorHeaders = (error: WireError, requestId: string): Record<string, string> => ({
  ...error.headers,
  "x-request-id": requestId,
  "x-failed-at": error.failedAt,
  "cache-control": "no-store",
});

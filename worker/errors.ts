/** Every way in which the gateway itself can fail a call, and what the caller is told. See `protocol/failures.ts`. */
import type { z } from "zod";
import { REPOSITORY_MODELS_MAX } from "../protocol/api/repository.ts";
import {
  byGateway,
  type Dialect,
  errorBody,
  errorHeaders,
  type Failure,
  RETRY,
  sharedWireErrorOf,
  type WireError,
} from "../protocol/failures.ts";
import { GRACE_MS, PROTOCOL_VERSION, SUBPROTOCOL } from "../protocol/limits.ts";
import type { FailedAt } from "../protocol/records.ts";

export type FailureReason =
  | Failure
  | { reason: "misconfigured"; what: string }
  | { reason: "no_key" }
  | { reason: "key_unknown" }
  | { reason: "scope_missing"; scope: string }
  | { reason: "open_mode_elsewhere" }
  | { reason: "box_unknown"; box: string }
  | { reason: "model_unknown"; model: string; where: string }
  | { reason: "repository_full" }
  | { reason: "repository_unavailable"; what: string }
  | { reason: "store_unavailable"; what: string }
  | { reason: "no_box" }
  | { reason: "box_down"; box: string }
  | { reason: "box_connected"; box: string }
  | { reason: "box_refused"; message: string }
  | { reason: "box_secret_unknown"; box: string }
  | { reason: "not_a_websocket" }
  | { reason: "protocol_mismatch"; offered: string }
  | { reason: "tunnel_lost"; box: string }
  | { reason: "agent_restarted"; box: string }
  /** What a box's answer to a call of ours said, in place of what was asked for. `failedAt` null: in Ollama's own words. */
  | {
      reason: "box_answered";
      status: number;
      failedAt: FailedAt | null;
      message: string;
      box: string;
    }
  /** Several boxes were asked, and not all did it. */
  | { reason: "boxes_failed"; what: string; failedAt: FailedAt };

export class GatewayError extends Error {
  override readonly name = "GatewayError";
  readonly failure: FailureReason;
  constructor(failure: FailureReason, options?: ErrorOptions) {
    super(failure.reason, options);
    this.failure = failure;
  }
}

/** What is told of whatever was thrown. A bug is logged here, and is `internal` to others. */
export function failureOfError(error: unknown): FailureReason {
  if (error instanceof GatewayError) return error.failure;
  console.error(error);
  return { reason: "internal" };
}

/** What a schema found wrong, in one line: `limit: Too big: expected number to be <=1000`. */
export const badRequest = ({ issues }: z.ZodError): GatewayError =>
  new GatewayError({
    reason: "bad_request",
    what: `${issues.map(({ path, message }) => (path.length === 0 ? message : `${path.join(".")}: ${message}`)).join("; ")}.`,
  });

/** No `default` that could hide a new reason: what is left over must be a {@link Failure}. */
export function wireErrorOf(failure: FailureReason): WireError {
  switch (failure.reason) {
    case "misconfigured":
      return byGateway(503, "misconfigured", `The Worker is not set up: ${failure.what}.`);
    case "no_key":
      return byGateway(
        401,
        "unauthorized",
        "An API key is needed: send it as `Authorization: Bearer <key>` or `x-api-key`.",
        {
          "www-authenticate": 'Bearer realm="ollama-edge-serve"',
        },
      );
    case "key_unknown":
      return byGateway(401, "unauthorized", "This API key is not known.", {
        "www-authenticate": 'Bearer realm="ollama-edge-serve", error="invalid_token"',
      });
    case "scope_missing":
      return byGateway(403, "forbidden", `This key lacks the scope ${failure.scope}.`);
    case "open_mode_elsewhere":
      return byGateway(
        403,
        "open_mode_elsewhere",
        "AUTH_MODE is open, which works only for requests to a loopback host name (localhost, 127.0.0.1).",
      );
    case "box_unknown":
      return byGateway(404, "box_not_found", `There is no box named ${failure.box}.`);
    case "model_unknown":
      return byGateway(
        404,
        "model_not_found",
        `There is no model named ${failure.model} ${failure.where}.`,
      );
    case "repository_full":
      return byGateway(
        409,
        "repository_full",
        `The repository holds ${REPOSITORY_MODELS_MAX} models, and takes no more: delete some first.`,
      );
    case "repository_unavailable":
      return byGateway(
        503,
        "store_unavailable",
        `The model repository is in postgres, which ${failure.what}: nothing was changed, unless only the answer was lost.`,
        RETRY,
      );
    case "store_unavailable":
      return byGateway(
        503,
        "store_unavailable",
        `What is older than the edge keeps is in a store that does not give it: ${failure.what}.`,
        RETRY,
      );
    case "no_box":
      return byGateway(
        503,
        "no_box",
        "No box is connected. Start an agent beside an Ollama, see the README.",
        RETRY,
      );
    case "box_connected":
      return byGateway(
        409,
        "box_connected",
        `Box ${failure.box} is connected. Stop its agent first.`,
      );
    case "box_down":
      return byGateway(503, "box_down", `Box ${failure.box} is not connected.`, RETRY);
    case "box_refused":
      return byGateway(502, "box_refused", failure.message);
    case "box_secret_unknown":
      return byGateway(
        401,
        "unauthorized",
        `The secret of box ${failure.box} is wrong, or the box is not in BOX_SECRETS.`,
      );
    case "not_a_websocket":
      return byGateway(426, "upgrade_required", "This path takes the agent's WebSocket.", {
        upgrade: "websocket",
      });
    case "protocol_mismatch":
      return byGateway(
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
    case "box_answered":
      return {
        status: failure.status,
        code: failure.failedAt === null ? "ollama_error" : "upstream_error",
        failedAt: failure.failedAt ?? "ollama",
        message: failure.message,
        headers: { "x-box": failure.box },
      };
    case "boxes_failed":
      return {
        status: 502,
        code: "boxes_failed",
        failedAt: failure.failedAt,
        message: failure.what,
      };
    default:
      return sharedWireErrorOf(failure satisfies Failure);
  }
}

/** The whole error answer. */
export function errorResponse(
  dialect: Dialect,
  failure: FailureReason,
  requestId: string,
): Response {
  const told = wireErrorOf(failure);
  return Response.json(errorBody(dialect, told, requestId), {
    status: told.status,
    headers: errorHeaders(told, requestId),
  });
}

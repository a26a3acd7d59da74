/**
 * Every way in which the edge itself can fail a call, and the public error of each. See
 * `protocol/failures.ts`.
 */
import type * as z from "zod";
import { REPOSITORY_MODELS_MAX } from "../protocol/api/repository.ts";
import {
  byGateway,
  CLOSED_REQUEST,
  type Failure,
  RETRY,
  sharedWireErrorOf,
  type WireError,
} from "../protocol/failures.ts";
import { GRACE_MS, MOVE_LOST_MS, PROTOCOL_VERSION, SUBPROTOCOL } from "../protocol/limits.ts";
import type { FailedAt } from "../protocol/records.ts";
import { type IdentityFailure, identityErrorOf, isIdentityFailure } from "./identity/failures.ts";
import { isJoinFailure, type JoinFailure, joinErrorOf } from "./joining/failures.ts";
import { isKeyFailure, type KeyFailure, keyErrorOf } from "./keys/failures.ts";

export type FailureReason =
  | Failure
  | { reason: "misconfigured"; detail: string }
  | KeyFailure
  | JoinFailure
  | IdentityFailure
  | { reason: "open_mode_elsewhere" }
  | { reason: "box_unknown"; box: string }
  | { reason: "model_unknown"; model: string; where: string }
  | { reason: "repository_full" }
  | { reason: "currency_in_use"; currency: string }
  | { reason: "request_unknown"; id: string }
  | { reason: "target_unknown"; id: string }
  | { reason: "repository_unavailable"; detail: string }
  | { reason: "store_unavailable"; detail: string }
  /**
   * In the middle of its upload. Nobody reads the answer; the record is that of a cancelled call.
   */
  | { reason: "caller_left" }
  /** Other large bodies take the memory of this isolate. */
  | { reason: "edge_busy" }
  /** The body arrives so slowly that it holds up others. */
  | { reason: "upload_too_slow" }
  /** Somebody stopped the call while it ran. */
  | { reason: "stopped"; by: string }
  | { reason: "not_in_flight"; id: string }
  | { reason: "no_box" }
  | { reason: "holders_away"; model: string; boxes: string[] }
  | { reason: "box_down"; box: string }
  | { reason: "box_connected"; box: string }
  | { reason: "agent_too_old"; box: string; version: string; lacks: string }
  | { reason: "pin_too_large"; detail: string }
  | { reason: "bench_running"; box: string }
  | { reason: "box_refused"; message: string }
  | { reason: "box_secret_unknown"; box: string }
  | { reason: "not_a_websocket" }
  | { reason: "protocol_mismatch"; offered: string }
  /** `isYielded`: its agent, wherever it is, does nothing more for the call. */
  | { reason: "tunnel_lost"; box: string; isYielded?: boolean }
  | { reason: "agent_restarted"; box: string }
  /** A box answered our call with an error. `failedAt` is null if the message is Ollama's own. */
  | {
      reason: "box_answered";
      status: number;
      failedAt: FailedAt | null;
      message: string;
      box: string;
    }
  /** A call to several boxes failed on some of them. */
  | { reason: "boxes_failed"; detail: string; failedAt: FailedAt };

/** Fails a call whose body ends early or has a malformed chunk. */
export const BROKEN_BODY: FailureReason = {
  reason: "bad_request",
  detail:
    "The request body could not be read: it ended early, or a chunk of it is malformed. Send it again.",
};

export class GatewayError extends Error {
  override readonly name = "GatewayError";
  readonly failure: FailureReason;
  constructor(failure: FailureReason, options?: ErrorOptions) {
    super(failure.reason, options);
    this.failure = failure;
  }
}

/**
 * Returns the failure of a thrown value. A bug is logged here, and is only `internal` to callers.
 */
export function failureOfError(error: unknown): FailureReason {
  if (error instanceof GatewayError) return error.failure;
  console.error(error);
  return { reason: "internal" };
}

/** Formats the issues of a schema in one line: `limit: Too big: expected number to be <=1000`. */
export const badRequest = ({ issues }: z.ZodError): GatewayError =>
  new GatewayError({
    reason: "bad_request",
    detail: `${issues
      .map(({ path, message }) => (path.length === 0 ? message : `${path.join(".")}: ${message}`))
      .join("; ")}.`,
  });

/** The `default` cannot hide a new reason: the rest must be a {@link Failure}. */
export function wireErrorOf(failure: FailureReason): WireError {
  switch (failure.reason) {
    case "misconfigured":
      return byGateway(
        503,
        "misconfigured",
        `The Worker's settings are invalid: ${failure.detail}. Correct them and deploy again.`,
      );
    case "open_mode_elsewhere":
      return byGateway(
        403,
        "open_mode_elsewhere",
        "AUTH_MODE is open, which serves only loopback host names (localhost, 127.0.0.1). " +
          "Set AUTH_MODE to keys to serve others.",
      );
    case "box_unknown":
      return byGateway(404, "box_not_found", `There is no box named ${failure.box}.`);
    case "request_unknown":
      return byGateway(
        404,
        "request_not_found",
        `There is no finished request with the id ${failure.id}.`,
      );
    case "target_unknown":
      return byGateway(404, "target_not_found", `There is no target with the id ${failure.id}.`);
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
        `The model repository is at its limit of ${REPOSITORY_MODELS_MAX} models. Delete some first.`,
      );
    case "currency_in_use":
      return byGateway(
        409,
        "currency_in_use",
        `The metrics contain costs in ${failure.currency}. Clear the metrics before you change the currency.`,
      );
    case "repository_unavailable":
      return byGateway(
        503,
        "store_unavailable",
        `The model repository is in postgres, which ${failure.detail}. ` +
          "Nothing was changed, unless only the answer was lost. Read it again before you retry.",
        RETRY,
      );
    case "store_unavailable":
      return byGateway(
        503,
        "store_unavailable",
        `Data older than the edge keeps is in an external store that cannot be read: ${failure.detail}.`,
        RETRY,
      );
    // A status that clients do not repeat by themselves.
    case "stopped":
      return byGateway(403, "stopped", `This request was stopped by ${failure.by}.`);
    case "not_in_flight":
      return byGateway(
        404,
        "not_in_flight",
        `No request ${failure.id} is in flight through this edge. Requests to the listener of an agent do not pass it.`,
      );
    case "no_box":
      return byGateway(
        503,
        "no_box",
        "No box is connected. Start an agent beside an Ollama; the README describes how.",
        RETRY,
      );
    case "holders_away":
      return byGateway(
        503,
        "box_down",
        `The model ${failure.model} is on ${failure.boxes.join(", ")}, which did not get the request. ` +
          "Send it again. If that does not help, check that the agent is running there.",
        RETRY,
      );
    case "box_connected":
      return byGateway(
        409,
        "box_connected",
        `Box ${failure.box} is still connected. Stop its agent first.`,
      );
    case "agent_too_old":
      return byGateway(
        501,
        "agent_too_old",
        `The agent of box ${failure.box} has version ${failure.version}, which cannot ${failure.lacks}. Update it.`,
      );
    case "pin_too_large":
      return byGateway(409, "pin_too_large", failure.detail);
    case "bench_running":
      return byGateway(
        409,
        "bench_running",
        `Box ${failure.box} is already running a bench. Wait for it, or cancel it.`,
      );
    case "box_down":
      return byGateway(
        503,
        "box_down",
        `Box ${failure.box} is not connected. Check that its agent is running.`,
        RETRY,
      );
    case "edge_busy":
      return byGateway(
        503,
        "edge_busy",
        "The edge is reading other large request bodies. Try again later.",
        RETRY,
      );
    case "upload_too_slow":
      return byGateway(
        408,
        "upload_too_slow",
        "The request body arrived too slowly while others waited for its memory. Send it again later.",
        RETRY,
      );
    case "caller_left":
      return byGateway(
        CLOSED_REQUEST,
        "caller_left",
        "The caller left before its request was complete.",
      );
    case "box_refused":
      return byGateway(502, "box_refused", failure.message);
    case "box_secret_unknown":
      return byGateway(
        401,
        "unauthorized",
        `The secret of box ${failure.box} is wrong, or the box is missing from BOX_SECRETS.`,
      );
    case "not_a_websocket":
      return byGateway(426, "upgrade_required", "This path accepts only an agent's WebSocket.", {
        upgrade: "websocket",
      });
    case "protocol_mismatch":
      return byGateway(
        426,
        "protocol_mismatch",
        `This edge supports protocol ${PROTOCOL_VERSION} (${SUBPROTOCOL}); ` +
          `the agent offered ${failure.offered || "none"}. ` +
          "Install the agent that this Worker serves at /agent/agent.mjs.",
      );
    case "tunnel_lost":
      return {
        status: 504,
        code: "tunnel_lost",
        failedAt: "tunnel",
        message: `The tunnel to box ${failure.box} was lost and did not return within ${(failure.isYielded ? MOVE_LOST_MS : GRACE_MS) / 1_000} s.`,
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
        message: failure.detail,
      };
    default:
      if (isKeyFailure(failure)) return keyErrorOf(failure);
      if (isJoinFailure(failure)) return joinErrorOf(failure);
      if (isIdentityFailure(failure)) return identityErrorOf(failure);
      return sharedWireErrorOf(failure satisfies Failure);
  }
}

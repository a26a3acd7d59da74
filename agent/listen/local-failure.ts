/**
 * Why a call to the listener is refused or fails, and the error its caller gets. See
 * `protocol/failures.ts`.
 */
import {
  byGateway,
  type Failure,
  RETRY,
  sharedWireErrorOf,
  type WireError,
} from "../../protocol/failures.ts";

export type LocalFailure =
  | Failure
  | { reason: "foreign_host"; host: string }
  | { reason: "stopped" };

export function localWireErrorOf(failure: LocalFailure): WireError {
  switch (failure.reason) {
    case "foreign_host":
      return byGateway(
        403,
        "foreign_host",
        `The Host header ${JSON.stringify(failure.host)} is not a name of this machine. ` +
          "Use localhost or an IP address.",
      );
    case "stopped":
      return byGateway(
        503,
        "stopped",
        "The agent was stopped while it served this request. Try again when it is running.",
        RETRY,
      );
    default:
      return sharedWireErrorOf(failure satisfies Failure);
  }
}

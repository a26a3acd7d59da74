/** Why a call to the listener is refused or fails, and what its caller is told. See `protocol/failures.ts`. */
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
      return byGateway(403, "foreign_host", `${failure.host} is not a name of this machine.`);
    case "stopped":
      return byGateway(
        503,
        "stopped",
        "The agent was stopped while it served this request.",
        RETRY,
      );
    default:
      return sharedWireErrorOf(failure satisfies Failure);
  }
}

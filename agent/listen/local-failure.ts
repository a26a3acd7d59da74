/** Why a call to the listener is refused or fails, and what its caller is told. See `protocol/failures.ts`. */
import { byGateway, type Failure, RETRY, type Told, tellFailure } from "../../protocol/failures.ts";

export type LocalFailure = Failure | { reason: "foreign_host"; host: string } | { reason: "stopped" };

export function tellLocal(failure: LocalFailure): Told {
  switch (failure.reason) {
    case "foreign_host":
      return byGateway(403, "foreign_host", `${failure.host} is not a name of this machine.`);
    case "stopped":
      return byGateway(503, "stopped", "The agent was stopped while it served this request.", RETRY);
    default:
      return tellFailure(failure satisfies Failure);
  }
}

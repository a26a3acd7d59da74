/** How a stream ended, and which side keeps its record. Pure. */
import { CLOSED_REQUEST } from "../../../protocol/failures.ts";
import { FrameError } from "../../../protocol/frames.ts";
import { AGENT_FIRST_MS } from "../../../protocol/limits.ts";
import type { Abort } from "../../../protocol/messages.ts";
import { type FailureReason, wireErrorOf } from "../../errors.ts";

/**
 * The agent keeps the record of a stream that it served to the end. The edge keeps all others, and
 * also that of a cancelled stream, because the ABORT that announces it may be lost on the way, and
 * that of a stream whose agent was restarted, because a killed agent does not know how it ended.
 *
 * `afterMs`: head start for the agent. It knows more, so its record should be the first.
 */
export type Ended =
  | { by: "agent" }
  | { by: "edge"; status: "error"; httpStatus: number; failure: FailureReason; afterMs: number }
  | { by: "edge"; status: "cancelled"; httpStatus: number; afterMs: number };

/** The agent ends these streams itself and records them. */
const RECORDED_BY_AGENT: ReadonlySet<FailureReason["reason"]> = new Set([
  "ollama_unreachable",
  "ollama_broke",
]);

/** The agent learns of these failures, or was killed by them, and has measured what was used. */
const MEASURED_BY_AGENT: ReadonlySet<FailureReason["reason"]> = new Set([
  "agent_restarted",
  "key_ended",
  "stopped",
]);

/**
 * @param begunStatus  status that the caller already has; null if its answer has not begun
 * @param isForgotten  the agent has lost all trace of the stream, so it cannot record it
 */
export function endedBy(
  failure: FailureReason,
  begunStatus: number | null,
  isForgotten: boolean,
): Ended {
  if (RECORDED_BY_AGENT.has(failure.reason) && !isForgotten) return { by: "agent" };
  const httpStatus = begunStatus ?? wireErrorOf(failure).status;
  const isKnownToAgent = MEASURED_BY_AGENT.has(failure.reason) && !isForgotten;
  const afterMs = isKnownToAgent ? AGENT_FIRST_MS : 0;
  return { by: "edge", status: "error", httpStatus, failure, afterMs };
}

/** @param isReached  the ABORT was sent to an agent that is connected */
export const endedByCaller = (begunStatus: number | null, isReached: boolean): Ended => ({
  by: "edge",
  status: "cancelled",
  httpStatus: begunStatus ?? CLOSED_REQUEST,
  afterMs: isReached ? AGENT_FIRST_MS : 0,
});

/**
 * Returns the failure that an agent reports with its ABORT.
 * @throws {FrameError} if only an edge may send that code
 */
export function abortFailure({ code, message, no_answer }: Abort, box: string): FailureReason {
  switch (code) {
    case "ollama_unreachable":
      return { reason: "ollama_unreachable", message, hangs: no_answer === true };
    case "ollama_broke":
      return { reason: "ollama_broke", message };
    case "lost":
      return { reason: "agent_restarted", box };
    case "draining":
      return { reason: "box_draining", box };
    case "bad_request":
      return { reason: "box_refused", message };
    case "caller_gone":
    case "gave_up":
      throw new FrameError(`abort ${code} from an agent`);
  }
}

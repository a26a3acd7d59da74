/**
 * Decides whether a call moves to another box, after the box that had it failed. Pure.
 *
 * A call moves only while no byte of a box's answer has gone to the caller, only if it changes nothing, and
 * only once its box has ended it: see decision 18.
 */
import type { FailureReason } from "../errors.ts";
import type { CallerAnswer } from "./stream/actions.ts";

/** How a box ended a call before its answer began. */
export type Outcome =
  /** The edge's end of the stream failed. */
  | { kind: "failed"; failure: FailureReason }
  /** An answer that is here whole, and of which the caller has nothing. */
  | { kind: "whole"; status: number }
  /** The caller has a part of the answer, or has left. */
  | { kind: "begun" };

export function outcomeOf(answer: CallerAnswer): Outcome {
  return answer.kind === "whole" || answer.kind === "failed" ? answer : { kind: "begun" };
}

/** Why a call moved on from a box, as the record states it. */
export type MoveReason =
  | "ollama_unreachable"
  | "no_answer"
  | "ollama_broke"
  | "draining"
  | "agent_restarted"
  | "tunnel_lost"
  | "model_not_found"
  | `http_${number}`;

/**
 * Returns why the call moves on to another box that can serve it; null if it stays.
 * @param isElsewhere  the other boxes have the model of the call, by the fleet as it is known
 */
export function moveReasonOf(outcome: Outcome, isElsewhere: boolean): MoveReason | null {
  if (outcome.kind === "begun") return null;
  if (outcome.kind === "failed") return reasonOf(outcome.failure);
  const { status } = outcome;
  // Without a model that others have, Ollama's own 404 is the right answer.
  if (status === 404) return isElsewhere ? "model_not_found" : null;
  return status >= 500 ? `http_${status}` : null;
}

/** Only failures after which the box does nothing more for the call. */
function reasonOf(failure: FailureReason): MoveReason | null {
  const { reason } = failure;
  switch (reason) {
    case "ollama_unreachable":
      return failure.hangs === true ? "no_answer" : reason;
    case "ollama_broke":
    case "agent_restarted":
      return reason;
    case "box_draining":
      return "draining";
    case "tunnel_lost":
      return failure.isYielded === true ? reason : null;
    default:
      return null;
  }
}

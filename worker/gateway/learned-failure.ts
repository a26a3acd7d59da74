/** Corrects the known fleet by the failure of a box, so that the next call chooses another one. */
import type { FailureReason } from "../errors.ts";
import type { MoveReason } from "./failover.ts";
import { afterRefusal } from "./known-boxes.ts";
import {
  correctByFailure,
  correctFleet,
  type Invocation,
  refreshAfterFailure,
} from "./known-fleet.ts";

/** @param model  the model of the call that failed; null if it needs none */
export function learnFailure(
  shell: Invocation,
  box: string,
  reason: MoveReason,
  model: string | null,
): void {
  correctByFailure(box, reason, model);
  refreshAfterFailure(shell);
}

/** @param failure  why the Box did not take a call */
export function learnRefusal(box: string, { reason }: FailureReason): void {
  correctFleet(({ boxes }) => ({ boxes: afterRefusal(boxes, box, reason) }));
}

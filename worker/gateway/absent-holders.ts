/**
 * The failure of a call for a model that registered boxes have, while none of them serves it: a 404 would
 * be wrong, because the model exists. Pure.
 */
import type { FleetBox } from "../aggregator/fleet-box.ts";
import type { FailureReason } from "../errors.ts";
import { holdersOf } from "./choose.ts";
import type { Outcome } from "./failover.ts";

/** Returns the failure of a call that no box takes. @param model  null if the call needs none */
export function nobodyFor(boxes: readonly FleetBox[], model: string | null): FailureReason {
  const holders = model === null ? [] : holdersOf(boxes, model);
  return model === null || holders.length === 0
    ? { reason: "no_box" }
    : { reason: "holders_away", model, boxes: holders };
}

/**
 * Returns the failure in place of a box's answer that it lacks the model; null if that is right: no other
 * box has it.
 * @param lacking  the boxes that have given this answer to the call
 */
export function insteadOfMissing(
  outcome: Outcome,
  model: string | null,
  boxes: readonly FleetBox[],
  lacking: readonly string[],
): FailureReason | null {
  if (outcome.kind !== "whole" || outcome.status !== 404 || model === null) return null;
  const others = boxes.filter(({ name }) => !lacking.includes(name));
  const failure = nobodyFor(others, model);
  return failure.reason === "holders_away" ? failure : null;
}

/** The attempts of a simulated call: a box that has it, and how it failed there. */
import type { RouteReason } from "../../../protocol/route.ts";
import type { FleetBox } from "../../../worker/aggregator/fleet-box.ts";
import type { AttachKey } from "../../../worker/box/attach.ts";
import { type FailureReason, GatewayError } from "../../../worker/errors.ts";
import type { MoveReason } from "../../../worker/gateway/failover.ts";
import type { CallerAnswer } from "../../../worker/gateway/stream/actions.ts";
import type { Ended } from "../../../worker/gateway/stream/ended.ts";
import type { LimitReached } from "../../../worker/keys/limits.ts";
import type { SimulatedStream, StreamPlan } from "../stream.ts";
import { bodyOfCall, type FleetCallPlan, openOfCall } from "./plan.ts";

/** A box that has the call, or had it. */
export type Attempt = {
  box: string;
  reason: RouteReason;
  stream: SimulatedStream;
  beganMs: number;
  /** Its stream no longer counts as load. */
  left(): void;
  /** How its stream ended; null while it is open. */
  end: Ended | null;
};

/** The answer of a box that failed, which stands if no other box takes the call. */
export type Fallback = {
  attempt: Attempt;
  answer: CallerAnswer;
  reason: MoveReason;
  ms: number;
  /** Returns what is given instead, because the box lacks a model that others have; null for the answer. */
  insteadIn(boxes: readonly FleetBox[]): FailureReason | null;
  /** The agent knew that the call may move, so it keeps its record back. */
  isWithheld: boolean;
};

/** Returns whether the edge completes the record of an agent that was killed, or has forgotten the call. */
export const isCompleting = ({ end }: Attempt): boolean =>
  end?.by === "edge" && end.status === "error" && end.failure.reason === "agent_restarted";

/** `failed`: an error before the first byte. `ending`, `torn`: an answer that broke off later. */
export type FleetResult =
  | "nothing"
  | "whole"
  | "failed"
  | "missing"
  | "refused"
  | "ending"
  | "torn"
  | "left";

/** Returns the failure of a call whose Box refuses it. */
export function refusalOf(reason: FailureReason["reason"], box: string): FailureReason {
  switch (reason) {
    case "box_down":
    case "box_draining":
    case "box_busy":
      return { reason, box };
    default:
      return { reason: "internal" };
  }
}

/** Returns the error of a call whose key may do no more. @param reached  null: nobody could count it */
export const limitErrorOf = (reached: LimitReached | null): GatewayError =>
  new GatewayError(
    reached === null ? { reason: "limits_unchecked" } : { reason: "limit_reached", ...reached },
  );

/** Returns the stream of a call to a box. @param to  `mayMove`, `mayAsk`: another box may get the call after it */
export function streamPlanOf(
  call: FleetCallPlan,
  to: Required<Pick<StreamPlan, "box" | "yields" | "early">> & {
    mayMove: boolean;
    mayAsk: boolean;
    key: AttachKey | null;
  },
): StreamPlan {
  const { mayMove, mayAsk, ...how } = to;
  how.early?.moved();
  const open = {
    ...openOfCall(call, { mayMove, mayAsk }),
    answer_begun: how.early === null ? undefined : true,
  };
  const body = call.isHeavy ? new Uint8Array(100_000).fill(0x20) : bodyOfCall(call);
  return { ...how, id: call.id, open, body, streamsBody: false };
}

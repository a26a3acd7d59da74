/**
 * Management calls that a route of `/api` makes to boxes for its caller. Each is a call like any
 * other, with its own stream and its own record.
 */
import type { Context } from "hono";
import { checkValue } from "../../protocol/body-policy.ts";
import { FailedAt } from "../../protocol/records.ts";
import type { RouteReason } from "../../protocol/route.ts";
import type { Target } from "../../protocol/target.ts";
import type { Env } from "../env.ts";
import { type FailureReason, GatewayError, wireErrorOf } from "../errors.ts";
import type { Principal } from "../principal.ts";
import { callOf, targetOf } from "./call.ts";
import { invocationOf } from "./known-fleet.ts";
import { serve } from "./serve.ts";

export type TargetCall = {
  target: Target;
  body: object;
  box: string;
  /** Why it is that box; absent if the caller named it. */
  wantedReason?: RouteReason;
  requestId: string;
  signal: AbortSignal;
};

export type ManagementCall = Omit<TargetCall, "target"> & {
  method: "POST" | "DELETE";
  /** The path on Ollama. */
  path: string;
};

/**
 * @returns Ollama's answer if its status is 200
 * @throws {GatewayError} if the call failed
 */
export const callBox = (
  c: Context<Env>,
  principal: Principal,
  { method, path, ...call }: ManagementCall,
): Promise<Response> => callTarget(c, principal, { target: targetOf(method, path), ...call });

/** Like {@link callBox}, for a target that no path of a caller leads to. */
export async function callTarget(
  c: Context<Env>,
  principal: Principal,
  { target, body, box, wantedReason, requestId, signal }: TargetCall,
): Promise<Response> {
  const { open, startedMs, key } = callOf(c.req.raw, target, requestId, principal);
  const call = {
    id: requestId,
    // Ollama receives our JSON, not the caller's.
    open: { ...open, headers: [["content-type", "application/json"]] as [string, string][] },
    wantedBox: box,
    ...(wantedReason && { wantedReason }),
    startedMs,
    signal,
    key,
  };
  const answer = await serve(invocationOf(c), call, async () => {
    const checked = checkValue(target.route, body);
    if (!checked.ok) throw new GatewayError(checked.failure);
    return checked.body;
  });
  if (answer.status !== 200) throw new GatewayError(await failureOf(answer));
  return answer;
}

/** Turns a box's error response into a FailureReason. Consumes the body. */
export async function failureOf(answer: Response): Promise<FailureReason> {
  // Set if the edge answered for the box; otherwise the message is Ollama's own.
  const failedAt = FailedAt.safeParse(answer.headers.get("x-failed-at"));
  return {
    reason: "box_answered",
    status: answer.status < 400 ? 502 : answer.status,
    failedAt: failedAt.success ? failedAt.data : null,
    message: ollamaMessage(await answer.text()),
    box: answer.headers.get("x-box") ?? "",
  };
}

/** Returns the message of an error body, or the start of a body in another format. */
function ollamaMessage(text: string): string {
  try {
    const { error } = JSON.parse(text) as { error?: unknown };
    if (typeof error === "string") return error;
  } catch {
    // plain text
  }
  return text.slice(0, 500) || "Ollama answered with an error that has no message.";
}

/** The outcome of a call on one box. `failure` is null if it succeeded. */
export type BoxOutcome = { box: string; requestId: string; failure: FailureReason | null };

/** Sums up why a call that failed on some of these boxes failed. */
export function failureOfBoxes(outcomes: readonly BoxOutcome[]): FailureReason {
  const [first] = outcomes.flatMap(({ failure }) => failure ?? []);
  if (first === undefined) return { reason: "internal" };
  if (outcomes.length === 1) return first;
  const detail = outcomes
    .map(
      ({ box, failure }) => `${box}: ${failure === null ? "done" : wireErrorOf(failure).message}`,
    )
    .join("; ");
  return { reason: "boxes_failed", detail, failedAt: wireErrorOf(first).failedAt };
}

/**
 * Management calls that a route of `/api` makes to boxes for its caller: each is a call like any
 * other, with one stream and one record of its own.
 */
import type { Context } from "hono";
import { checkBody } from "../../protocol/body-policy.ts";
import { FailedAt } from "../../protocol/records.ts";
import type { Principal } from "../auth.ts";
import type { Env } from "../env.ts";
import { type FailureReason, GatewayError, wireErrorOf } from "../errors.ts";
import { callOf, targetOf } from "./call.ts";
import { serve } from "./serve.ts";

export type ManagementCall = {
  method: "POST" | "DELETE";
  /** On Ollama. */
  path: string;
  body: object;
  box: string;
  requestId: string;
  signal: AbortSignal;
};

/**
 * @returns Ollama's answer when it is 200
 * @throws {GatewayError} when the box did not do it
 */
export async function manage(
  c: Context<Env>,
  principal: Principal,
  asked: ManagementCall,
): Promise<Response> {
  const target = targetOf(asked.method, asked.path);
  const { open, startedMs } = callOf(c.req.raw, target, asked.requestId, principal);
  const call = {
    id: asked.requestId,
    // Our JSON is not the caller's: Ollama gets what we wrote.
    open: { ...open, headers: [["content-type", "application/json"]] as [string, string][] },
    wantedBox: asked.box,
    startedMs,
    signal: asked.signal,
  };
  const answer = await serve(
    c.env,
    (promise) => c.executionCtx.waitUntil(promise),
    call,
    async () => {
      const checked = checkBody(target.route, asked.body);
      if (!checked.ok) throw new GatewayError(checked.failure);
      return checked.body;
    },
  );
  if (answer.status !== 200) throw new GatewayError(await failureOf(answer));
  return answer;
}

/** What an answer of a box says that is not what was asked for. It is read to its end. */
export async function failureOf(answer: Response): Promise<FailureReason> {
  // Set when the edge answered for the box; else these are Ollama's own words.
  const failedAt = FailedAt.safeParse(answer.headers.get("x-failed-at"));
  return {
    reason: "box_answered",
    status: answer.status < 400 ? 502 : answer.status,
    failedAt: failedAt.success ? failedAt.data : null,
    message: ollamaMessage(await answer.text()),
    box: answer.headers.get("x-box") ?? "",
  };
}

/** Ollama's own words in an error body, else the body. */
function ollamaMessage(text: string): string {
  try {
    const { error } = JSON.parse(text) as { error?: unknown };
    if (typeof error === "string") return error;
  } catch {
    // plain text
  }
  return text.slice(0, 500) || "Ollama answered with an error and said nothing.";
}

/** What one box made of a call; `failure` null: it did it. */
export type BoxOutcome = { box: string; requestId: string; failure: FailureReason | null };

/** Why a call to these boxes, of which some did not do it, failed. */
export function failureOfBoxes(outcomes: readonly BoxOutcome[]): FailureReason {
  const [first] = outcomes.flatMap(({ failure }) => failure ?? []);
  if (first === undefined) return { reason: "internal" };
  if (outcomes.length === 1) return first;
  const what = outcomes
    .map(
      ({ box, failure }) => `${box}: ${failure === null ? "done" : wireErrorOf(failure).message}`,
    )
    .join("; ");
  return { reason: "boxes_failed", what, failedAt: wireErrorOf(first).failedAt };
}

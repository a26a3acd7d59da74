/** Sends one message to one target. Reports the failure without the address, which is secret. */
import type { TargetKind } from "../../protocol/api/notifications.ts";
import type { NoticeMessage } from "./message.ts";
import { requestOf } from "./request.ts";
import type { TargetAddress } from "./target.ts";

/** A receiver that needs longer than this has failed. */
const ANSWER_MS = 10_000;

/** `retryMs`: how long the receiver wants to be left alone; null if it named no time. */
export type Sent = { error: null } | { error: string; retryMs: number | null };

export async function send(
  kind: TargetKind,
  address: TargetAddress,
  message: NoticeMessage,
  nowMs: number,
): Promise<Sent> {
  const { url, headers, body } = await requestOf(kind, address, message, nowMs);
  try {
    const answer = await fetch(url, {
      method: "POST",
      headers: { ...headers, "user-agent": "ollama-edge-serve" },
      body,
      // A redirect could lead to an address that the edge may not call.
      redirect: "manual",
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    await answer.body?.cancel();
    if (answer.ok) return { error: null };
    return { error: `it answered with status ${answer.status}`, retryMs: retryMsOf(answer) };
  } catch (error) {
    const isTimeout = error instanceof Error && error.name === "TimeoutError";
    const reason = isTimeout
      ? `no answer within ${ANSWER_MS / 1_000} s`
      : "the connection could not be made, or broke";
    return { error: reason, retryMs: null };
  }
}

function retryMsOf({ headers }: Response): number | null {
  const seconds = Number(headers.get("retry-after") ?? "x");
  return Number.isFinite(seconds) && seconds > 0 ? seconds * 1_000 : null;
}

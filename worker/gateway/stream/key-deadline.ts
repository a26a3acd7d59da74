/** When a stream has to end because the key of its caller does, or because somebody stops the call. Pure. */
import { CallEnd, type KeyEnd } from "../../../protocol/call-end.ts";
import { type Frame, parsePayload } from "../../../protocol/frames.ts";
import type { FailureReason } from "../../errors.ts";
import { hasEnded } from "../../keys/ends.ts";

type Ending = Extract<FailureReason, { reason: "key_ended" | "stopped" }>;

export class KeyDeadline {
  #end: KeyEnd | null;
  #stoppedBy: string | null = null;

  /** @param end  as known when the stream begins; null for other credentials */
  constructor(end: KeyEnd | null) {
    this.#end = end;
  }

  /** Takes the KEY of the Box: the key was revoked, its end was moved, or the call is stopped. */
  take(frame: Frame): void {
    const end = parsePayload(CallEnd, frame.payload);
    if ("stopped_by" in end) this.#stoppedBy = end.stopped_by;
    else this.#end = end;
  }

  /** Returns the earlier of two times: this one, and the end of the call, unix ms. */
  soonest(atMs: number | null): number | null {
    const endsMs = this.#stoppedBy === null ? (this.#end?.ends_at_ms ?? null) : 0;
    return endsMs === null ? atMs : Math.min(endsMs, atMs ?? endsMs);
  }

  /** Returns why the stream ends now; null if it does not. */
  failureAt(nowMs: number): Ending | null {
    if (this.#stoppedBy !== null) return { reason: "stopped", by: this.#stoppedBy };
    if (this.#end === null || !hasEnded(this.#end, nowMs)) return null;
    return { reason: "key_ended", ...this.#end };
  }
}

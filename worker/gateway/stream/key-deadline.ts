/** When a stream has to end because the key of its caller does. Pure. */
import { type Frame, parsePayload } from "../../../protocol/frames.ts";
import { KeyEnd } from "../../../protocol/messages.ts";
import type { FailureReason } from "../../errors.ts";
import { hasEnded } from "../../keys/ends.ts";

export class KeyDeadline {
  #end: KeyEnd | null;

  /** @param end  as known when the stream begins; null for other credentials */
  constructor(end: KeyEnd | null) {
    this.#end = end;
  }

  /** Takes the KEY of the Box: the key was revoked, or its end was moved. */
  take(frame: Frame): void {
    this.#end = parsePayload(KeyEnd, frame.payload);
  }

  /** Returns the earlier of two times: this one, and the end of the key, unix ms. */
  soonest(atMs: number | null): number | null {
    const endsMs = this.#end?.ends_at_ms ?? null;
    return endsMs === null ? atMs : Math.min(endsMs, atMs ?? endsMs);
  }

  /** Returns why the stream ends now; null if it does not. */
  failureAt(nowMs: number): Extract<FailureReason, { reason: "key_ended" }> | null {
    if (this.#end === null || !hasEnded(this.#end, nowMs)) return null;
    return { reason: "key_ended", state: this.#end.state };
  }
}

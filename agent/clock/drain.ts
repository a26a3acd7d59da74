/** Time limits of an orderly stop: open requests may finish, but not forever. */
import { type Frame, FrameType, tunnelFrame } from "../../protocol/frames.ts";
import type { Drain } from "../../protocol/messages.ts";

/** Time that open requests may take after the agent starts draining. */
export const DRAIN_MS = 25_000;

/** Time that a drained agent waits for the edge to confirm its last records. */
export const LAST_RECORDS_MS = 2_000;

/** Requests that left the edge before it knew that the agent drains arrive within this, and are served. */
export const CROSSING_MS = 500;

/** Reports to the edge until when an agent drains, again on each new tunnel. Pure. */
export class DrainNotice {
  #endsMs: number | null = null;

  /** The agent drains from now on. @param nowMs  monotonic */
  begin(nowMs: number): Frame[] {
    this.#endsMs = nowMs + DRAIN_MS + LAST_RECORDS_MS;
    return this.frames(nowMs);
  }

  /** Returns the frames for the Box; none while the agent does not drain. */
  frames(nowMs: number): Frame[] {
    if (this.#endsMs === null) return [];
    const ends_in_ms = Math.max(0, Math.round(this.#endsMs - nowMs));
    return [tunnelFrame(FrameType.drain, { ends_in_ms } satisfies Drain)];
  }
}

/** Waits for the promise, but at most `limitMs`. */
export async function atMost(limitMs: number, promise: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise((resolve) => {
    timer = setTimeout(resolve, limitMs);
  });
  await Promise.race([promise, limit]);
  clearTimeout(timer);
}

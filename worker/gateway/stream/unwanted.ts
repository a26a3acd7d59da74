/**
 * A stream whose caller left while the agent was away. Its ABORT waits here until the agent is back,
 * at most for the grace period. Pure.
 */
import { type Frame, FrameType } from "../../../protocol/frames.ts";
import type { Reach } from "./reach.ts";

/** A Box without an agent sends GONE to a new socket within this. */
const ABORT_WAITS_MS = 1_000;

export class UnwantedStream {
  readonly #abort: Frame;
  readonly #reach: Reach;

  constructor(abort: Frame, reach: Reach) {
    this.#abort = abort;
    this.#reach = reach;
  }

  /**
   * There is a new socket to the Box. Returns the frame for it, which is the last one unless GONE
   * follows.
   */
  attached(nowMs: number): Frame {
    this.#reach.restartGrace(nowMs, ABORT_WAITS_MS);
    return this.#abort;
  }

  /** Takes a frame of the Box. Returns the last frame of the stream once the agent is back. */
  received({ type }: Frame, nowMs: number): Frame | null {
    if (type === FrameType.gone) this.#reach.restartGrace(nowMs);
    return type === FrameType.back ? this.#abort : null;
  }
}

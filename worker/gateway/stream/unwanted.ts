/**
 * A stream that the edge has ended. Its ABORT leaves at once; while the agent is away, it waits here
 * until the agent is back, at most for the grace period. Pure.
 */
import { type Frame, FrameType, type StreamId } from "../../../protocol/frames.ts";
import { type Abort, abortFrame } from "../../../protocol/messages.ts";
import type { Reach } from "./reach.ts";

/** A Box without an agent sends GONE to a new socket within this. */
const ABORT_WAITS_MS = 1_000;

export class UnwantedStream {
  readonly #id: StreamId;
  readonly #reach: Reach;
  #abort: Frame | null = null;

  constructor(id: StreamId, reach: Reach) {
    this.#id = id;
    this.#reach = reach;
  }

  /** True while the ABORT waits for the agent. */
  get isWaiting(): boolean {
    return this.#abort !== null;
  }

  /** The last frames of the stream; null while they wait for the agent. */
  get last(): Frame[] | null {
    if (this.#abort === null) return [];
    return this.#reach.isReached ? [this.#abort] : null;
  }

  /** The edge ends the stream. Returns the ABORT if it can leave now. */
  end(abort: Abort, nowMs: number): Frame[] {
    const frame = abortFrame(this.#id, abort);
    if (this.#reach.isReached) return [frame];
    this.#abort = frame;
    this.#reach.away();
    this.#reach.startGrace(nowMs);
    return [];
  }

  /**
   * There is a new socket to the Box. Returns the frame for it, which is the last one unless GONE
   * follows.
   */
  attached(nowMs: number): Frame[] {
    if (this.#abort === null) return [];
    this.#reach.restartGrace(nowMs, ABORT_WAITS_MS);
    return [this.#abort];
  }

  /** Takes a frame of the Box. Returns the last frame of the stream once the agent is back. */
  received({ type }: Frame, nowMs: number): Frame | null {
    if (this.#abort !== null && type === FrameType.gone) this.#reach.restartGrace(nowMs);
    return type === FrameType.back ? this.#abort : null;
  }
}

/**
 * A caller's request on its way to the box: OPEN, body and END as numbered frames, at most as many
 * as the box has room for. Pure.
 */
import { type Frame, FrameType, jsonBytes } from "../../../protocol/frames.ts";
import { DATA_BYTES_MAX, EARLY_STATUS, WINDOW_BYTES } from "../../../protocol/limits.ts";
import type { Open } from "../../../protocol/messages.ts";
import type { StreamEnd } from "../../../protocol/stream-end.ts";

/** Most bytes that are sent and not acknowledged: the last frame may pass the window. */
const KEPT_BYTES_MAX = WINDOW_BYTES + DATA_BYTES_MAX;

export class RequestFrames {
  readonly #end: StreamEnd;
  #chunk: Uint8Array | null;
  readonly #isWhole: boolean;
  #hasMore: boolean;
  #isReading = false;
  #isReadDue = false;
  #isSent = false;
  #open: Open | null = null;

  /**
   * @param body  the whole body; null without a body; "streamed" if it arrives through {@link add}
   */
  constructor(end: StreamEnd, body: Uint8Array | "streamed" | null) {
    this.#end = end;
    this.#isWhole = body !== "streamed";
    this.#hasMore = body === "streamed";
    this.#chunk = body === "streamed" || body?.length === 0 ? null : body;
  }

  /** True once the whole body was framed. */
  get isSent(): boolean {
    return this.#isSent;
  }

  open(open: Open): Frame[] {
    this.#open = open;
    return [this.#end.frame(FrameType.open, jsonBytes(open)), ...this.next()];
  }

  /**
   * Returns the frames that a RESUME requests, and those that there is room for. An agent that requests
   * OPEN has lost what it knew: if the answer began early, it learns that, and records the status.
   */
  again(resume: Frame, begunStatus: number | null): Frame[] {
    const missing = this.#end
      .missing(resume)
      .map((frame) =>
        frame.type === FrameType.open && begunStatus === EARLY_STATUS
          ? { ...frame, payload: jsonBytes({ ...this.#open, answer_begun: true }) }
          : frame,
      );
    return [...missing, ...this.next()];
  }

  /** Takes more of the body, which nobody may change afterwards; null at its end. */
  add(chunk: Uint8Array | null): Frame[] {
    this.#isReading = false;
    if (chunk === null) this.#hasMore = false;
    else if (chunk.length > 0) this.#chunk = chunk;
    return this.next();
  }

  /** Returns whether to read more of the body, once for each read: {@link add} follows. */
  takeReadRequest(): boolean {
    const isDue = this.#isReadDue;
    this.#isReadDue = false;
    return isDue;
  }

  /**
   * Frames as much of the body as there is room for, and its end. One chunk is read ahead, so that an
   * ACK does not wait for the caller.
   */
  next(): Frame[] {
    const frames: Frame[] = [];
    while (!this.#isSent && this.#end.room > 0 && !this.#isWaiting) {
      if (this.#chunk !== null) {
        const part = this.#chunk.subarray(0, DATA_BYTES_MAX);
        // The last parts may wait for their ACK after the memory of the body was given back.
        const outlives = this.#isWhole && this.#chunk.length <= KEPT_BYTES_MAX;
        frames.push(this.#end.frame(FrameType.data, outlives ? part.slice() : part));
        const rest = this.#chunk.subarray(DATA_BYTES_MAX);
        this.#chunk = rest.length > 0 ? rest : null;
      } else {
        this.#isSent = true;
        frames.push(this.#end.frame(FrameType.end));
      }
    }
    if (this.#isWaiting && !this.#isReading) {
      this.#isReadDue = true;
      this.#isReading = true;
    }
    return frames;
  }

  /** True while the next chunk is missing. */
  get #isWaiting(): boolean {
    return this.#chunk === null && this.#hasMore;
  }
}

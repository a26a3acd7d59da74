/**
 * A caller's request on its way to the box: OPEN, body and END as numbered frames, at most as many
 * as the box has room for. Pure.
 */
import { type Frame, FrameType, jsonBytes } from "../../../protocol/frames.ts";
import { DATA_BYTES_MAX } from "../../../protocol/limits.ts";
import type { Open } from "../../../protocol/messages.ts";
import type { StreamEnd } from "../../../protocol/stream-end.ts";

export class RequestFrames {
  readonly #end: StreamEnd;
  #chunk: Uint8Array | null;
  #hasMore: boolean;
  #isReading = false;
  #isReadDue = false;
  #isSent = false;

  /**
   * @param body  the whole body; null without a body; "streamed" if it arrives through {@link add}
   */
  constructor(end: StreamEnd, body: Uint8Array | "streamed" | null) {
    this.#end = end;
    this.#hasMore = body === "streamed";
    this.#chunk = body === "streamed" ? null : body;
  }

  /** True once the whole body was framed. */
  get isSent(): boolean {
    return this.#isSent;
  }

  open(open: Open): Frame[] {
    return [this.#end.frame(FrameType.open, jsonBytes(open)), ...this.next()];
  }

  /** Takes more of the body; null at its end. */
  add(chunk: Uint8Array | null): Frame[] {
    this.#isReading = false;
    if (chunk === null) this.#hasMore = false;
    else this.#chunk = chunk;
    return this.next();
  }

  /** Returns whether to read more of the body, once for each read: {@link add} follows. */
  takeReadRequest(): boolean {
    const isDue = this.#isReadDue;
    this.#isReadDue = false;
    return isDue;
  }

  /** Frames as much of the body as there is room for, and its end. */
  next(): Frame[] {
    const frames: Frame[] = [];
    while (!this.#isSent && this.#end.room > 0) {
      if (this.#chunk !== null && this.#chunk.length > 0) {
        // A copy: a view that waits for its ACK would keep the whole body.
        frames.push(this.#end.frame(FrameType.data, this.#chunk.slice(0, DATA_BYTES_MAX)));
        this.#chunk = this.#chunk.subarray(DATA_BYTES_MAX);
      } else if (this.#hasMore) {
        this.#isReadDue ||= !this.#isReading;
        this.#isReading = true;
        break;
      } else {
        this.#isSent = true;
        this.#chunk = null;
        frames.push(this.#end.frame(FrameType.end));
      }
    }
    return frames;
  }
}

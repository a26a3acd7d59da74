/**
 * A caller's request on its way to the box: OPEN, body and END as numbered frames, no more of them than
 * the box has room for, and kept until it has taken them. Pure.
 */
import { Sender } from "../../../protocol/flow.ts";
import { type Frame, FrameType, jsonBytes, type StreamId } from "../../../protocol/frames.ts";
import { DATA_BYTES_MAX } from "../../../protocol/limits.ts";
import type { Open } from "../../../protocol/messages.ts";

export class RequestFrames {
  readonly #sender: Sender;
  #chunk: Uint8Array | null;
  #hasMore: boolean;
  #isReading = false;
  #asksForMore = false;
  #isSent = false;

  /** @param body  whole; null when there is none; "streamed" when it comes through {@link add} */
  constructor(id: StreamId, body: Uint8Array | "streamed" | null) {
    this.#sender = new Sender(id);
    this.#hasMore = body === "streamed";
    this.#chunk = body === "streamed" ? null : body;
  }

  /** Bytes that were sent and not acknowledged. */
  get keptBytes(): number {
    return this.#sender.keptBytes;
  }

  open(open: Open): Frame[] {
    return [this.#sender.frame(FrameType.open, jsonBytes(open)), ...this.#next()];
  }

  /** More of the body; null when it ends. */
  add(chunk: Uint8Array | null): Frame[] {
    this.#isReading = false;
    if (chunk === null) this.#hasMore = false;
    else this.#chunk = chunk;
    return this.#next();
  }

  /** The box took all frames before this number. @throws {FrameError} when it was never sent */
  acknowledged(next: number): Frame[] {
    return this.#sender.acknowledge(next) ? this.#next() : [];
  }

  /** What a box that expects this number lacks; null when that was let go, as an agent that is gone had taken it. */
  since(next: number): Frame[] | null {
    return next < this.#sender.first ? null : [...this.#sender.since(next), ...this.#next()];
  }

  /** Whether to read on, which is told once: {@link add} follows. */
  takeAsk(): boolean {
    const asks = this.#asksForMore;
    this.#asksForMore = false;
    return asks;
  }

  /** As much of the body as there is room for, and its end. */
  #next(): Frame[] {
    const frames: Frame[] = [];
    while (!this.#isSent && this.#sender.room > 0) {
      if (this.#chunk !== null && this.#chunk.length > 0) {
        frames.push(this.#sender.frame(FrameType.data, this.#chunk.subarray(0, DATA_BYTES_MAX)));
        this.#chunk = this.#chunk.subarray(DATA_BYTES_MAX);
      } else if (this.#hasMore) {
        this.#asksForMore ||= !this.#isReading;
        this.#isReading = true;
        break;
      } else {
        this.#isSent = true;
        frames.push(this.#sender.frame(FrameType.end));
      }
    }
    return frames;
  }
}

/**
 * One direction of a stream: numbering, credit and acknowledgement in one mechanism.
 *
 * The sender numbers its frames and keeps each one until it is acknowledged; the kept bytes may not
 * exceed the window. The receiver acknowledges a frame when its bytes were *consumed* (written to
 * the caller, or to Ollama), not when they arrived. So the window is at once the memory bound, the
 * backpressure, and the store from which a resume is served. `stream-end.ts` pairs the two
 * directions.
 *
 * Pure: no sockets, no clock.
 */
import { type Frame, FrameError, FrameType, NO_PAYLOAD, SEQ_MAX, type StreamId } from "./frames.ts";
import { ACK_EVERY_BYTES, DATA_BYTES_MAX, WINDOW_BYTES } from "./limits.ts";

export class Sender {
  readonly #stream: StreamId;
  readonly #window: number;
  #kept: Frame[] = [];
  #keptBytes = 0;
  #next = 0;

  constructor(stream: StreamId, windowBytes = WINDOW_BYTES) {
    this.#stream = stream;
    this.#window = windowBytes;
  }

  /**
   * Bytes that may be sent now. Negative after a frame that passed the window: frames are never
   * split to fit.
   */
  get room(): number {
    return this.#window - this.#keptBytes;
  }

  /** Bytes sent and not yet acknowledged. */
  get keptBytes(): number {
    return this.#keptBytes;
  }

  /** Number of the oldest kept frame. Earlier frames were consumed and cannot be sent again. */
  get first(): number {
    return this.#next - this.#kept.length;
  }

  /** True when every frame sent was acknowledged. */
  get isSettled(): boolean {
    return this.#kept.length === 0;
  }

  /**
   * Numbers a frame and keeps it. The caller checks {@link room} first and never changes the
   * payload afterwards.
   */
  frame(type: FrameType, payload: Uint8Array = NO_PAYLOAD): Frame {
    if (this.#next > SEQ_MAX) throw new FrameError("a stream may have at most 2^32 frames");
    const frame: Frame = { type, stream: this.#stream, seq: this.#next++, payload };
    this.#kept.push(frame);
    this.#keptBytes += payload.length;
    return frame;
  }

  /**
   * Forgets every frame before `next`: the other end has consumed them.
   * @returns whether that made room
   * @throws {FrameError} if such a frame was never sent
   */
  acknowledge(next: number): boolean {
    this.#check(next);
    let count = 0;
    for (const frame of this.#kept) {
      if (frame.seq >= next) break;
      this.#keptBytes -= frame.payload.length;
      count++;
    }
    if (count > 0) this.#kept.splice(0, count);
    return count > 0;
  }

  /**
   * Returns the frames to send again to an end that expects `next`. Makes no room: received is not
   * consumed, and otherwise every cut would grant a receiver new credit.
   * @throws {FrameError} if frame `next` was consumed, or lies beyond the frames that were sent
   */
  since(next: number): Frame[] {
    this.#check(next);
    // An end that has forgotten what it consumed would wait for it forever.
    if (next < this.first)
      throw new FrameError(`frame ${next} requested again after it was acknowledged`);
    return this.#kept.filter((frame) => frame.seq >= next);
  }

  #check(next: number): void {
    if (next > this.#next)
      throw new FrameError(`frame ${next} expected, but only ${this.#next} were sent`);
  }
}

export class Receiver {
  #next = 0;
  #requested = -1;
  #consumed = 0;
  #heldBytes = 0;
  #unacknowledgedBytes = 0;

  /** Number of the first frame that has not arrived yet. */
  get next(): number {
    return this.#next;
  }

  /** The number to acknowledge: every frame before it was consumed. */
  get consumed(): number {
    return this.#consumed;
  }

  /**
   * Sorts an arriving frame. `new`: deliver it. `gap`: drop it and request a resume. `drop`: it has
   * arrived before, or its resume is already under way.
   * @throws {FrameError} if the sender exceeds its window: memory is bounded on this side too
   */
  accept(frame: Frame): "new" | "gap" | "drop" {
    if (frame.seq < this.#next) return "drop";
    if (frame.seq > this.#next) {
      const isRequested = this.#requested === this.#next;
      this.#requested = this.#next;
      return isRequested ? "drop" : "gap";
    }
    if (frame.type === FrameType.data) {
      // A sender may pass its window by less than one frame.
      const heldBytes = this.#heldBytes + frame.payload.length;
      if (heldBytes > WINDOW_BYTES + DATA_BYTES_MAX)
        throw new FrameError("more bytes than the window allows");
      this.#heldBytes = heldBytes;
    }
    this.#next++;
    return "new";
  }

  /**
   * Notes that every frame before `next` was consumed, with `bytes` of data since the last call.
   * @returns whether an acknowledgement is due now
   */
  consume(next: number, bytes: number): boolean {
    this.#consumed = Math.max(this.#consumed, next);
    this.#heldBytes -= bytes;
    this.#unacknowledgedBytes += bytes;
    if (this.#unacknowledgedBytes < ACK_EVERY_BYTES) return false;
    this.#unacknowledgedBytes = 0;
    return true;
  }
}

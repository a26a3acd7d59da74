/**
 * One direction of a stream: numbering, credit, acknowledgement and resume in one mechanism.
 *
 * The sender numbers its frames and keeps each until it is acknowledged; what it keeps may not
 * exceed the window. The receiver acknowledges a frame when its bytes were *consumed* (written to
 * the caller, or to Ollama), not when they arrived. So the window is at once the memory bound,
 * the backpressure, and the store a resume is served from.
 *
 * Pure: no socket, no clock. Both programs use both classes.
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

  /** Bytes that may be sent now. May be negative: a frame is never split to fit. */
  get room(): number {
    return this.#window - this.#keptBytes;
  }

  /** Bytes that were sent and are not acknowledged. */
  get keptBytes(): number {
    return this.#keptBytes;
  }

  /** Number of the oldest frame that is kept: those before it were consumed, and cannot be sent again. */
  get first(): number {
    return this.#next - this.#kept.length;
  }

  /** Everything sent was acknowledged. */
  get isSettled(): boolean {
    return this.#kept.length === 0;
  }

  /** Numbers a frame and keeps it. The caller checks {@link room} before, and does not change the payload after. */
  frame(type: FrameType, payload: Uint8Array = NO_PAYLOAD): Frame {
    if (this.#next > SEQ_MAX) throw new FrameError("a stream of more than 2^32 frames");
    const frame: Frame = { type, stream: this.#stream, seq: this.#next++, payload };
    this.#kept.push(frame);
    this.#keptBytes += payload.length;
    return frame;
  }

  /**
   * The other end has consumed every frame before `next`.
   * @returns whether that freed anything.
   * @throws {FrameError} when it acknowledges what was never sent.
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
   * What to send again to an end that expects `next`. Frees nothing: received is not consumed,
   * and a receiver that is cut often would otherwise be given credit each time.
   */
  since(next: number): Frame[] {
    this.#check(next);
    // An end that forgot what it had consumed would wait for it for ever.
    if (next < this.first)
      throw new FrameError(`frame ${next} expected again, though it was consumed`);
    return this.#kept.filter((frame) => frame.seq >= next);
  }

  #check(next: number): void {
    if (next > this.#next)
      throw new FrameError(`frame ${next} expected, but only ${this.#next} were sent`);
  }
}

export class Receiver {
  #next = 0;
  #askedFor = -1;
  #consumed = 0;
  #heldBytes = 0;
  #unacknowledgedBytes = 0;

  /** The number of the frame this end has not seen yet. */
  get next(): number {
    return this.#next;
  }

  /** The number to acknowledge: every frame before it was consumed. */
  get consumed(): number {
    return this.#consumed;
  }

  /**
   * `new`: deliver it. `gap`: drop it and ask for a resume. `drop`: it was seen, or was asked for already.
   * @throws {FrameError} when the sender sends more than its window: memory is bounded on this side too.
   */
  accept(frame: Frame): "new" | "gap" | "drop" {
    if (frame.seq < this.#next) return "drop";
    if (frame.seq > this.#next) {
      const isAsked = this.#askedFor === this.#next;
      this.#askedFor = this.#next;
      return isAsked ? "drop" : "gap";
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
   * Notes that every frame before `next` was consumed, with `bytes` of data since the last time.
   * @returns whether an acknowledgement is due now.
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

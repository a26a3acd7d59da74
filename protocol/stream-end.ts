/**
 * One end of a stream: a sender, a receiver, and the rules by which the two resume.
 *
 * Both programs hold one for each of their streams, so that a rule of the wire is written once:
 *
 * - A frame beyond the expected one is dropped and answered with RESUME, once for each gap.
 * - RESUME follows an ACK of what was consumed, if anything was. A lost ACK is not repeated by itself,
 *   and the other end may be waiting for room.
 * - RESUME is answered with the frames from that number on. It makes no room: received is not consumed.
 * - Frames that were acknowledged cannot be sent again, so an end that requests one has lost its state.
 *
 * Pure: no sockets, no clock. Returns the frames to send.
 */
import { Receiver, Sender } from "./flow.ts";
import { type Frame, FrameType, type StreamId, streamFrame } from "./frames.ts";

export class StreamEnd {
  readonly #id: StreamId;
  readonly #sender: Sender;
  readonly #receiver = new Receiver();

  constructor(id: StreamId) {
    this.#id = id;
    this.#sender = new Sender(id);
  }

  /** Bytes that may be sent now. */
  get room(): number {
    return this.#sender.room;
  }

  /** Bytes sent and not yet acknowledged. */
  get keptBytes(): number {
    return this.#sender.keptBytes;
  }

  /** True when every frame sent was acknowledged. */
  get isSettled(): boolean {
    return this.#sender.isSettled;
  }

  /**
   * Numbers a frame and keeps it until it is acknowledged. The caller never changes the payload
   * afterwards.
   */
  frame(type: FrameType, payload?: Uint8Array): Frame {
    return this.#sender.frame(type, payload);
  }

  /**
   * Takes an ACK.
   * @returns whether that made room
   * @throws {FrameError} if such a frame was never sent
   */
  acknowledged({ seq }: Frame): boolean {
    return this.#sender.acknowledge(seq);
  }

  /** True if a RESUME requests frames that were acknowledged: the program that had them is gone. */
  isForgotten({ seq }: Frame): boolean {
    return seq < this.#sender.first;
  }

  /** Returns the frames that a RESUME requests. @throws {FrameError} if there are no such frames */
  missing({ seq }: Frame): Frame[] {
    return this.#sender.since(seq);
  }

  /**
   * Takes a numbered frame.
   * @returns whether to deliver it, and the frames that answer it
   * @throws {FrameError} if the other end exceeds its window
   */
  accept(frame: Frame): { isNew: boolean; replies: Frame[] } {
    const verdict = this.#receiver.accept(frame);
    return { isNew: verdict === "new", replies: verdict === "gap" ? this.requestResume() : [] };
  }

  /**
   * Notes that every frame before `next` was consumed, with `bytes` of data since the last call.
   * @returns the ACK, if one is due
   */
  consume(next: number, bytes: number): Frame[] {
    return this.#receiver.consume(next, bytes) ? [this.acknowledge()] : [];
  }

  /** Returns an ACK of what was consumed. Valid at any time, harmless twice. */
  acknowledge(): Frame {
    return streamFrame(FrameType.ack, this.#id, this.#receiver.consumed);
  }

  /** Returns the frames that request everything that did not arrive. */
  requestResume(): Frame[] {
    const resume = streamFrame(FrameType.resume, this.#id, this.#receiver.next);
    return this.#receiver.consumed > 0 ? [this.acknowledge(), resume] : [resume];
  }
}

/**
 * The caller's answer: HEAD, DATA and END of the box become a status, headers and writes at the
 * caller's pace. Pure.
 *
 * An answer is given whole, streamed, or held back until it is complete. Once begun, it can only
 * fail with an error in its own format.
 */
import { passedHeaders } from "../../../protocol/answer-headers.ts";
import { endingOf, isHeldBack } from "../../../protocol/ending.ts";
import { type Frame, FrameError, FrameType, parsePayload } from "../../../protocol/frames.ts";
import { Head, type Open } from "../../../protocol/messages.ts";
import { type FailureReason, wireErrorOf } from "../../errors.ts";
import type { AnswerActions } from "./actions.ts";
import { concat } from "./bytes.ts";

/** Statuses whose answers have no body (RFC 9110). */
const NULL_BODY = new Set([204, 205, 304]);

export class AnswerWriter {
  readonly #id: string;
  readonly #open: Open;
  #head: Head | null = null;
  #queue: Uint8Array[] = [];
  #queuedNext = 0;
  #written: { next: number; bytes: number } | null = null;
  #isStreaming = false;
  #isFinishing = false;
  #hasEnded = false;
  #isAtLineStart = true;

  constructor(id: string, open: Open) {
    this.#id = id;
    this.#open = open;
  }

  /** True once the caller has a status and headers, and its body follows in writes. */
  get isStreaming(): boolean {
    return this.#isStreaming;
  }

  /** Status of the streamed answer; null if it has not begun. */
  get begunStatus(): number | null {
    return this.#isStreaming ? (this.#head?.status ?? null) : null;
  }

  /** Number of the frame after the last one taken. */
  get next(): number {
    return this.#queuedNext;
  }

  /** Bytes that the caller has not taken yet. */
  get keptBytes(): number {
    return this.#queuedBytes + (this.#written?.bytes ?? 0);
  }

  /** Takes the next numbered frame of the box. @throws {FrameError} if it cannot come now */
  take(frame: Frame): void {
    if (frame.type === FrameType.head) this.#head = parsePayload(Head, frame.payload);
    else if (this.#head === null) throw new FrameError("an answer without a HEAD");
    else if (frame.type === FrameType.data) this.#queue.push(frame.payload);
    else this.#hasEnded = true;
    this.#queuedNext = frame.seq + 1;
  }

  /**
   * Begins the answer once there is enough of it. An answer that is here whole needs no stream.
   * @returns whether that is the complete answer
   */
  begin(acts: AnswerActions): boolean {
    if (this.#head === null || this.#isStreaming) return false;
    const { status, headers: sent } = this.#head;
    const headers = passedHeaders(sent);
    const length = headers.find(([name]) => name === "content-length")?.[1];
    const others = headers.filter(([name]) => name !== "content-length");
    if (this.#open.method === "HEAD" || NULL_BODY.has(status)) {
      if (!this.#hasEnded) return false;
      const kept = length === undefined ? others : headers;
      acts.answer = { kind: "whole", status, headers: kept, body: null };
      return true;
    }
    if (this.#hasEnded) {
      acts.answer = { kind: "whole", status, headers: others, body: concat(this.#queue) };
      this.#queue = [];
      return true;
    }
    if (isHeldBack(this.#open.stream, sent, this.#queuedBytes)) return false;
    this.#isStreaming = true;
    acts.answer = {
      kind: "streamed",
      status,
      headers: others,
      length: length === undefined ? null : Number(length),
    };
    return false;
  }

  /**
   * Writes what is queued, one write at a time, and ends the answer when the caller took all of it.
   * @param failure  ends the answer after its last bytes
   * @returns whether the answer broke off, which needs no confirmation by the caller
   */
  proceed(acts: AnswerActions, failure: FailureReason | null): boolean {
    if (!this.#isStreaming || this.#written !== null || this.#isFinishing) return false;
    if (this.#queue.length > 0) {
      const bytes = concat(this.#queue);
      this.#queue = [];
      this.#isAtLineStart = bytes.at(-1) === 0x0a;
      this.#written = { next: this.#queuedNext, bytes: bytes.length };
      acts.write = bytes;
    } else if (this.#hasEnded) {
      this.#isFinishing = true;
      acts.finish = "close";
    } else if (failure !== null) return this.#breakOff(acts, failure);
    return false;
  }

  /**
   * The caller took the last write.
   * @returns the frames and bytes in it; null if nothing was written
   */
  wrote(): { next: number; bytes: number } | null {
    const written = this.#written;
    this.#written = null;
    return written;
  }

  /** The caller left. */
  abandon(acts: AnswerActions): void {
    if (this.#isStreaming) acts.finish = "abandon";
    else acts.answer = { kind: "abandoned" };
  }

  /**
   * Ends an answer that had begun with an error in its own format, or breaks it if that has no room
   * for one.
   */
  #breakOff(acts: AnswerActions, failure: FailureReason): boolean {
    const type = this.#head?.headers.find(([name]) => name === "content-type")?.[1] ?? "";
    const error = wireErrorOf(failure);
    acts.write = endingOf(type, this.#open.api, error, this.#id, this.#isAtLineStart);
    this.#isFinishing = true;
    acts.finish = acts.write === null ? "break" : "close";
    return acts.write === null;
  }

  get #queuedBytes(): number {
    return this.#queue.reduce((sum, { length }) => sum + length, 0);
  }
}

/**
 * The caller's answer: HEAD, DATA and END of the box become a status, headers and writes at the
 * caller's pace. Pure.
 *
 * An answer is given whole, streamed, or held back until it is complete. A streamed one may begin
 * before Ollama's, see `early-answer.ts`, and then goes on with that of the box, unless that is no stream. Once
 * the box's has begun, it can only fail with an error in its own format.
 */
import { passedHeaders } from "../../../protocol/answer-headers.ts";
import { endingOf, HELD_BYTES_MAX, isFailing, isHeldBack } from "../../../protocol/ending.ts";
import { type Frame, FrameError, FrameType, parsePayload } from "../../../protocol/frames.ts";
import { EARLY_STATUS } from "../../../protocol/limits.ts";
import { Head, type Headers, type Open, type WaitReport } from "../../../protocol/messages.ts";
import { type FailureReason, wireErrorOf } from "../../errors.ts";
import type { AnswerActions } from "./actions.ts";
import { concat } from "./bytes.ts";
import { EarlyAnswer, mayBeginEarly } from "./early-answer.ts";

/** Statuses whose answers have no body (RFC 9110). */
const NULL_BODY = new Set([204, 205, 304]);

export class AnswerWriter {
  readonly #id: string;
  readonly #open: Open;
  #head: Head | null = null;
  /** Null if the answer begins with Ollama's. */
  #early: EarlyAnswer | null = null;
  /** The box's answer goes on in one that began early. */
  #isContinued = false;
  #queue: Uint8Array[] = [];
  #queuedNext = 0;
  #written: { next: number; bytes: number } | null = null;
  /** The caller has a status and headers, and its body follows in writes. */
  #isStreaming = false;
  /** The box's answer does. */
  #hasBegun = false;
  #isFinishing = false;
  #hasEnded = false;
  #isAtLineStart = true;

  /** @param early  the caller's answer, if it has begun already; null if it has not */
  constructor(id: string, open: Open, early: EarlyAnswer | null) {
    this.#id = id;
    this.#open = open;
    this.#early = early;
    this.#isStreaming = early !== null;
  }

  /** Status of the streamed answer; null if it has not begun. */
  get begunStatus(): number | null {
    if (!this.#isStreaming) return null;
    return this.#early === null ? (this.#head?.status ?? null) : EARLY_STATUS;
  }

  /** True once the box's answer follows in writes: the caller gets more than headers and signs of life. */
  get hasBoxAnswer(): boolean {
    return this.#isStreaming && (this.#early === null || this.#isContinued);
  }

  /** True if Ollama has answered with a failure. */
  get isFailing(): boolean {
    return this.#head !== null && isFailing(this.#head.status);
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
    if (frame.type === FrameType.head) {
      this.#head = parsePayload(Head, frame.payload);
      this.#isContinued = this.#early?.goesOn(this.#head) === true;
    } else if (this.#head === null) throw new FrameError("an answer without a HEAD");
    else if (frame.type === FrameType.data) this.#queue.push(frame.payload);
    else this.#hasEnded = true;
    this.#queuedNext = frame.seq + 1;
    const isHeld = this.#early !== null && !this.#isContinued;
    if (isHeld && this.#queuedBytes > HELD_BYTES_MAX)
      throw new FrameError("an error of that length");
  }

  /** The request waits. The answer begins, unless its format has no room for a later error. */
  waits(report: WaitReport, nowMs: number, acts: AnswerActions): void {
    if (this.#head !== null || !mayBeginEarly(this.#open)) return;
    if (this.#early !== null) return this.#early.waits(report, nowMs);
    this.#early = new EarlyAnswer(this.#id, this.#open, report, nowMs);
    this.#isStreaming = true;
    acts.early = this.#early;
  }

  /** Returns the earlier of two times: this one, and when {@link keepAlive} is due, unix ms. */
  soonest(atMs: number | null): number | null {
    if (this.#early === null || this.#head !== null) return atMs;
    return Math.min(atMs ?? this.#early.dueMs, this.#early.dueMs);
  }

  /** Gives a caller who waits a sign of life, if one is due and the last one was taken. */
  keepAlive(acts: AnswerActions, nowMs: number): void {
    if (this.#early === null || this.#head !== null || this.#isFinishing) return;
    const bytes = this.#written === null ? this.#early.takeKeepalive(nowMs) : null;
    if (bytes === null) return;
    this.#written = { next: 0, bytes: 0 };
    acts.write = bytes;
  }

  /**
   * Begins the answer once there is enough of it. An answer that is here whole needs no stream.
   * @returns whether that is the complete answer
   */
  begin(acts: AnswerActions): boolean {
    if (this.#head === null || this.#hasBegun) return false;
    if (this.#isContinued) {
      this.#hasBegun = true;
      acts.answer = { kind: "continued" };
      return false;
    }
    const { status, headers: sent } = this.#head;
    const headers = [...passedHeaders(sent), ...queueHeaders(this.#head)];
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
    if (this.#early !== null || isHeldBack(this.#open, this.#head, this.#queuedBytes)) return false;
    this.#isStreaming = true;
    this.#hasBegun = true;
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
    if (!this.hasBoxAnswer || this.#written !== null || this.#isFinishing) return false;
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
    if (!this.hasBoxAnswer) acts.answer = { kind: "abandoned" };
  }

  /**
   * Ends an answer that had begun with an error in its own format, or breaks it if that has no room
   * for one.
   */
  #breakOff(acts: AnswerActions, failure: FailureReason): boolean {
    const type =
      this.#early?.type ?? this.#head?.headers.find(([name]) => name === "content-type")?.[1] ?? "";
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

/** The wait of a request that Ollama answers by now. */
const queueHeaders = ({ queue }: Head): Headers =>
  queue === undefined
    ? []
    : [
        ["x-queue-position", String(queue.position)],
        ["x-queue-waited-ms", String(Math.round(queue.waited_ms))],
      ];

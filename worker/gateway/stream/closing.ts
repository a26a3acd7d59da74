/**
 * The close of one stream: it completes or fails, is over for its caller, and is done. Each happens
 * once, in this order. A stream that the edge has ended is done once its ABORT has left, and one that
 * failed on a box once it is decided if the call stays there. Pure.
 */
import type { Frame, StreamId } from "../../../protocol/frames.ts";
import { type Abort, abortFrame, type Open } from "../../../protocol/messages.ts";
import { type FailureReason, wireErrorOf } from "../../errors.ts";
import type { EdgeStreamActions } from "./actions.ts";
import { type Ended, endedBy, endedByCaller } from "./ended.ts";
import type { Reach } from "./reach.ts";
import { UnwantedStream } from "./unwanted.ts";

const STAYS = { code: "gave_up", message: "no other box gets the request", stays: true } as const;

export class StreamClosing {
  readonly #id: StreamId;
  readonly #reach: Reach;
  readonly #unwanted: UnwantedStream;
  #failure: FailureReason | null = null;
  #isForgotten = false;
  #isOver = false;
  #isDone = false;
  /** The agent keeps its record of a failure back, because the call may move. */
  readonly #isWithheld: boolean;
  /** No other box gets the call; null until that is decided. */
  #stays: boolean | null = null;
  /** The stream is over, and only that decision is missing. */
  #isUndecided = false;

  constructor(id: StreamId, { may_move, may_ask }: Open, reach: Reach) {
    this.#id = id;
    this.#isWithheld = may_move === true || may_ask === true;
    this.#reach = reach;
    this.#unwanted = new UnwantedStream(id, reach);
  }

  /** True while a caller waits for the agent. */
  get isWanted(): boolean {
    return this.#failure === null && !this.#isOver;
  }

  /** Why the answer fails; null if it does not. */
  get failure(): FailureReason | null {
    return this.#failure;
  }

  /** True once the caller has its answer, complete or not. */
  get isOver(): boolean {
    return this.#isOver;
  }

  get isDone(): boolean {
    return this.#isDone;
  }

  /** True while a stream that failed on its box waits for {@link settled}. */
  get isUndecided(): boolean {
    return this.#isUndecided;
  }

  /** The agent has lost all trace of the stream. */
  forgotten(): void {
    this.#isForgotten = true;
  }

  /**
   * @param notice  message for an agent that does not know of the failure yet; null if it does
   * @returns false if the stream had failed or was over before
   */
  fail(failure: FailureReason, notice: string | null, acts: EdgeStreamActions): boolean {
    if (!this.isWanted) return false;
    if (notice !== null)
      acts.frames.push(abortFrame(this.#id, { code: "gave_up", message: notice }));
    this.#failure = failure;
    if (!this.#unwanted.isWaiting) this.#reach.endGrace();
    return true;
  }

  /** The key of the caller has ended, for this reason. */
  keyEnded(failure: FailureReason, nowMs: number, acts: EdgeStreamActions): void {
    const { message } = wireErrorOf(failure);
    this.#abort({ code: "gave_up", failed_at: "gateway", message }, nowMs, acts);
  }

  /** The caller left. @param begunStatus  status that it has; null if its answer has not begun */
  callerGone(begunStatus: number | null, nowMs: number, acts: EdgeStreamActions): void {
    const { isReached } = this.#reach;
    this.#abort({ code: "caller_gone", message: "the caller left" }, nowMs, acts);
    this.#over(endedByCaller(begunStatus, isReached), acts);
  }

  /** The caller has the whole answer. @param isFailing  that is a failure of Ollama */
  complete(isFailing: boolean, acts: EdgeStreamActions): void {
    this.#over({ by: "agent" }, acts, isFailing);
  }

  /** The caller has as much of the answer as it gets. @param failure  the one that ended it */
  broken(failure: FailureReason, begunStatus: number | null, acts: EdgeStreamActions): void {
    const ended = endedBy(failure, begunStatus, this.#isForgotten);
    this.#over(ended, acts, ended.by === "agent");
  }

  /** @param stays  no other box gets the call, so the record of this one counts */
  settled(stays: boolean, acts: EdgeStreamActions): void {
    this.#stays = stays;
    if (this.#isUndecided) this.release(acts, ...(stays ? [abortFrame(this.#id, STAYS)] : []));
  }

  /** There is a new socket to the Box. */
  attached(nowMs: number, acts: EdgeStreamActions): void {
    acts.frames.push(...this.#unwanted.attached(nowMs));
  }

  /** Takes a frame of the Box that arrives after the stream was over. */
  received(frame: Frame, nowMs: number, acts: EdgeStreamActions): void {
    const last = this.#unwanted.received(frame, nowMs);
    if (last !== null) this.release(acts, last);
  }

  /** Nothing is left to do. @param last  the last frames of the stream */
  release(acts: EdgeStreamActions, ...last: Frame[]): void {
    acts.frames.push(...last);
    this.#isUndecided = false;
    this.#isDone = true;
    acts.isDone = true;
  }

  #abort(abort: Abort, nowMs: number, acts: EdgeStreamActions): void {
    acts.frames.push(...this.#unwanted.end(abort, nowMs));
  }

  /** @param hasFailed  the agent has measured a failure, for which another box may get the call */
  #over(ended: Ended, acts: EdgeStreamActions, hasFailed = false): void {
    this.#isOver = true;
    acts.ended = ended;
    const { last } = this.#unwanted;
    if (last === null) return;
    if (!hasFailed || !this.#isWithheld) return this.release(acts, ...last);
    this.#isUndecided = true;
    if (this.#stays !== null) this.settled(this.#stays, acts);
  }
}

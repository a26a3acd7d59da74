/**
 * The edge's end of one stream, without sockets or clocks: events go in, actions come out.
 *
 * Carries the stream across cuts: resumes in both directions, the grace period, redials and probes.
 * `answer.ts` is the part towards the caller, and `closing.ts` the end. `edge-stream.ts` is the shell;
 * the simulation is another one.
 */
import {
  decodeFrames,
  type Frame,
  FrameError,
  FrameType,
  parsePayload,
  typeName,
} from "../../../protocol/frames.ts";
import { Abort, WaitReport } from "../../../protocol/messages.ts";
import { StreamEnd } from "../../../protocol/stream-end.ts";
import { BROKEN_BODY, type FailureReason } from "../../errors.ts";
import { type EdgeStreamActions, noActions } from "./actions.ts";
import { AnswerWriter } from "./answer.ts";
import { StreamClosing } from "./closing.ts";
import { abortFailure } from "./ended.ts";
import type { EdgeFacts } from "./facts.ts";
import { KeyDeadline } from "./key-deadline.ts";
import type { Pulse } from "./pulse.ts";
import { Reach } from "./reach.ts";
import { RequestFrames } from "./request-frames.ts";

export class EdgeStreamCore {
  readonly #facts: EdgeFacts;
  readonly #reach: Reach;
  readonly #end: StreamEnd;
  readonly #request: RequestFrames;
  readonly #answer: AnswerWriter;
  readonly #key: KeyDeadline;
  readonly #closing: StreamClosing;
  #acts = noActions();

  /**
   * @param body    the whole body; null without a body; "streamed" if it arrives through {@link body}
   * @param pulse, random  see {@link Reach}
   */
  constructor(
    facts: EdgeFacts,
    body: Uint8Array | "streamed" | null,
    pulse: Pulse,
    random: () => number,
  ) {
    this.#facts = facts;
    this.#reach = new Reach(pulse, random, facts.yields === true);
    this.#end = new StreamEnd(facts.id);
    this.#request = new RequestFrames(this.#end, body);
    this.#answer = new AnswerWriter(facts.id, facts.open, facts.early ?? null);
    this.#key = new KeyDeadline(facts.keyEnd ?? null);
    this.#closing = new StreamClosing(facts.id, facts.open, this.#reach);
  }

  get isOver(): boolean {
    return this.#closing.isOver;
  }

  /** For tests. Bytes of the request not acknowledged, and of the answer not taken. */
  get observed(): { request: number; answer: number; hasBoxAnswer: boolean } {
    const { keptBytes: answer, hasBoxAnswer } = this.#answer;
    return { request: this.#end.keptBytes, answer, hasBoxAnswer };
  }

  /** When {@link tick} should be called next, if at all. An earlier call does nothing. */
  nextTickMs(nowMs: number): number | null {
    const { isWanted } = this.#closing;
    const checkMs = this.#reach.nextCheckMs(nowMs, isWanted);
    return isWanted ? this.#key.soonest(this.#answer.soonest(checkMs)) : checkMs;
  }

  /** Returns the first frames. Some may travel with the request that attaches the stream. */
  open(): Frame[] {
    return this.#request.open(this.#facts.open);
  }

  /** The Box took the stream. @param rest  the first frames that it has not passed on */
  begin(nowMs: number, rest: readonly Frame[]): EdgeStreamActions {
    this.#reach.begin(nowMs);
    this.#send(...rest);
    return this.#done();
  }

  /** A message from the Box, through the attached socket. */
  received(message: ArrayBuffer | Uint8Array, nowMs: number): EdgeStreamActions {
    try {
      for (const frame of decodeFrames(message)) {
        if (!this.isOver) this.#take(frame, nowMs);
        if (this.isOver) this.#closing.received(frame, nowMs, this.#acts);
      }
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      const message = `The box sent an invalid answer: ${error.message}`;
      this.#fail({ reason: "box_refused", message }, error.message);
    }
    if (!this.isOver && this.#answer.begin(this.#acts)) this.#complete();
    else if (!this.isOver) this.#proceed();
    return this.#done();
  }

  /** More of the request's body; null at its end. */
  body(chunk: Uint8Array | null): EdgeStreamActions {
    if (!this.isOver) this.#send(...this.#request.add(chunk));
    return this.#done();
  }

  /** The caller took the last write. */
  wrote(): EdgeStreamActions {
    const written = this.#answer.wrote();
    if (this.isOver || written === null) return this.#done();
    this.#send(...this.#end.consume(written.next, written.bytes));
    this.#proceed();
    return this.#done();
  }

  /** The caller took the close of its answer. */
  closed(): EdgeStreamActions {
    const { isOver, failure } = this.#closing;
    if (!isOver && failure === null) this.#complete();
    else if (!isOver && failure !== null) this.#brokenBy(failure);
    return this.#done();
  }

  /** The caller left, or broke off its upload. */
  callerGone(nowMs: number): EdgeStreamActions {
    if (this.isOver) return this.#done();
    this.#answer.abandon(this.#acts);
    this.#closing.callerGone(this.#answer.begunStatus, nowMs, this.#acts);
    return this.#done();
  }

  /** The key of the caller has ended. */
  keyEnded(failure: FailureReason, nowMs: number): EdgeStreamActions {
    if (this.#closing.isWanted) {
      this.#closing.keyEnded(failure, nowMs, this.#acts);
      this.#fail(failure);
    }
    return this.#done();
  }

  /**
   * The socket to the Box is lost: the Box was restarted or moved. Also instead of {@link begin}: then
   * the Box may have passed the first frames on.
   */
  lost(nowMs: number): EdgeStreamActions {
    if (this.#closing.isDone || !this.#reach.isAttached) return this.#done();
    this.#reach.isAttached = false;
    this.#awaitAgent(nowMs);
    return this.refused();
  }

  /** A redial failed. Dials again until the grace period ends. */
  refused(): EdgeStreamActions {
    if (!this.#closing.isDone) this.#acts.redialMs = this.#reach.redialMs();
    return this.#done();
  }

  /** The rest of the caller's body cannot be read. */
  bodyBroke(): EdgeStreamActions {
    this.#fail(BROKEN_BODY, "the body of the caller is malformed");
    return this.#done();
  }

  /** There is a new socket to the Box. */
  attached(nowMs: number): EdgeStreamActions {
    this.#reach.isAttached = true;
    this.#reach.back(); // If its agent is away, the Box sends GONE.
    if (!this.isOver) this.#send(...this.#end.requestResume());
    this.#closing.attached(nowMs, this.#acts);
    return this.#done();
  }

  /** It is decided if the call stays on this box. Any time, once for each stream that a Box took. */
  settled(stays: boolean): EdgeStreamActions {
    // The last ACK may be lost, and the agent ends the stream with it.
    if (stays && this.#closing.isUndecided) this.#send(this.#end.acknowledge());
    this.#closing.settled(stays, this.#acts);
    return this.#done();
  }

  /** Time has passed. */
  tick(nowMs: number): EdgeStreamActions {
    if (this.#closing.isDone) return this.#done();
    const { box } = this.#facts;
    const failure = this.#key.failureAt(nowMs);
    if (failure !== null && this.#closing.isWanted) return this.keyEnded(failure, nowMs);
    if (this.#reach.isGraceOver(nowMs) && this.isOver) this.#closing.release(this.#acts);
    else if (this.#reach.isGraceOver(nowMs))
      this.#fail(this.#reach.lossOf(box), `the edge gave up on box ${box}`);
    // A half-open link looks idle. Any message makes the Box check whether its agent is alive.
    else if (this.#closing.isWanted && this.#reach.takeProbe(nowMs))
      this.#send(this.#end.acknowledge());
    if (this.#closing.isWanted) this.#answer.keepAlive(this.#acts, nowMs);
    return this.#done();
  }

  #done(): EdgeStreamActions {
    const { isSent: isBodySent } = this.#request;
    const acts = { ...this.#acts, readsBody: this.#request.takeReadRequest(), isBodySent };
    this.#acts = noActions();
    return acts;
  }

  #take(frame: Frame, nowMs: number): void {
    const { id, box } = this.#facts;
    if (frame.stream !== id) throw new FrameError(`a frame of stream ${frame.stream}`);
    // All others are of the Box itself.
    if (frame.type < FrameType.gone) this.#reach.seen(frame, nowMs);
    switch (frame.type) {
      case FrameType.head:
      case FrameType.data:
      case FrameType.end: {
        const { isNew, replies } = this.#end.accept(frame);
        this.#send(...replies);
        if (isNew) this.#answer.take(frame);
        return;
      }
      case FrameType.ack:
        if (this.#end.acknowledged(frame)) this.#send(...this.#request.next());
        return;
      case FrameType.resume:
        if (!this.#end.isForgotten(frame))
          return this.#send(...this.#request.again(frame, this.#answer.begunStatus));
        this.#closing.forgotten();
        return this.#fail({ reason: "agent_restarted", box }, "part of the request was lost");
      case FrameType.waiting:
        return this.#answer.waits(parsePayload(WaitReport, frame.payload), nowMs, this.#acts);
      case FrameType.abort:
        return this.#fail(abortFailure(parsePayload(Abort, frame.payload), box));
      case FrameType.key:
        return this.#key.take(frame);
      case FrameType.gone:
        return this.#awaitAgent(nowMs, true);
      case FrameType.back:
        this.#reach.back();
        return this.#send(...this.#end.requestResume());
      default:
        throw new FrameError(`${typeName(frame.type)} on a stream`);
    }
  }

  #proceed(): void {
    const { failure } = this.#closing;
    if (this.#answer.proceed(this.#acts, failure) && failure !== null) this.#brokenBy(failure);
  }

  #complete(): void {
    this.#end.consume(this.#answer.next, 0);
    this.#send(this.#end.acknowledge());
    this.#closing.complete(this.#answer.isFailing, this.#acts);
  }

  /** @param notice  message for an agent that does not know of the failure yet; null if it does */
  #fail(failure: FailureReason, notice: string | null = null): void {
    if (!this.#closing.fail(failure, notice, this.#acts)) return;
    if (this.#answer.begin(this.#acts)) return this.#complete();
    if (this.#answer.hasBoxAnswer) return this.#proceed();
    this.#acts.answer = { kind: "failed", failure };
    this.#brokenBy(failure);
  }

  #awaitAgent(nowMs: number, isGone = false): void {
    this.#reach.away(isGone);
    if (this.#closing.failure === null) this.#reach.startGrace(nowMs);
  }

  #send(...frames: Frame[]): void {
    this.#acts.frames.push(...frames);
  }

  #brokenBy(failure: FailureReason): void {
    this.#closing.broken(failure, this.#answer.begunStatus, this.#acts);
  }
}

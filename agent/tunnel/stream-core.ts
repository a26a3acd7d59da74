/**
 * The box's end of one stream, without sockets or clocks: frames and Ollama's answer go in, actions
 * come out.
 *
 * Resumes in both directions, and decides when the stream is over and how. `request-body.ts` and
 * `answer-frames.ts` are its two halves. `stream.ts` is the shell that runs the actions.
 */
import type { AnswerKind } from "../../protocol/ending.ts";
import { sharedWireErrorOf } from "../../protocol/failures.ts";
import {
  type Frame,
  FrameError,
  FrameType,
  parsePayload,
  type StreamId,
  typeName,
} from "../../protocol/frames.ts";
import { EARLY_STATUS } from "../../protocol/limits.ts";
import {
  Abort,
  abortFrame,
  type Headers,
  type QueueWait,
  type WaitReport,
} from "../../protocol/messages.ts";
import type { FailedAt } from "../../protocol/records.ts";
import { StreamEnd } from "../../protocol/stream-end.ts";
import { AnswerFrames } from "./answer-frames.ts";
import { type RequestActions, RequestBody } from "./request-body.ts";
import type { WaitReports } from "./wait-reports.ts";

/** How the request is recorded. */
export type StreamOutcome =
  | { kind: "complete" }
  | { kind: "cancelled" }
  /** `httpStatus`: for a caller whose answer has not begun. */
  | { kind: "failed"; failedAt: FailedAt; message: string; httpStatus: number };

/** For an answer that has not begun, whose agent or edge does not come back: see `tunnel_lost`. */
const GATEWAY_TIMEOUT = 504;

/** Actions of the shell, in this order: frames, ready, the request's, flow, outcome. */
export type AgentStreamActions = RequestActions & {
  /** To leave at the end of this turn of the event loop. */
  frames: Frame[];
  /** There is something to `take`: now, or it may wait for more. */
  ready: "now" | "soon" | null;
  /** Pauses or resumes reading of Ollama's answer. */
  flow: "pause" | "resume" | null;
  /** The stream is over. Reported once. */
  outcome: StreamOutcome | null;
};

export class AgentStreamCore {
  readonly #id: StreamId;
  readonly #end: StreamEnd;
  readonly #body: RequestBody;
  readonly #answer: AnswerFrames;
  readonly #waits: WaitReports | null;
  #acts = noActions();
  #isOver = false;
  #detachedMs: number | null = null;
  #resumed = 0;

  /**
   * @param streamsBody  the body goes to Ollama as it arrives (blobs), instead of whole (JSON)
   * @param answer       a streamed answer comes bit by bit, so its bits may wait for each other
   * @param bodyBytes    the length of a whole body; null if it is unknown
   * @param waits        null if the edge takes no reports of a wait
   */
  constructor(
    id: StreamId,
    streamsBody: boolean,
    answer: AnswerKind,
    bodyBytes: number | null = null,
    waits: WaitReports | null = null,
  ) {
    this.#id = id;
    this.#end = new StreamEnd(id);
    this.#body = new RequestBody(this.#end, streamsBody, bodyBytes);
    this.#answer = new AnswerFrames(this.#end, answer);
    this.#waits = waits;
  }

  /** When the tunnel was lost, monotonic ms; null while the edge's end is attached. */
  get detachedMs(): number | null {
    return this.#detachedMs;
  }

  /** How often the tunnel was resumed. */
  get resumed(): number {
    return this.#resumed;
  }

  /** Bytes of the answer in this process: sent and not acknowledged, and not sent. */
  get keptBytes(): number {
    return this.#answer.keptBytes;
  }

  /** Ollama has answered with a failure. */
  get hasFailed(): boolean {
    return this.#answer.hasFailed;
  }

  /** The edge passes Ollama's answer on as it comes. */
  get isAnswerPassedOn(): boolean {
    return this.#answer.begunStatus !== null;
  }

  /** Status that the caller has received; null while its answer has not begun. */
  get begunStatus(): number | null {
    return this.earlyStatus ?? this.#answer.begunStatus;
  }

  /** Status that the caller has received before Ollama's; null if it has not. */
  get earlyStatus(): number | null {
    return this.#waits?.hasBegun === true ? EARLY_STATUS : null;
  }

  /**
   * Takes a frame of this stream: numbered, ACK, RESUME or ABORT, in order of arrival.
   * @throws {FrameError} if no edge may send it
   */
  received(frame: Frame): AgentStreamActions {
    if (!this.#isOver) this.#take(frame);
    return this.#done();
  }

  /** Ollama took the oldest part of the body that it was given. */
  bodyTaken(): AgentStreamActions {
    const acks = this.#body.taken();
    if (!this.#isOver) this.#acts.frames.push(...acks);
    return this.#done();
  }

  /** Returns whether to report the wait of the request now. */
  isReportDue(nowMs: number): boolean {
    const isOpen = !this.#isOver && this.#detachedMs === null && !this.#answer.hasHead;
    return isOpen && this.#waits?.isDue(nowMs) === true;
  }

  /** The request waits. Called only if {@link isReportDue}. */
  waiting(report: WaitReport, nowMs: number): AgentStreamActions {
    this.#acts.frames.push(...(this.#waits?.take(this.#id, report, nowMs) ?? []));
    return this.#done();
  }

  /** @param queue  the wait of the request before; null without one */
  answerHead(status: number, headers: Headers, queue: QueueWait | null = null): AgentStreamActions {
    this.#answer.head(status, headers, queue);
    // The first bytes follow at once, streamed or not.
    this.#acts.ready = "now";
    return this.#done();
  }

  answerData(chunk: Uint8Array): AgentStreamActions {
    this.#acts.ready = this.#answer.data(chunk);
    this.#acts.flow = this.#answer.takeFlow();
    return this.#done();
  }

  answerEnd(): AgentStreamActions {
    this.#answer.end();
    this.#acts.ready = "now";
    return this.#done();
  }

  /**
   * @param hadHead  the answer had begun
   * @param hangs    Ollama does not answer anybody
   */
  answerBroke(message: string, hadHead: boolean, hangs = false): AgentStreamActions {
    const code = hadHead ? "ollama_broke" : "ollama_unreachable";
    const { status } = sharedWireErrorOf({ reason: code, message });
    this.#abort({ code, message, no_answer: hangs || undefined }, "ollama", status);
    return this.#done();
  }

  /** Frames what is ready, as far as there is room; nothing while the tunnel is away. */
  take(): Frame[] {
    return this.#detachedMs !== null || this.#isOver ? [] : this.#answer.take();
  }

  /** The tunnel is lost. The local request goes on, up to the window. */
  detach(nowMs: number): void {
    this.#detachedMs ??= nowMs;
  }

  /** The edge, or this agent, will not come back for the stream. */
  giveUp(message: string): AgentStreamActions {
    // Everything was sent, and only the last ACK is missing. If the caller's answer ended
    // otherwise, the edge has recorded that.
    if (this.#answer.isEndSent) this.#over({ kind: "complete" });
    else this.#abort({ code: "lost", message }, "tunnel");
    return this.#done();
  }

  /** The edge sent a frame that it may not send. */
  refuse(message: string): AgentStreamActions {
    this.#abort({ code: "bad_request", message }, "gateway");
    return this.#done();
  }

  #done(): AgentStreamActions {
    const acts = this.#acts;
    this.#acts = noActions();
    return acts;
  }

  #take(frame: Frame): void {
    switch (frame.type) {
      case FrameType.open:
      case FrameType.data:
      case FrameType.end: {
        const { isNew, replies } = this.#end.accept(frame);
        this.#acts.frames.push(...replies);
        if (isNew) this.#acts.frames.push(...this.#body.take(frame, this.#acts));
        return;
      }
      case FrameType.ack:
        if (this.#end.acknowledged(frame)) this.#proceed();
        return;
      case FrameType.resume:
        return this.#resume(frame);
      case FrameType.abort:
        return this.#aborted(parsePayload(Abort, frame.payload));
      default:
        throw new FrameError(`${typeName(frame.type)} from the edge on a stream`);
    }
  }

  /** The edge consumed something: there is room, or this was the last ACK. */
  #proceed(): void {
    this.#acts.flow = this.#answer.takeFlow();
    if (this.#answer.isWaiting) this.#acts.ready = "now";
    else if (this.#answer.isEndSent && this.#end.isSettled) this.#over({ kind: "complete" });
  }

  #resume(frame: Frame): void {
    const missing = this.#end.missing(frame);
    this.#resumed++;
    this.#detachedMs = null;
    // The edge begins the answer by the report, so it comes before a HEAD.
    const report = this.#waits?.newest ?? null;
    const again = report !== null && frame.seq === 0 ? [report] : [];
    this.#acts.frames.push(...this.#end.requestResume(), ...again, ...missing);
    this.#acts.ready = "now";
  }

  #aborted({ code, message, presumed, failed_at: failedAt }: Abort): void {
    if (code !== "caller_gone") return this.#fail(failedAt ?? "tunnel", message);
    // Everything was sent, and the last ACK was lost with the edge's socket. If the caller did
    // leave, the edge has recorded that.
    const isComplete = presumed === true && this.#answer.isEndSent;
    this.#over({ kind: isComplete ? "complete" : "cancelled" });
  }

  #abort(abort: Abort, failedAt: FailedAt, httpStatus?: number): void {
    if (this.#isOver) return;
    // Bytes that Ollama did send go first; then the edge ends the caller's answer in its own
    // format.
    this.#acts.frames.push(...this.take(), abortFrame(this.#id, abort));
    this.#fail(failedAt, abort.message, httpStatus);
  }

  #fail(failedAt: FailedAt, message: string, httpStatus = GATEWAY_TIMEOUT): void {
    this.#over({ kind: "failed", failedAt, message, httpStatus });
  }

  #over(outcome: StreamOutcome): void {
    this.#isOver = true;
    this.#acts.outcome = outcome;
  }
}

const noActions = (): AgentStreamActions => ({
  frames: [],
  ready: null,
  localRequest: null,
  write: null,
  endsBody: false,
  flow: null,
  outcome: null,
});

/**
 * The box's end of one stream: takes the caller's request from the tunnel, passes it to Ollama, and
 * sends the answer back. The measured request measures its cost and records how it ended.
 *
 * A thin shell around {@link AgentStreamCore}, which decides everything. A cut of the tunnel
 * changes nothing here: the stream waits, detached, until the edge resumes it or the grace period
 * ends.
 */
import {
  errorBody,
  errorHeaders,
  sharedWireErrorOf,
  type WireError,
} from "../../protocol/failures.ts";
import { type Frame, FrameType, jsonBytes, type StreamId } from "../../protocol/frames.ts";
import type { OpenRequest } from "../../protocol/inventory.ts";
import { WITHHELD_LOST_MS, WITHHELD_MS, YIELD_MS } from "../../protocol/limits.ts";
import type { Open, WaitReport } from "../../protocol/messages.ts";
import type { Api } from "../../protocol/records.ts";
import { MeasuredRequest, type MeasuredRequestShell } from "../request/measured-request.ts";
import type { NotedRequest } from "../spool/lines.ts";
import type { Outgoing, Source } from "./outgoing.ts";
import { type AgentStreamActions, AgentStreamCore, type StreamOutcome } from "./stream-core.ts";
import { WaitReports } from "./wait-reports.ts";

export type StreamShell = MeasuredRequestShell & {
  outgoing: Outgoing;
  /** The latest round trip of the tunnel, ms; null if unknown. */
  tunnelMs: () => number | null;
  /**
   * Returns a function that reports whether the Box has everything that was sent before. Absent without
   * a tunnel that can be lost.
   */
  mark?(): () => boolean;
  records: {
    /** Keeps the record of a request that may have moved to another box for this long. */
    withhold(id: StreamId, ms: number): void;
    /** The request did not move: its record need not wait any more. */
    release(id: StreamId): void;
  };
  /** The stream is over, and its record is in the spool. */
  onOver(stream: AgentStream): void;
};

const ARRIVED = () => true;

export class AgentStream implements Source {
  readonly id: StreamId;
  /** The route pattern, e.g. `/api/chat`. */
  readonly endpoint: string;
  /** The model of the request; null if the endpoint has none. */
  readonly model: string | null;
  readonly #core: AgentStreamCore;
  readonly #request: MeasuredRequest;
  readonly #shell: StreamShell;
  readonly #api: Api;
  readonly #mayMove: boolean;
  /** The edge may give the request to another box after a failure. */
  readonly #isWithheld: boolean;
  #refusal: WireError | null = null;
  /** Reports whether the edge has the beginning of the answer; null before there is one. */
  #hasArrived: (() => boolean) | null = null;
  /** When the tunnel was last known to work before it was lost, monotonic ms. */
  #lostMs = 0;

  /** @param streamsBody  the body goes to Ollama as it arrives (blobs), instead of whole (JSON) */
  constructor(id: StreamId, open: Open, streamsBody: boolean, shell: StreamShell) {
    this.id = id;
    this.endpoint = open.endpoint;
    this.model = open.model;
    this.#api = open.api;
    this.#mayMove = open.may_move === true;
    this.#isWithheld = this.#mayMove || open.may_ask === true;
    const arrivedMs = shell.now();
    const waits =
      open.takes_waiting === true ? new WaitReports(arrivedMs, open.answer_begun) : null;
    this.#core = new AgentStreamCore(id, streamsBody, open, open.body_bytes, waits);
    this.#request = new MeasuredRequest(
      id,
      open,
      { atMs: arrivedMs, tunnelMs: shell.tunnelMs(), source: "edge" },
      shell,
    );
    this.#request.earlyStatus = this.#core.earlyStatus;
    this.#shell = shell;
  }

  /** The stream as readings list it. */
  get asOpen(): OpenRequest {
    return this.#request.asOpen;
  }

  /** True once Ollama has finished its answer. */
  get isAnswered(): boolean {
    return this.#request.isAnswered;
  }

  get progress(): NotedRequest {
    return this.#request.progress;
  }

  /** When the tunnel was lost, monotonic ms; null while the edge's end is attached. */
  get detachedMs(): number | null {
    return this.#core.detachedMs;
  }

  /** Bytes of the answer in this process. For tests. */
  get keptBytes(): number {
    return this.#core.keptBytes;
  }

  /**
   * Takes a frame of this stream, in order of arrival.
   * @throws {FrameError} if no edge may send it
   */
  receive(frame: Frame): void {
    this.#noteArrival(frame);
    const acts = this.#core.received(frame);
    if (this.#core.detachedMs === null) this.#request.regainCaller();
    this.#do(acts);
  }

  take(): Frame[] {
    return this.#core.take();
  }

  /** Returns whether to report the wait of the request now. */
  isReportDue(nowMs: number): boolean {
    return this.#request.isAccepted && this.#core.isReportDue(nowMs);
  }

  /** The request waits. Called only if {@link isReportDue}. */
  waiting(report: WaitReport, nowMs: number): void {
    this.#do(this.#core.waiting(report, nowMs));
    this.#request.earlyStatus = this.#core.earlyStatus;
  }

  /** The tunnel is lost. The local request goes on, up to the window. */
  detach(lastSeenMs: number): void {
    this.#lostMs = lastSeenMs;
    this.#core.detach(this.#shell.now());
    this.#request.loseCaller();
  }

  /**
   * The tunnel was lost, and the edge gives the request to another box. Not once the edge has the
   * beginning of the answer: then it waits for the rest. Nor once Ollama has finished: there is no work to
   * end, and an edge that has not moved the request yet can have the answer.
   */
  isYielding(nowMs: number): boolean {
    const isLost = this.detachedMs !== null && nowMs - this.#lostMs > YIELD_MS;
    return isLost && this.#mayMove && !this.isAnswered && this.#hasArrived?.() !== true;
  }

  /** Ends the stream: the edge, or this agent, will not come back for it. */
  giveUp(message: string): void {
    this.#do(this.#core.giveUp(message));
  }

  /** Ends the stream: the edge sent a frame that it may not send. */
  refuse(message: string): void {
    this.#do(this.#core.refuse(message));
  }

  /** Runs the actions of the core, in their order. */
  #do({ frames, ready, localRequest, write, endsBody, flow, outcome }: AgentStreamActions): void {
    if (frames.length > 0) this.#shell.outgoing.now(...frames);
    if (ready !== null) this.#shell.outgoing.mark(this, ready);
    if (localRequest !== null) this.#send(localRequest.body);
    if (write !== null) this.#write(write);
    if (endsBody) this.#request.end();
    if (flow === "pause") this.#request.pause();
    else if (flow === "resume") this.#request.resume();
    if (outcome !== null) this.#over(outcome);
  }

  #send(body: Uint8Array | null): void {
    this.#request.send(body, {
      onRefused: (refusal) => this.#refused(sharedWireErrorOf(refusal)),
      onHead: (status, headers) => {
        this.#begun();
        this.#do(this.#core.answerHead(status, headers, this.#request.wait));
      },
      onData: (chunk) => this.#do(this.#core.answerData(chunk)),
      onEnd: () => this.#do(this.#core.answerEnd()),
      onError: (message, hadHead, hangs) =>
        this.#do(this.#core.answerBroke(message, hadHead, hangs)),
    });
  }

  /** Answers in the shape of the called API. The edge passes it on like an answer of Ollama. */
  #refused(error: WireError): void {
    // The edge may have another box, or wait for this one.
    if (error.failedAt === "ollama") return this.#do(this.#core.answerBroke(error.message, false));
    this.#refusal = error;
    const body = jsonBytes(errorBody(this.#api, error, this.id));
    const headers = {
      ...errorHeaders(error, this.id),
      "content-type": "application/json",
      "content-length": String(body.length),
    };
    this.#begun();
    this.#do(this.#core.answerHead(error.status, Object.entries(headers)));
    this.#do(this.#core.answerData(body));
    this.#do(this.#core.answerEnd());
  }

  /** The answer begins, or leaves again. */
  #begun(): void {
    this.#hasArrived = this.detachedMs === null ? (this.#shell.mark?.() ?? ARRIVED) : () => false;
  }

  #noteArrival({ type, seq }: Frame): void {
    if (type !== FrameType.ack && type !== FrameType.resume) return;
    if (seq > 0) this.#hasArrived = ARRIVED;
    else if (type === FrameType.resume && this.#hasArrived !== null)
      this.#hasArrived = this.#shell.mark?.() ?? ARRIVED;
  }

  #write(part: Uint8Array): void {
    const taken = () => this.#do(this.#core.bodyTaken());
    if (this.#request.write(part)) taken();
    else this.#request.onDrain(taken);
  }

  /** The caller certainly has a part of Ollama's answer, so the request cannot move any more. */
  get #isAnswerOut(): boolean {
    return this.#core.isAnswerPassedOn && this.#hasArrived?.() === true;
  }

  #over(outcome: StreamOutcome): void {
    const { outgoing, onOver, records } = this.#shell;
    const { resumed, begunStatus } = this.#core;
    this.#request.resumed = resumed;
    const isLost = this.detachedMs !== null;
    // The edge ended it, e.g. because its key was revoked, or the body was refused: it moves nowhere.
    const isEnded = outcome.kind === "failed" && outcome.failedAt === "gateway";
    const hasFailed = outcome.kind === "failed" || isLost || this.#core.hasFailed;
    const mayMove = hasFailed && !isEnded && !this.#isAnswerOut;
    if (this.#isWithheld && mayMove)
      records.withhold(this.id, isLost ? WITHHELD_LOST_MS : WITHHELD_MS);
    if (outcome.kind === "complete" && this.#refusal !== null)
      this.#request.fail("gateway", this.#refusal.message, this.#refusal.status);
    else if (outcome.kind === "complete") this.#request.complete();
    else if (outcome.kind === "cancelled") this.#request.cancel(begunStatus);
    else this.#request.fail(outcome.failedAt, outcome.message, begunStatus ?? outcome.httpStatus);
    outgoing.forget(this);
    onOver(this);
  }
}

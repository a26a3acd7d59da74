/**
 * The edge's end of one stream, without sockets and clocks: events go in, what is to be done comes out.
 *
 * Numbers and resumes in both directions, writes to the caller no faster than it takes, and decides
 * when the stream is over, how, and who keeps its record. `edge-stream.ts` is the shell that does
 * what this says; the simulation does the same with simulated sockets.
 */
import { endingOf, isHeldBack } from "../../../protocol/ending.ts";
import { Receiver } from "../../../protocol/flow.ts";
import {
  decodeFrames,
  type Frame,
  FrameError,
  FrameType,
  jsonBytes,
  parsePayload,
  type StreamId,
  streamFrame,
  typeName,
} from "../../../protocol/frames.ts";
import { ERROR_CHARS_MAX, GRACE_MS } from "../../../protocol/limits.ts";
import { Abort, Head, type Headers, type Open } from "../../../protocol/messages.ts";
import { type FailureReason, wireErrorOf } from "../../errors.ts";
import { concat } from "./bytes.ts";
import { isProbeDue, nextProbeMs, type Pulse } from "./pulse.ts";
import { RequestFrames } from "./request-frames.ts";

export type EdgeFacts = { id: StreamId; box: string; open: Open };

/**
 * How a stream ended, and who keeps the record. The agent does, when it had the stream to its end;
 * else the edge must: also of a cancelled one, since the word of it may be lost on the way.
 */
export type Ended =
  | { by: "agent" }
  | { by: "edge"; status: "error"; httpStatus: number; failure: FailureReason }
  /** `afterMs`: an agent that got the word knows more, so it gets so long to be first. */
  | { by: "edge"; status: "cancelled"; httpStatus: number; afterMs: number };

/** How the caller's answer begins. `length`: of the body, where it is known and no more than a promise. */
export type CallerAnswer =
  | { kind: "whole"; status: number; headers: Headers; body: Uint8Array | null }
  | { kind: "streamed"; status: number; headers: Headers; length: number | null }
  | { kind: "failed"; failure: FailureReason }
  /** Nobody waits for it any more. */
  | { kind: "unheard" };

/** What is to be done, in this order. Empty: nothing. */
export type EdgeStreamActions = {
  /** For the Box, as one message. Lost without harm when there is no socket. */
  frames: Frame[];
  answer: CallerAnswer | null;
  /** The stream is over: known once. */
  ended: Ended | null;
  /** For the caller; `wrote` is told when it was taken, and there is no other write until then. */
  write: Uint8Array | null;
  /** How the streamed answer ends, after that write: `closed` is told when a close was taken. */
  finish: "close" | "break" | "abandon" | null;
  /** Ask for more of the request's body, and tell `body`. */
  readsBody: boolean;
  /** Wait so long, then ask for a new socket to the Box, and tell `attached` or `refused`. */
  redialMs: number | null;
  /** Nothing is left to do: let go of socket, timer and body. */
  isDone: boolean;
};

const REDIAL_MS = 100;

/** How long a stream that is over waits, once there is a Box to be told, for the word that it has no agent. */
const LAST_WORD_MS = 1_000;

/** A record that the agent writes is in the ledger by then, unless its tunnel is lost. */
const AGENT_FIRST_MS = 5_000;

/** nginx's "client closed request". */
const CLOSED_REQUEST = 499;

/** Statuses whose answers have no body (RFC 9110). */
const NULL_BODY = new Set([204, 205, 304]);

export class EdgeStreamCore {
  readonly #facts: EdgeFacts;
  readonly #pulse: Pulse;
  readonly #random: () => number;
  readonly #request: RequestFrames;
  readonly #receiver = new Receiver();
  #acts = nothing();
  #isAttached = true;
  #isAgentAway = false;
  #graceEndsMs: number | null = null;
  // The answer on its way to the caller.
  #head: Head | null = null;
  #isStreaming = false;
  #queue: Uint8Array[] = [];
  #queuedNext = 0;
  #written: { next: number; bytes: number } | null = null;
  #isFinishing = false;
  #hasEnded = false;
  #failure: FailureReason | null = null;
  /** The agent knows nothing of the stream. */
  #isForgotten = false;
  #isAtLineStart = true;
  /** The caller has its answer, whole or not. */
  #isOver = false;
  /** What the agent could not be told: that nobody wants the stream. Said when it is back. */
  #lastWord: Frame | null = null;
  #isDone = false;

  /**
   * @param body    whole; null when there is none; "streamed" when it comes through {@link body}
   * @param pulse   of the box, shared by all its streams in this isolate
   * @param random  uniform in [0, 1)
   */
  constructor(
    facts: EdgeFacts,
    body: Uint8Array | "streamed" | null,
    pulse: Pulse,
    random: () => number,
  ) {
    this.#facts = facts;
    this.#pulse = pulse;
    this.#random = random;
    this.#request = new RequestFrames(facts.id, body);
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Bytes in this end: of the request (sent and not acknowledged), and of the answer (not taken by the caller). For tests. */
  get kept(): { request: number; answer: number } {
    return {
      request: this.#request.keptBytes,
      answer: this.#queuedBytes + (this.#written?.bytes ?? 0),
    };
  }

  /** When {@link tick} should be called next, if at all. Called sooner it does nothing. */
  nextTickMs(nowMs: number): number | null {
    if (this.#graceEndsMs !== null) return this.#graceEndsMs;
    return this.#isWatching ? nextProbeMs(this.#pulse, nowMs, this.#random) : null;
  }

  begin(nowMs: number): EdgeStreamActions {
    this.#pulse.heardMs = Math.max(this.#pulse.heardMs, nowMs); // the Box took the stream: its agent lives
    this.#say(...this.#request.open(this.#facts.open));
    return this.#done();
  }

  /** A message from the Box, through the socket that is attached. */
  received(message: ArrayBuffer | Uint8Array, nowMs: number): EdgeStreamActions {
    try {
      for (const frame of decodeFrames(message)) {
        if (this.#isOver) this.#afterTheEnd(frame, nowMs);
        else this.#take(frame, nowMs);
      }
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      this.#fail(
        {
          reason: "box_refused",
          message: `The box sent something that is no answer: ${error.message}`,
        },
        error.message,
      );
    }
    this.#answer();
    this.#proceed();
    return this.#done();
  }

  /** More of the request's body; null when it ends. */
  body(chunk: Uint8Array | null): EdgeStreamActions {
    if (!this.#isOver) this.#say(...this.#request.add(chunk));
    return this.#done();
  }

  /** The caller took the last write. */
  wrote(): EdgeStreamActions {
    const written = this.#written;
    this.#written = null;
    if (this.#isOver || written === null) return this.#done();
    if (this.#receiver.consume(written.next, written.bytes)) this.#acknowledge();
    this.#proceed();
    return this.#done();
  }

  /** The caller took the close of its answer. */
  closed(): EdgeStreamActions {
    if (this.#isOver) return this.#done();
    if (this.#failure === null) this.#complete();
    else this.#over(this.#endedBy(this.#failure));
    return this.#done();
  }

  /** The caller went away, or broke off its upload. */
  callerGone(nowMs: number): EdgeStreamActions {
    if (this.#isOver) return this.#done();
    const abort = this.#abortFrame("caller_gone", "the caller went away");
    const isReached = this.#isAttached && !this.#isAgentAway;
    if (isReached) this.#say(abort);
    else this.#lastWord = abort;
    if (this.#isStreaming) this.#acts.finish = "abandon";
    else this.#acts.answer = { kind: "unheard" };
    if (!isReached) this.#awaitAgent(nowMs);
    this.#over({
      by: "edge",
      status: "cancelled",
      httpStatus: this.#begunStatus ?? CLOSED_REQUEST,
      afterMs: isReached ? AGENT_FIRST_MS : 0,
    });
    return this.#done();
  }

  /** The socket to the Box is gone: the Box was restarted or moved, or refused. Find it again, and go on. */
  lost(nowMs: number): EdgeStreamActions {
    if (this.#isDone || !this.#isAttached) return this.#done();
    this.#isAttached = false;
    this.#awaitAgent(nowMs);
    return this.refused();
  }

  /** There was no new socket: the grace period is running, it ends this. */
  refused(): EdgeStreamActions {
    if (!this.#isDone) this.#acts.redialMs = REDIAL_MS * (0.5 + this.#random());
    return this.#done();
  }

  /** There is a new socket to the Box. */
  attached(nowMs: number): EdgeStreamActions {
    this.#isAttached = true;
    this.#isAgentAway = false; // or the Box says so
    if (!this.#isOver) this.#askResume();
    else if (this.#lastWord !== null) {
      this.#say(this.#lastWord);
      this.#graceEndsMs = nowMs + LAST_WORD_MS; // the Box says so when there is no agent
    }
    return this.#done();
  }

  /** Time has passed. */
  tick(nowMs: number): EdgeStreamActions {
    if (this.#isDone) return this.#done();
    if (this.#graceEndsMs !== null && nowMs >= this.#graceEndsMs) this.#giveUp();
    else if (this.#isWatching && isProbeDue(this.#pulse, nowMs)) {
      // A half-open link says nothing by itself: whatever the Box is sent, it looks whether its agent lives.
      this.#pulse.askedMs = nowMs;
      this.#acknowledge();
    }
    return this.#done();
  }

  /** Whether there is an agent to be watched, and a reason to. */
  get #isWatching(): boolean {
    return this.#graceEndsMs === null && this.#failure === null && !this.#isOver;
  }

  #done(): EdgeStreamActions {
    const acts = this.#acts;
    acts.readsBody = this.#request.takeAsk();
    this.#acts = nothing();
    return acts;
  }

  #take(frame: Frame, nowMs: number): void {
    if (frame.stream !== this.#facts.id) throw new FrameError(`a frame of stream ${frame.stream}`);
    switch (frame.type) {
      case FrameType.head:
      case FrameType.data:
      case FrameType.end:
        this.#heard(nowMs);
        return this.#accept(frame);
      case FrameType.ack:
        this.#heard(nowMs);
        return this.#say(...this.#request.acknowledged(frame.seq));
      case FrameType.resume: {
        this.#heard(nowMs);
        const missing = this.#request.since(frame.seq);
        return missing === null ? this.#failForgotten() : this.#say(...missing);
      }
      case FrameType.abort:
        return this.#aborted(parsePayload(Abort, frame.payload));
      case FrameType.gone:
        return this.#awaitAgent(nowMs);
      case FrameType.back:
        this.#isAgentAway = false; // the grace period goes on until it is heard
        return this.#askResume();
      default:
        throw new FrameError(`${typeName(frame.type)} on a stream`);
    }
  }

  /** Of a stream that is over only one thing still matters: that there is an agent to be told. */
  #afterTheEnd({ type }: Frame, nowMs: number): void {
    if (this.#lastWord === null) return;
    if (type === FrameType.gone) this.#graceEndsMs = nowMs + GRACE_MS;
    if (type !== FrameType.back) return;
    this.#say(this.#lastWord);
    this.#letGo();
  }

  #accept(frame: Frame): void {
    const verdict = this.#receiver.accept(frame);
    if (verdict === "gap") this.#askResume();
    if (verdict !== "new") return;
    if (frame.type === FrameType.head) this.#head = parsePayload(Head, frame.payload);
    else if (this.#head === null) throw new FrameError("an answer without a head");
    else if (frame.type === FrameType.data) this.#queue.push(frame.payload);
    else this.#hasEnded = true;
    this.#queuedNext = frame.seq + 1;
  }

  /** Begins the caller's answer when there is a head. One that is here whole needs no stream. */
  #answer(): void {
    if (this.#head === null || this.#isStreaming || this.#isOver) return;
    const { status, headers } = this.#head;
    const length = headers.find(([name]) => name === "content-length")?.[1];
    const others = headers.filter(([name]) => name !== "content-length");
    if (this.#facts.open.method === "HEAD" || NULL_BODY.has(status)) {
      if (!this.#hasEnded) return;
      this.#acts.answer = {
        kind: "whole",
        status,
        headers: length === undefined ? others : headers,
        body: null,
      };
      return this.#complete();
    }
    if (this.#hasEnded) {
      this.#acts.answer = { kind: "whole", status, headers: others, body: concat(this.#queue) };
      this.#queue = [];
      return this.#complete();
    }
    if (isHeldBack(this.#facts.open.stream, headers, this.#queuedBytes)) return;
    this.#isStreaming = true;
    const isNumber = length !== undefined && /^\d{1,15}$/.test(length);
    this.#acts.answer = {
      kind: "streamed",
      status,
      headers: others,
      length: isNumber ? Number(length) : null,
    };
  }

  /** Writes what is queued, at the caller's pace, one at a time; ends the answer when all was taken. */
  #proceed(): void {
    if (!this.#isStreaming || this.#written !== null || this.#isFinishing || this.#isOver) return;
    if (this.#queue.length > 0) {
      const bytes = concat(this.#queue);
      this.#queue = [];
      this.#isAtLineStart = bytes.at(-1) === 0x0a;
      this.#write(bytes, this.#queuedNext);
    } else if (this.#hasEnded) this.#finish("close");
    else if (this.#failure !== null) this.#breakOff(this.#failure);
  }

  #write(bytes: Uint8Array, next: number): void {
    this.#written = { next, bytes: bytes.length };
    this.#acts.write = bytes;
  }

  #finish(how: "close" | "break"): void {
    this.#isFinishing = true;
    this.#acts.finish = how;
  }

  /** Ends an answer that had begun with an error in its own format. */
  #breakOff(failure: FailureReason): void {
    const { open, id } = this.#facts;
    const type = this.#head?.headers.find(([name]) => name === "content-type")?.[1] ?? "";
    this.#acts.write = endingOf(type, open.api, wireErrorOf(failure), id, this.#isAtLineStart);
    this.#finish(this.#acts.write === null ? "break" : "close");
    if (this.#acts.write === null) this.#over(this.#endedBy(failure));
  }

  #complete(): void {
    this.#receiver.consume(this.#queuedNext, 0);
    this.#acknowledge();
    this.#over({ by: "agent" });
  }

  /** The agent ended the stream: it said why, and keeps the record unless it never took the request. */
  #aborted({ code, message }: Abort): void {
    const { box } = this.#facts;
    switch (code) {
      case "ollama_unreachable":
        return this.#fail({ reason: "ollama_unreachable", message });
      case "ollama_broke":
        return this.#fail({ reason: "ollama_broke", message });
      case "lost":
        return this.#fail({ reason: "agent_restarted", box });
      case "draining":
        return this.#fail({ reason: "box_draining", box });
      case "bad_request":
        return this.#fail({ reason: "box_refused", message });
      case "caller_gone":
      case "gave_up":
        throw new FrameError(`abort ${code} from an agent`);
    }
  }

  /** @param told  what the agent is told; null when it knows */
  #fail(failure: FailureReason, told: string | null = null): void {
    if (this.#isOver || this.#failure !== null) return;
    if (told !== null) this.#say(this.#abortFrame("gave_up", told)); // it believes that all is well
    this.#failure = failure;
    this.#graceEndsMs = null;
    this.#answer();
    if (this.#isStreaming) return this.#proceed();
    this.#acts.answer = { kind: "failed", failure };
    this.#over(this.#endedBy(failure));
  }

  /** The agent was restarted before it had the whole request: what it had is gone on both sides, and it knows of none that it could record. */
  #failForgotten(): void {
    this.#isForgotten = true;
    const { box } = this.#facts;
    this.#fail(
      { reason: "agent_restarted", box },
      "a part of the request was lost with the agent that had it",
    );
  }

  #endedBy(failure: FailureReason): Ended {
    const isTheirs =
      failure.reason === "ollama_unreachable" ||
      failure.reason === "ollama_broke" ||
      failure.reason === "agent_restarted";
    return isTheirs && !this.#isForgotten
      ? { by: "agent" }
      : {
          by: "edge",
          status: "error",
          httpStatus: this.#begunStatus ?? wireErrorOf(failure).status,
          failure,
        };
  }

  /** What the caller was answered before it all went wrong; null when it had nothing yet. */
  get #begunStatus(): number | null {
    return this.#isStreaming ? (this.#head?.status ?? null) : null;
  }

  get #queuedBytes(): number {
    return this.#queue.reduce((sum, { length }) => sum + length, 0);
  }

  #giveUp(): void {
    if (this.#isOver) return this.#letGo();
    const { box } = this.#facts;
    this.#fail({ reason: "tunnel_lost", box }, `the caller was told that box ${box} was lost`);
  }

  #awaitAgent(nowMs: number): void {
    this.#isAgentAway = true;
    if (this.#failure === null) this.#graceEndsMs ??= nowMs + GRACE_MS;
  }

  #heard(nowMs: number): void {
    this.#pulse.heardMs = nowMs;
    this.#isAgentAway = false;
    this.#graceEndsMs = null;
  }

  /** With what was consumed: an acknowledgement that was lost is not sent again by itself, and the other end may be waiting for room. */
  #askResume(): void {
    if (this.#receiver.consumed > 0) this.#acknowledge();
    this.#say(streamFrame(FrameType.resume, this.#facts.id, this.#receiver.next));
  }

  #acknowledge(): void {
    this.#say(streamFrame(FrameType.ack, this.#facts.id, this.#receiver.consumed));
  }

  #abortFrame(code: "caller_gone" | "gave_up", message: string): Frame {
    return streamFrame(
      FrameType.abort,
      this.#facts.id,
      0,
      jsonBytes({ code, message: message.slice(0, ERROR_CHARS_MAX) }),
    );
  }

  #say(...frames: Frame[]): void {
    this.#acts.frames.push(...frames);
  }

  #over(ended: Ended): void {
    this.#isOver = true;
    this.#acts.ended = ended;
    if (this.#lastWord === null) this.#letGo();
  }

  #letGo(): void {
    this.#isDone = true;
    this.#acts.isDone = true;
  }
}

const nothing = (): EdgeStreamActions => ({
  frames: [],
  answer: null,
  ended: null,
  write: null,
  finish: null,
  readsBody: false,
  redialMs: null,
  isDone: false,
});

/**
 * The box's end of one stream, without sockets and clocks: frames and Ollama's answer go in, what is
 * to be done comes out.
 *
 * Numbers and resumes in both directions, has Ollama read only as fast as the caller reads, and
 * decides when the stream is over and how. `stream.ts` is the shell that does what this says.
 */
import { isHeldBack } from "../../protocol/ending.ts";
import { Receiver, Sender } from "../../protocol/flow.ts";
import {
  type Frame,
  FrameError,
  FrameType,
  jsonBytes,
  parsePayload,
  type StreamId,
  streamFrame,
  typeName,
} from "../../protocol/frames.ts";
import {
  BODY_BYTES_MAX,
  DATA_BYTES_MAX,
  ERROR_CHARS_MAX,
  WINDOW_BYTES,
} from "../../protocol/limits.ts";
import { Abort, type AbortCode, type Headers } from "../../protocol/messages.ts";
import { cut, type FailedAt } from "../../protocol/records.ts";

/** How the request is recorded. */
export type StreamOutcome =
  | { kind: "complete" }
  | { kind: "cancelled" }
  | { kind: "failed"; failedAt: FailedAt; message: string };

/** What is to be done, in this order. */
export type AgentStreamActions = {
  /** To leave at the end of this turn. */
  frames: Frame[];
  /** There is something to `take`: now, or it may wait for more. */
  ready: "now" | "soon" | null;
  /** Ask Ollama; `body` null: it follows. */
  ask: { body: Uint8Array | null } | null;
  /** A part of the body for Ollama; `bodyTaken` is told when it took it. */
  write: Uint8Array | null;
  endsBody: boolean;
  /** Whether Ollama's answer may be read on. */
  flow: "pause" | "resume" | null;
  /** The stream is over. Once. */
  outcome: StreamOutcome | null;
};

export class AgentStreamCore {
  readonly #id: StreamId;
  readonly #streamsBody: boolean;
  readonly #streamsAnswer: boolean;
  readonly #sender: Sender;
  readonly #receiver = new Receiver();
  #acts = nothing();
  // The request, until Ollama is asked.
  #bodyChunks: Uint8Array[] = [];
  #bodyBytes = 0;
  #hasWholeBody = false;
  /** Parts of the body that Ollama has not taken yet, oldest first: their frames' numbers, and bytes. */
  #writing: { next: number; bytes: number }[] = [];
  // What Ollama said and is not framed yet, in the order in which it will be.
  #head: Uint8Array | null = null;
  #chunks: Uint8Array[] = [];
  #chunkBytes = 0;
  #answered: { status: number; headers: Headers; bytes: number } | null = null;
  #hasEnded = false;
  #endSent = false;
  #isPaused = false;
  #hasSentData = false;
  #isOver = false;
  #detachedMs: number | null = null;
  #resumed = 0;

  /**
   * @param streamsBody    the body goes to Ollama as it comes (blobs), instead of whole (JSON)
   * @param streamsAnswer  the answer is one that comes bit by bit: bits may wait for each other
   */
  constructor(id: StreamId, streamsBody: boolean, streamsAnswer: boolean) {
    this.#id = id;
    this.#streamsBody = streamsBody;
    this.#streamsAnswer = streamsAnswer;
    this.#sender = new Sender(id);
  }

  /** When the tunnel was lost, monotonic ms; null while the edge's end is there. */
  get detachedMs(): number | null {
    return this.#detachedMs;
  }

  /** How often the tunnel was resumed. */
  get resumed(): number {
    return this.#resumed;
  }

  /** Bytes of the answer in this process: sent and not acknowledged, and not sent. */
  get keptBytes(): number {
    return this.#sender.keptBytes + this.#chunkBytes;
  }

  /**
   * A numbered frame, an acknowledgement, a resume or an abort of this stream, in the order in which they came.
   * @throws {FrameError} when it says what cannot be
   */
  received(frame: Frame): AgentStreamActions {
    if (!this.#isOver) this.#take(frame);
    return this.#done();
  }

  /** Ollama took the oldest part of the body that it was given. */
  bodyTaken(): AgentStreamActions {
    const taken = this.#writing.shift();
    if (taken !== undefined && !this.#isOver) this.#consumed(taken.next, taken.bytes);
    return this.#done();
  }

  /** What the caller was told when its answer began; null while it was told nothing. */
  get begunStatus(): number | null {
    if (this.#answered === null) return null;
    const { status, headers, bytes } = this.#answered;
    return isHeldBack(this.#streamsAnswer, headers, bytes) ? null : status;
  }

  answerHead(status: number, headers: Headers): AgentStreamActions {
    this.#answered = { status, headers, bytes: 0 };
    this.#head = jsonBytes({ status, headers });
    // A streamed answer's head is followed by its first bytes at once; so is any other's.
    this.#acts.ready = "now";
    return this.#done();
  }

  answerData(chunk: Uint8Array): AgentStreamActions {
    this.#chunks.push(chunk);
    this.#chunkBytes += chunk.length;
    if (this.#answered !== null) this.#answered.bytes += chunk.length;
    const canWait = this.#streamsAnswer && this.#hasSentData && this.#chunkBytes < DATA_BYTES_MAX;
    this.#hasSentData = true;
    this.#acts.ready = canWait ? "soon" : "now";
    if (this.keptBytes >= WINDOW_BYTES && !this.#isPaused) {
      this.#isPaused = true;
      this.#acts.flow = "pause";
    }
    return this.#done();
  }

  answerEnd(): AgentStreamActions {
    this.#hasEnded = true;
    this.#acts.ready = "now";
    return this.#done();
  }

  /** @param hadHead  the answer had begun */
  answerBroke(message: string, hadHead: boolean): AgentStreamActions {
    this.#abort(hadHead ? "ollama_broke" : "ollama_unreachable", "ollama", message);
    return this.#done();
  }

  /** Frames of what is ready, as far as there is room; none while the tunnel is away. */
  take(): Frame[] {
    if (this.#detachedMs !== null || this.#isOver) return [];
    const frames: Frame[] = [];
    if (this.#head !== null) {
      frames.push(this.#sender.frame(FrameType.head, this.#head));
      this.#head = null;
    }
    while (this.#chunkBytes > 0 && this.#sender.room > 0)
      frames.push(this.#sender.frame(FrameType.data, this.#nextData()));
    if (this.#hasEnded && !this.#endSent && this.#chunkBytes === 0) {
      this.#endSent = true;
      frames.push(this.#sender.frame(FrameType.end));
    }
    return frames;
  }

  /** The tunnel is gone. The local request goes on, up to the window. */
  detach(nowMs: number): void {
    this.#detachedMs ??= nowMs;
  }

  /** The edge, or this agent, will not come back for the stream. */
  giveUp(message: string): AgentStreamActions {
    // All was said, and only the edge's last word is missing. Had it told the caller something else, it has recorded that.
    if (this.#endSent) this.#over({ kind: "complete" });
    else this.#abort("lost", "tunnel", message);
    return this.#done();
  }

  /** The edge said what cannot be. */
  refuse(message: string): AgentStreamActions {
    this.#abort("bad_request", "gateway", message);
    return this.#done();
  }

  #done(): AgentStreamActions {
    const acts = this.#acts;
    this.#acts = nothing();
    return acts;
  }

  #take(frame: Frame): void {
    switch (frame.type) {
      case FrameType.open:
      case FrameType.data:
      case FrameType.end:
        return this.#accept(frame);
      case FrameType.ack:
        if (this.#sender.acknowledge(frame.seq)) this.#proceed();
        return;
      case FrameType.resume:
        return this.#resume(frame.seq);
      case FrameType.abort: {
        const { code, message, presumed } = parsePayload(Abort, frame.payload);
        // All was said, and the edge's last word was lost with its socket. Had the caller left, the edge has recorded that.
        if (code === "caller_gone" && presumed === true && this.#endSent)
          return this.#over({ kind: "complete" });
        return this.#over(
          code === "caller_gone"
            ? { kind: "cancelled" }
            : { kind: "failed", failedAt: "tunnel", message },
        );
      }
      default:
        throw new FrameError(`${typeName(frame.type)} from the edge on a stream`);
    }
  }

  #accept(frame: Frame): void {
    const verdict = this.#receiver.accept(frame);
    if (verdict === "gap") this.#say(FrameType.resume, this.#receiver.next);
    if (verdict !== "new") return;
    if ((frame.type === FrameType.open) !== (frame.seq === 0))
      throw new FrameError("a request begins with one OPEN");
    if (frame.type === FrameType.open) {
      if (this.#streamsBody) this.#acts.ask = { body: null };
    } else if (frame.type === FrameType.data) this.#takeBody(frame);
    else this.#endBody();
  }

  #takeBody({ seq, payload }: Frame): void {
    if (this.#hasWholeBody) throw new FrameError("more of a body after its end");
    const [next, bytes] = [seq + 1, payload.length];
    // A view into a message of many: kept, it would keep them all.
    const part = payload.slice();
    if (this.#streamsBody) {
      this.#writing.push({ next, bytes });
      this.#acts.write = part;
      return;
    }
    this.#bodyBytes += bytes;
    if (this.#bodyBytes > BODY_BYTES_MAX)
      throw new FrameError(`a body of more than ${BODY_BYTES_MAX} bytes`);
    this.#bodyChunks.push(part);
    this.#consumed(next, bytes);
  }

  #endBody(): void {
    if (this.#hasWholeBody) throw new FrameError("a body that ends twice");
    this.#hasWholeBody = true;
    if (this.#streamsBody) this.#acts.endsBody = true;
    else this.#acts.ask = { body: Buffer.concat(this.#bodyChunks.splice(0)) };
  }

  #consumed(next: number, bytes: number): void {
    if (this.#receiver.consume(next, bytes)) this.#say(FrameType.ack, this.#receiver.consumed);
  }

  /** The edge consumed something: there is room, or the end. */
  #proceed(): void {
    if (this.#isPaused && this.keptBytes < WINDOW_BYTES / 2) {
      this.#isPaused = false;
      this.#acts.flow = "resume";
    }
    if (this.#chunkBytes > 0 || (this.#hasEnded && !this.#endSent)) this.#acts.ready = "now";
    else if (this.#endSent && this.#sender.isSettled) this.#over({ kind: "complete" });
  }

  #resume(next: number): void {
    const frames = this.#sender.since(next);
    this.#resumed++;
    this.#detachedMs = null;
    // An acknowledgement that was lost is not sent again by itself, and the edge may be waiting for room.
    if (this.#receiver.consumed > 0) this.#say(FrameType.ack, this.#receiver.consumed);
    this.#say(FrameType.resume, this.#receiver.next);
    this.#acts.frames.push(...frames);
    this.#acts.ready = "now";
  }

  /** Up to one DATA frame of what is waiting. */
  #nextData(): Uint8Array {
    const parts: Uint8Array[] = [];
    let bytes = 0;
    while (bytes < DATA_BYTES_MAX) {
      const chunk = this.#chunks[0];
      if (chunk === undefined) break;
      const part = chunk.subarray(0, DATA_BYTES_MAX - bytes);
      parts.push(part);
      bytes += part.length;
      if (part.length === chunk.length) this.#chunks.shift();
      else this.#chunks[0] = chunk.subarray(part.length);
    }
    this.#chunkBytes -= bytes;
    const [only] = parts;
    return parts.length === 1 && only !== undefined ? only : Buffer.concat(parts, bytes);
  }

  #say(type: typeof FrameType.ack | typeof FrameType.resume, seq: number): void {
    this.#acts.frames.push(streamFrame(type, this.#id, seq));
  }

  #abort(code: AbortCode, failedAt: FailedAt, message: string): void {
    if (this.#isOver) return;
    // What Ollama did say goes first; the edge ends the caller's answer in its own format.
    const abort = streamFrame(
      FrameType.abort,
      this.#id,
      0,
      jsonBytes({ code, message: cut(message, ERROR_CHARS_MAX) }),
    );
    this.#acts.frames.push(...this.take(), abort);
    this.#over({ kind: "failed", failedAt, message });
  }

  #over(outcome: StreamOutcome): void {
    this.#isOver = true;
    this.#acts.outcome = outcome;
  }
}

const nothing = (): AgentStreamActions => ({
  frames: [],
  ready: null,
  ask: null,
  write: null,
  endsBody: false,
  flow: null,
  outcome: null,
});

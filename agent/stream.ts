/**
 * The box's end of one stream: takes the caller's request from the tunnel, has Ollama asked, and
 * sends the answer back. What it costs and how it ended is the measured request's business.
 *
 * Reads Ollama only as fast as the caller reads: what the edge has not acknowledged may fill one
 * window, then Ollama's socket is paused. A cut of the tunnel changes nothing here but that: the
 * stream waits, detached, until the edge resumes it or the grace period ends.
 */

import { Receiver, Sender } from "../protocol/flow.ts";
import { type Frame, FrameError, FrameType, jsonBytes, parsePayload, type StreamId, streamFrame, typeName } from "../protocol/frames.ts";
import type { OpenRequest } from "../protocol/inventory.ts";
import { BODY_BYTES_MAX, DATA_BYTES_MAX, ERROR_CHARS_MAX, WINDOW_BYTES } from "../protocol/limits.ts";
import { Abort, type AbortCode, type Open } from "../protocol/messages.ts";
import { cut, type FailedAt } from "../protocol/records.ts";
import { MeasuredRequest, type MeasuringShell } from "./measured-request.ts";
import type { Outgoing, Source } from "./outgoing.ts";

export type StreamShell = MeasuringShell & {
  outgoing: Outgoing;
  /** The stream is over and its record is in the spool. */
  onOver(stream: AgentStream): void;
};

export class AgentStream implements Source {
  readonly id: StreamId;
  /** The route pattern, e.g. `/api/chat`. */
  readonly endpoint: string;
  readonly #request: MeasuredRequest;
  readonly #shell: StreamShell;
  readonly #streamsBody: boolean;
  readonly #streamsAnswer: boolean;
  readonly #sender: Sender;
  readonly #receiver = new Receiver();
  readonly #bodyChunks: Uint8Array[] = [];
  #bodyBytes = 0;
  // What Ollama said and is not framed yet, in the order in which it will be.
  #head: Uint8Array | null = null;
  #chunks: Uint8Array[] = [];
  #chunkBytes = 0;
  #hasEnded = false;
  #endSent = false;
  #isPaused = false;
  #hasSentData = false;
  #isOver = false;
  #detachedMs: number | null = null;

  /** @param streamsBody  the body goes to Ollama as it comes (blobs), instead of whole (JSON) */
  constructor(id: StreamId, open: Open, streamsBody: boolean, shell: StreamShell) {
    this.id = id;
    this.endpoint = open.endpoint;
    this.#request = new MeasuredRequest(id, open, shell.now(), shell);
    this.#shell = shell;
    this.#streamsBody = streamsBody;
    this.#streamsAnswer = open.stream;
    this.#sender = new Sender(id);
  }

  /** Open, and Ollama has not begun to answer. */
  get isQueued(): boolean {
    return this.#request.isQueued;
  }

  /** What readings say of it. */
  get asOpen(): OpenRequest {
    return this.#request.asOpen;
  }

  /** When the tunnel was lost, monotonic ms; null while the edge's end is there. */
  get detachedMs(): number | null {
    return this.#detachedMs;
  }

  /** Numbered frames and acknowledgements of this stream, in the order in which they came. */
  receive(frame: Frame): void {
    if (this.#isOver) return;
    switch (frame.type) {
      case FrameType.open:
      case FrameType.data:
      case FrameType.end: {
        const verdict = this.#receiver.accept(frame);
        if (verdict === "gap") this.#say(FrameType.resume, this.#receiver.next);
        if (verdict !== "new") return;
        if (frame.type === FrameType.open) this.#begin();
        else if (frame.type === FrameType.data) this.#takeBody(frame);
        else this.#endBody();
        return;
      }
      case FrameType.ack:
        if (this.#sender.acknowledge(frame.seq)) this.#proceed();
        return;
      case FrameType.resume:
        this.#resume(frame.seq);
        return;
      case FrameType.abort: {
        const { code, message } = parsePayload(Abort, frame.payload);
        if (code === "caller_gone") this.#request.cancel();
        else this.#fail("tunnel", message);
        return this.#over();
      }
      default:
        throw new FrameError(`${typeName(frame.type)} from the edge on a stream`);
    }
  }

  take(): Frame[] {
    if (this.#detachedMs !== null || this.#isOver) return [];
    const frames: Frame[] = [];
    if (this.#head !== null) {
      frames.push(this.#sender.frame(FrameType.head, this.#head));
      this.#head = null;
    }
    while (this.#chunkBytes > 0 && this.#sender.room > 0) frames.push(this.#sender.frame(FrameType.data, this.#nextData()));
    if (this.#hasEnded && !this.#endSent && this.#chunkBytes === 0) {
      this.#endSent = true;
      frames.push(this.#sender.frame(FrameType.end));
    }
    return frames;
  }

  /** The tunnel is gone. The local request goes on, up to the window. */
  detach(): void {
    this.#detachedMs ??= this.#shell.now();
  }

  /** Ends the stream because the edge, or this agent, will not come back for it. */
  giveUp(message: string): void {
    // All was said, and only the edge's last word is missing. Had it told the caller something else, it has recorded that.
    if (this.#endSent) this.#succeed();
    else this.#abort("lost", "tunnel", message);
  }

  /** Ends the stream because the edge said what cannot be. */
  refuse(message: string): void {
    this.#abort("bad_request", "gateway", message);
  }

  #begin(): void {
    if (this.#streamsBody) this.#ask(null);
  }

  #takeBody(frame: Frame): void {
    const { length } = frame.payload;
    if (this.#request.isAsked) {
      const done = () => this.#consumed(frame.seq + 1, length);
      if (this.#request.write(frame.payload.slice())) done();
      else this.#request.onDrain(done);
      return;
    }
    this.#bodyBytes += length;
    if (this.#bodyBytes > BODY_BYTES_MAX) throw new FrameError(`a body of more than ${BODY_BYTES_MAX} bytes`);
    this.#bodyChunks.push(frame.payload.slice());
    this.#consumed(frame.seq + 1, length);
  }

  #consumed(next: number, bytes: number): void {
    if (this.#receiver.consume(next, bytes)) this.#say(FrameType.ack, this.#receiver.consumed);
  }

  #endBody(): void {
    if (this.#request.isAsked) return this.#request.end();
    this.#ask(Buffer.concat(this.#bodyChunks));
    this.#bodyChunks.length = 0;
  }

  #ask(body: Uint8Array | null): void {
    this.#request.ask(body, {
      onHead: (status, headers) => {
        this.#head = jsonBytes({ status, headers });
        // A streamed answer's head is followed by its first bytes at once; so is any other's.
        this.#shell.outgoing.mark(this, "now");
      },
      onData: (chunk) => this.#push(chunk),
      onEnd: () => {
        this.#hasEnded = true;
        this.#shell.outgoing.mark(this, "now");
      },
      onError: (message, hadHead) => this.#abort(hadHead ? "ollama_broke" : "ollama_unreachable", "ollama", message),
    });
  }

  #push(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#chunkBytes += chunk.length;
    const canWait = this.#streamsAnswer && this.#hasSentData && this.#chunkBytes < DATA_BYTES_MAX;
    this.#hasSentData = true;
    this.#shell.outgoing.mark(this, canWait ? "soon" : "now");
    if (this.#held() >= WINDOW_BYTES && !this.#isPaused) {
      this.#isPaused = true;
      this.#request.pause();
    }
  }

  /** Bytes of the answer in this process: sent and not acknowledged, and not sent. */
  #held(): number {
    return WINDOW_BYTES - this.#sender.room + this.#chunkBytes;
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

  /** The edge consumed something: there is room, or the end. */
  #proceed(): void {
    if (this.#isPaused && this.#held() < WINDOW_BYTES / 2) {
      this.#isPaused = false;
      this.#request.resume();
    }
    if (this.#chunkBytes > 0 || (this.#hasEnded && !this.#endSent)) this.#shell.outgoing.mark(this, "now");
    else if (this.#endSent && this.#sender.isSettled) this.#succeed();
  }

  #resume(next: number): void {
    const frames = this.#sender.since(next);
    this.#request.resumed++;
    this.#detachedMs = null;
    this.#say(FrameType.resume, this.#receiver.next);
    this.#shell.outgoing.now(...frames);
    this.#shell.outgoing.mark(this, "now");
  }

  #say(type: typeof FrameType.ack | typeof FrameType.resume, seq: number): void {
    this.#shell.outgoing.now(streamFrame(type, this.id, seq));
  }

  #succeed(): void {
    this.#request.complete();
    this.#over();
  }

  #abort(code: AbortCode, failedAt: FailedAt, message: string): void {
    if (this.#isOver) return;
    // What Ollama did say goes first; the edge ends the caller's answer in its own format.
    const abort = streamFrame(FrameType.abort, this.id, 0, jsonBytes({ code, message: cut(message, ERROR_CHARS_MAX) }));
    this.#shell.outgoing.now(...this.take(), abort);
    this.#fail(failedAt, message);
    this.#over();
  }

  #fail(failedAt: FailedAt, message: string): void {
    this.#request.fail(failedAt, message, failedAt === "ollama" ? 502 : 504);
  }

  #over(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#shell.outgoing.forget(this);
    this.#shell.onOver(this);
  }
}

/**
 * The box's end of one stream: takes the caller's request from the tunnel, asks Ollama, sends the
 * answer back, measures it on the way, and closes with one record.
 *
 * Reads Ollama only as fast as the caller reads: what the edge has not acknowledged may fill one
 * window, then Ollama's socket is paused. A cut of the tunnel changes nothing here but that: the
 * stream waits, detached, until the edge resumes it or the grace period ends.
 */

import { Receiver, Sender } from "../protocol/flow.ts";
import {
  type Frame,
  FrameError,
  FrameType,
  jsonBytes,
  NO_PAYLOAD,
  parsePayload,
  type StreamId,
  streamFrame,
  typeName,
} from "../protocol/frames.ts";
import { BODY_BYTES_MAX, DATA_BYTES_MAX, ERROR_CHARS_MAX, WINDOW_BYTES } from "../protocol/limits.ts";
import { Abort, type AbortCode, factsOf, type Headers, type Open } from "../protocol/messages.ts";
import { cut, type FailedAt, type RequestRecord, type Status, UNMEASURED } from "../protocol/records.ts";
import { type LocalBody, localBodyOf } from "./measure/local-body.ts";
import { type Meter, meterOf } from "./measure/meter.ts";
import type { LocalExchange, OllamaClient } from "./ollama.ts";
import type { Outgoing, Source } from "./outgoing.ts";
import type { Spool } from "./spool.ts";

export type StreamShell = {
  box: string;
  ollama: OllamaClient;
  outgoing: Outgoing;
  spool: Spool;
  /** Monotonic milliseconds. */
  now: () => number;
  /** The stream is over and its record is in the spool. */
  onOver(stream: AgentStream): void;
};

type Outcome = { status: Status; httpStatus: number; failedAt: FailedAt | null; error: string | null };

export class AgentStream implements Source {
  readonly id: StreamId;
  readonly #open: Open;
  readonly #shell: StreamShell;
  readonly #streamsBody: boolean;
  readonly #sender: Sender;
  readonly #receiver = new Receiver();
  readonly #startMs: number;
  readonly #bodyChunks: Uint8Array[] = [];
  #bodyBytes = 0;
  #prompt: string | null = null;
  #exchange: LocalExchange | null = null;
  #meter: Meter | null = null;
  #httpStatus: number | null = null;
  // What Ollama said and is not framed yet, in the order in which it will be.
  #head: Uint8Array | null = null;
  #chunks: Uint8Array[] = [];
  #chunkBytes = 0;
  #hasEnded = false;
  #endSent = false;
  #isPaused = false;
  #hasSentData = false;
  #isOver = false;
  #resumed = 0;
  #detachedMs: number | null = null;

  /** @param streamsBody  the body goes to Ollama as it comes (blobs), instead of whole (JSON) */
  constructor(id: StreamId, open: Open, streamsBody: boolean, shell: StreamShell) {
    this.id = id;
    this.#open = open;
    this.#shell = shell;
    this.#streamsBody = streamsBody;
    this.#sender = new Sender(id);
    this.#startMs = shell.now();
  }

  /** The route pattern, e.g. `/api/chat`. */
  get endpoint(): string {
    return this.#open.endpoint;
  }

  /** Open, and Ollama has not begun to answer. */
  get isQueued(): boolean {
    return this.#httpStatus === null;
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
        if (code === "caller_gone") this.#close({ status: "cancelled", httpStatus: this.#httpStatus ?? 499, failedAt: null, error: null });
        else this.#fail("tunnel", message);
        return;
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
    if (this.#exchange !== null) {
      const done = () => this.#consumed(frame.seq + 1, length);
      if (this.#exchange.write(frame.payload.slice())) done();
      else this.#exchange.onDrain(done);
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
    if (this.#exchange !== null) return this.#exchange.end();
    this.#ask(Buffer.concat(this.#bodyChunks));
    this.#bodyChunks.length = 0;
  }

  #ask(body: Uint8Array | null): void {
    const { spool, ollama, box, now } = this.#shell;
    const local: LocalBody = localBodyOf(this.#open.endpoint, this.#open.stream, body ?? NO_PAYLOAD);
    this.#prompt = this.#open.keep_text ? local.prompt : null;
    // Before Ollama is asked: from here on there is exactly one record, whatever is killed.
    spool.begin({ request_id: this.id, box, open: this.#open, prompt: this.#prompt });
    this.#meter = meterOf({
      endpoint: this.#open.endpoint,
      api: this.#open.api,
      stream: this.#open.stream,
      hideUsage: local.hideUsage,
      keepText: this.#open.keep_text,
      startMs: this.#startMs,
    });
    this.#exchange = ollama.send({
      method: this.#open.method,
      path: this.#open.path,
      headers: this.#open.headers,
      body: body === null ? null : local.body,
      onHead: (status, headers) => this.#onHead(status, headers, local.hideUsage),
      onData: (chunk) => this.#push(this.#meter?.data(chunk, now()) ?? chunk),
      onEnd: () => {
        this.#push(this.#meter?.end(now()) ?? NO_PAYLOAD);
        this.#hasEnded = true;
        this.#shell.outgoing.mark(this, "now");
      },
      onError: (error, hadHead) =>
        hadHead
          ? this.#abort("ollama_broke", "ollama", error.message)
          : this.#abort("ollama_unreachable", "ollama", `Ollama does not answer on this box: ${error.message}`),
    });
  }

  #onHead(status: number, headers: Headers, isRewritten: boolean): void {
    this.#httpStatus = status;
    this.#meter?.head(status, headers.find(([name]) => name === "content-type")?.[1] ?? null, this.#shell.now());
    const kept = isRewritten ? headers.filter(([name]) => name !== "content-length") : headers;
    this.#head = jsonBytes({ status, headers: kept });
    // A streamed answer's head is followed by its first bytes at once; so is any other's.
    this.#shell.outgoing.mark(this, "now");
  }

  #push(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.#chunks.push(chunk);
    this.#chunkBytes += chunk.length;
    const canWait = this.#open.stream && this.#hasSentData && this.#chunkBytes < DATA_BYTES_MAX;
    this.#hasSentData = true;
    this.#shell.outgoing.mark(this, canWait ? "soon" : "now");
    if (this.#held() >= WINDOW_BYTES && !this.#isPaused) {
      this.#isPaused = true;
      this.#exchange?.pause();
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
      this.#exchange?.resume();
    }
    if (this.#chunkBytes > 0 || (this.#hasEnded && !this.#endSent)) this.#shell.outgoing.mark(this, "now");
    else if (this.#endSent && this.#sender.isSettled) this.#succeed();
  }

  #resume(next: number): void {
    const frames = this.#sender.since(next);
    this.#resumed++;
    this.#detachedMs = null;
    this.#say(FrameType.resume, this.#receiver.next);
    this.#shell.outgoing.now(...frames);
    this.#shell.outgoing.mark(this, "now");
  }

  #say(type: typeof FrameType.ack | typeof FrameType.resume, seq: number): void {
    this.#shell.outgoing.now(streamFrame(type, this.id, seq));
  }

  #succeed(): void {
    const error = this.#meter?.measured().error ?? null;
    this.#close({
      status: error === null ? "success" : "error",
      httpStatus: this.#httpStatus ?? 200,
      failedAt: error === null ? null : "ollama",
      error,
    });
  }

  #abort(code: AbortCode, failedAt: FailedAt, message: string): void {
    if (this.#isOver) return;
    // What Ollama did say goes first; the edge ends the caller's answer in its own format.
    const abort = streamFrame(FrameType.abort, this.id, 0, jsonBytes({ code, message: cut(message, ERROR_CHARS_MAX) }));
    this.#shell.outgoing.now(...this.take(), abort);
    this.#fail(failedAt, message);
  }

  #fail(failedAt: FailedAt, error: string): void {
    this.#close({ status: "error", httpStatus: this.#httpStatus ?? (failedAt === "ollama" ? 502 : 504), failedAt, error });
  }

  #close({ status, httpStatus, failedAt, error }: Outcome): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#exchange?.abort();
    // The meter's own finding is the outcome already.
    const { error: _, ...measured } = this.#meter?.measured() ?? { ...UNMEASURED, error: null };
    const record: RequestRecord = {
      ...factsOf(this.id, this.#open),
      ...measured,
      box: this.#shell.box,
      status,
      http_status: httpStatus,
      failed_at: failedAt,
      error_message: error === null ? null : cut(error, ERROR_CHARS_MAX),
      prompt: this.#prompt,
      latency_ms: round(this.#shell.now() - this.#startMs),
      energy_j: null,
      resumed: this.#resumed,
    };
    this.#shell.spool.finish(record);
    this.#shell.outgoing.forget(this);
    this.#shell.onOver(this);
  }
}

const round = (ms: number) => Math.round(ms * 1_000) / 1_000;

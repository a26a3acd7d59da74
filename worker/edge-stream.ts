/**
 * The edge's end of one stream: holds the caller's answer, sends the request through the Box, and
 * writes what comes back as fast as the caller takes it.
 *
 * Lives as long as the answer, in the Worker invocation that owes it. Survives the loss of either
 * socket on the way (its own to the Box, the agent's to the Box) by numbering and resuming; when
 * the agent stays away longer than the grace period, the answer ends with an error in its format.
 */

import { endingOf } from "../protocol/ending.ts";
import { Receiver, Sender } from "../protocol/flow.ts";
import {
  decodeFrames,
  encodeFrames,
  type Frame,
  FrameError,
  FrameType,
  jsonBytes,
  parsePayload,
  type StreamId,
  streamFrame,
  typeName,
} from "../protocol/frames.ts";
import { DATA_BYTES_MAX, ERROR_CHARS_MAX, GRACE_MS } from "../protocol/limits.ts";
import { Abort, Head, type Open } from "../protocol/messages.ts";
import { concat } from "./bytes.ts";
import { errorResponse, type FailureReason, GatewayError, tellCaller } from "./errors.ts";

export type EdgeCall = {
  id: StreamId;
  box: string;
  open: Open;
  body: Uint8Array | ReadableStream<Uint8Array> | null;
  /** Aborted when the caller goes away. */
  signal: AbortSignal;
  /** The socket to the Box, or a new one after a loss. @throws {GatewayError} when the Box refuses */
  attach(isResume: boolean): Promise<WebSocket>;
};

/**
 * How a stream ended, and who keeps the record. The agent does, when it had the stream to its end;
 * else the edge must.
 */
export type Ended =
  | { by: "agent" }
  | { by: "edge"; status: "error"; httpStatus: number; failure: FailureReason }
  | { by: "edge"; status: "cancelled"; httpStatus: number };

const REDIAL_MS = 100;
/** Nothing heard from the agent for so long: is it still there? A cold load is silent too, so this is asked seldom. */
const PROBE_MS = 5_000;
/** Statuses whose answers have no body (RFC 9110). */
const NULL_BODY = new Set([204, 205, 304]);

export class EdgeStream {
  readonly #call: EdgeCall;
  readonly #sender: Sender;
  readonly #receiver = new Receiver();
  readonly #answered = Promise.withResolvers<Response>();
  readonly #ended = Promise.withResolvers<Ended>();
  #socket: WebSocket;
  #isAgentAway = false;
  #grace: ReturnType<typeof setTimeout> | null = null;
  #probe: ReturnType<typeof setInterval> | null = null;
  #isSilent = false;
  // The request on its way to the box.
  #reader: ReadableStreamDefaultReader<Uint8Array> | null = null;
  #chunk: Uint8Array | null = null;
  #isReading = false;
  #isBodySent = false;
  // The answer on its way to the caller.
  #head: Head | null = null;
  #writer: WritableStreamDefaultWriter<Uint8Array> | null = null;
  #queue: Uint8Array[] = [];
  #queuedNext = 0;
  #isWriting = false;
  #hasEnded = false;
  #failure: FailureReason | null = null;
  #isAtLineStart = true;
  #isOver = false;

  /** @param socket  attached to the Box, accepted or not */
  constructor(call: EdgeCall, socket: WebSocket) {
    this.#call = call;
    this.#sender = new Sender(call.id);
    this.#socket = socket;
    if (call.body instanceof ReadableStream) this.#reader = call.body.getReader();
    else this.#chunk = call.body;
    this.#listen(socket);
    call.signal.addEventListener("abort", () => this.#cancel(), { once: true });
    this.#send([this.#sender.frame(FrameType.open, jsonBytes(call.open)), ...this.#bodyFrames()]);
    // After the OPEN: the agent records a stream that was cancelled, but not one that it never saw.
    if (call.signal.aborted) this.#cancel();
    if (!this.#isOver) this.#probe = setInterval(() => this.#checkSilence(), PROBE_MS);
  }

  /** The caller's answer, once it begins. Never rejects. */
  get response(): Promise<Response> {
    return this.#answered.promise;
  }

  /** Never rejects. */
  get ended(): Promise<Ended> {
    return this.#ended.promise;
  }

  #listen(socket: WebSocket): void {
    socket.binaryType = "arraybuffer";
    socket.accept();
    socket.addEventListener("message", ({ data }) => {
      if (this.#isOver || socket !== this.#socket || typeof data === "string") return;
      try {
        this.#receive(decodeFrames(data as ArrayBuffer));
      } catch (error) {
        if (!(error instanceof FrameError)) throw error;
        this.#abort("gave_up", error.message.slice(0, ERROR_CHARS_MAX)); // it believes that all is well
        this.#fail({ reason: "box_refused", message: `The box sent something that is no answer: ${error.message}` });
      }
    });
    let isLost = false;
    const lost = () => {
      if (isLost || this.#isOver || socket !== this.#socket) return;
      isLost = true; // an error may be followed by a close: one new socket is enough
      void this.#redial();
    };
    socket.addEventListener("close", lost);
    socket.addEventListener("error", lost);
  }

  /** The Box went away (it was restarted or moved): find it again, and go on. */
  async #redial(): Promise<void> {
    this.#awaitAgent();
    while (!this.#isOver) {
      await new Promise((resolve) => setTimeout(resolve, REDIAL_MS * (0.5 + Math.random())));
      try {
        const socket = await this.#call.attach(true);
        if (this.#isOver) return socket.close(1000);
        this.#socket = socket;
        this.#listen(socket);
        return this.#askResume();
      } catch {
        // The grace period is running; it ends this.
      }
    }
  }

  #receive(frames: Frame[]): void {
    for (const frame of frames) {
      switch (frame.type) {
        case FrameType.head:
        case FrameType.data:
        case FrameType.end:
          this.#heard();
          this.#accept(frame);
          break;
        case FrameType.ack:
          this.#heard();
          if (this.#sender.acknowledge(frame.seq)) this.#send(this.#bodyFrames());
          break;
        case FrameType.resume:
          this.#heard();
          this.#send([...this.#sender.since(frame.seq), ...this.#bodyFrames()]);
          break;
        case FrameType.abort:
          this.#aborted(parsePayload(Abort, frame.payload));
          break;
        case FrameType.gone:
          this.#awaitAgent();
          break;
        case FrameType.back:
          this.#askResume();
          break;
        default:
          throw new FrameError(`${typeName(frame.type)} on a stream`);
      }
    }
    this.#answer();
    void this.#write();
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

  /** Begins the caller's answer when there is a head. A short one that is here whole needs no stream. */
  #answer(): void {
    if (this.#head === null || this.#writer !== null || this.#isOver) return;
    const { status, headers } = this.#head;
    const answerHeaders = new Headers();
    for (const [name, value] of headers) if (name !== "content-length") answerHeaders.append(name, value);
    const length = headers.find(([name]) => name === "content-length")?.[1];
    if (this.#call.open.method === "HEAD" || NULL_BODY.has(status)) {
      if (length !== undefined) answerHeaders.set("content-length", length);
      if (!this.#hasEnded) return;
      this.#answered.resolve(new Response(null, { status, headers: answerHeaders }));
      return this.#complete();
    }
    if (this.#hasEnded) {
      const whole = concat(this.#queue);
      this.#queue = [];
      this.#answered.resolve(new Response(whole, { status, headers: answerHeaders }));
      return this.#complete();
    }
    const { readable, writable } =
      length !== undefined && /^\d{1,15}$/.test(length) ? new FixedLengthStream(Number(length)) : new IdentityTransformStream();
    this.#writer = writable.getWriter();
    // A caller that goes away shows here too, also between two writes.
    this.#writer.closed.catch(() => this.#cancel());
    this.#answered.resolve(new Response(readable, { status, headers: answerHeaders }));
  }

  /** Writes what is queued, at the caller's pace, and acknowledges what was taken. One at a time. */
  async #write(): Promise<void> {
    if (this.#isWriting || this.#writer === null) return;
    this.#isWriting = true;
    try {
      while (this.#queue.length > 0 && !this.#isOver) {
        const bytes = concat(this.#queue);
        const next = this.#queuedNext;
        this.#queue = [];
        this.#isAtLineStart = bytes.at(-1) === 0x0a;
        await this.#writer.write(bytes);
        if (this.#receiver.consume(next, bytes.length)) this.#acknowledge();
      }
      if (this.#isOver) return;
      if (this.#hasEnded) {
        await this.#writer.close();
        this.#complete();
      } else if (this.#failure !== null) await this.#breakOff(this.#failure);
    } catch {
      this.#cancel();
    } finally {
      this.#isWriting = false;
    }
  }

  /** Ends an answer that had begun with an error in its own format. */
  async #breakOff(failure: FailureReason): Promise<void> {
    const type = this.#head?.headers.find(([name]) => name === "content-type")?.[1] ?? "";
    const last = endingOf(type, this.#call.open.api, tellCaller(failure), this.#call.id, this.#isAtLineStart);
    if (last === null) {
      this.#over(this.#endedBy(failure)); // first: an aborted writer looks like a caller that left
      return this.#writer?.abort(new GatewayError(failure));
    }
    await this.#writer?.write(last);
    await this.#writer?.close();
    this.#over(this.#endedBy(failure));
  }

  #complete(): void {
    this.#receiver.consume(this.#queuedNext, 0);
    this.#acknowledge();
    this.#over({ by: "agent" });
  }

  /** The agent ended the stream: it said why, and keeps the record unless it never took the request. */
  #aborted({ code, message }: Abort): void {
    const { box } = this.#call;
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

  #fail(failure: FailureReason): void {
    if (this.#isOver || this.#failure !== null) return;
    this.#failure = failure;
    this.#answer();
    if (this.#writer !== null) return void this.#write();
    this.#answered.resolve(errorResponse(this.#call.open.api, failure, this.#call.id));
    this.#over(this.#endedBy(failure));
  }

  #endedBy(failure: FailureReason): Ended {
    const isAgents = failure.reason === "ollama_unreachable" || failure.reason === "ollama_broke" || failure.reason === "agent_restarted";
    return isAgents
      ? { by: "agent" }
      : { by: "edge", status: "error", httpStatus: this.#head?.status ?? tellCaller(failure).status, failure };
  }

  #cancel(): void {
    if (this.#isOver) return;
    const reached = this.#isAgentAway ? false : this.#abort("caller_gone", "the caller went away");
    this.#writer?.abort().catch(() => {});
    this.#answered.resolve(new Response(null, { status: 499 }));
    this.#over(reached ? { by: "agent" } : { by: "edge", status: "cancelled", httpStatus: this.#head?.status ?? 499 });
  }

  #giveUp(): void {
    this.#abort("gave_up", `the caller was told that box ${this.#call.box} was lost`);
    this.#fail({ reason: "tunnel_lost", box: this.#call.box });
  }

  #awaitAgent(): void {
    this.#isAgentAway = true;
    this.#grace ??= setTimeout(() => this.#giveUp(), GRACE_MS);
  }

  /** A half-open link says nothing by itself: whatever the Box is sent, it looks whether its agent lives. */
  #checkSilence(): void {
    if (this.#isSilent && !this.#isAgentAway) this.#acknowledge();
    this.#isSilent = true;
  }

  #heard(): void {
    this.#isAgentAway = false;
    this.#isSilent = false;
    if (this.#grace !== null) clearTimeout(this.#grace);
    this.#grace = null;
  }

  #askResume(): void {
    this.#send([streamFrame(FrameType.resume, this.#call.id, this.#receiver.next)]);
  }

  #acknowledge(): void {
    this.#send([streamFrame(FrameType.ack, this.#call.id, this.#receiver.consumed)]);
  }

  #abort(code: "caller_gone" | "gave_up", message: string): boolean {
    return this.#send([streamFrame(FrameType.abort, this.#call.id, 0, jsonBytes({ code, message }))]);
  }

  /** As much of the body as there is room for, and its end. Reading a streamed body goes on by itself. */
  #bodyFrames(): Frame[] {
    const frames: Frame[] = [];
    while (!this.#isBodySent && this.#sender.room > 0) {
      if (this.#chunk === null || this.#chunk.length === 0) {
        if (this.#reader !== null) {
          void this.#read(this.#reader);
          break;
        }
        this.#isBodySent = true;
        frames.push(this.#sender.frame(FrameType.end));
      } else {
        frames.push(this.#sender.frame(FrameType.data, this.#chunk.subarray(0, DATA_BYTES_MAX)));
        this.#chunk = this.#chunk.subarray(DATA_BYTES_MAX);
      }
    }
    return frames;
  }

  async #read(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
    if (this.#isReading) return;
    this.#isReading = true;
    try {
      const { done, value } = await reader.read();
      if (done) this.#reader = null;
      else this.#chunk = value;
      this.#isReading = false;
      this.#send(this.#bodyFrames());
    } catch {
      this.#cancel(); // the caller broke off its upload
    }
  }

  #send(frames: Frame[]): boolean {
    if (frames.length === 0 || this.#socket.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(encodeFrames(frames));
    return true;
  }

  #over(ended: Ended): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (this.#probe !== null) clearInterval(this.#probe);
    if (this.#grace !== null) clearTimeout(this.#grace);
    this.#reader?.cancel().catch(() => {});
    try {
      this.#socket.close(1000);
    } catch {
      // it was closed from the other side
    }
    this.#ended.resolve(ended);
  }
}

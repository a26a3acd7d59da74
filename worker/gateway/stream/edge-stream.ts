/**
 * The edge's end of one stream: sends the request through the Box, and writes what comes back to the caller's
 * side as fast as the caller takes it.
 *
 * Lives as long as the answer, in the Worker invocation that owes it. The sockets, the clock and the
 * byte streams are here; {@link EdgeStreamCore} decides everything.
 */
import type { KeyEnd } from "../../../protocol/call-end.ts";
import { DAY_MS } from "../../../protocol/day.ts";
import { encodeFrames, type Frame, type StreamId } from "../../../protocol/frames.ts";
import { DATA_BYTES_MAX } from "../../../protocol/limits.ts";
import { freeMemory } from "../../../protocol/memory.ts";
import type { Open } from "../../../protocol/messages.ts";
import { GatewayError } from "../../errors.ts";
import { uploadFailure } from "../broken-upload.ts";
import type { CallerAnswer, EdgeStreamActions } from "./actions.ts";
import type { CallerSide } from "./caller-side.ts";
import { EdgeStreamCore } from "./edge-stream-core.ts";
import type { Ended } from "./ended.ts";
import type { Pulse } from "./pulse.ts";

/** A timer cannot be set for longer than 24 days. */
const TIMER_MS_MAX = DAY_MS;

export type EdgeCall = {
  id: StreamId;
  box: string;
  open: Open;
  /** The end of the caller's key; null for other credentials. */
  keyEnd: KeyEnd | null;
  /** The agent ends the stream if it loses its tunnel: another box can serve the call. */
  yields: boolean;
  body: Uint8Array | ReadableStream<Uint8Array> | null;
  caller: CallerSide;
  /** Aborted when the caller leaves. */
  signal: AbortSignal;
  /** The box's, shared by its streams in this isolate. */
  pulse: Pulse;
  /**
   * Dials a new socket to the Box, after the last one was lost.
   * @throws {GatewayError} if the Box refuses; `key_ended`
   */
  attachAgain(): Promise<WebSocket>;
  /** The body is no longer needed. May be called more than once. */
  onBodySent(): void;
};

export class EdgeStream {
  readonly #call: Omit<EdgeCall, "body">;
  /** Null once it is read from, or framed: it must not stay for the time of the answer. */
  #body: EdgeCall["body"];
  readonly #core: EdgeStreamCore;
  readonly #answered = Promise.withResolvers<CallerAnswer>();
  readonly #ended = Promise.withResolvers<Ended>();
  readonly #done = Promise.withResolvers<void>();
  /** Null until the Box takes the stream. */
  #socket: WebSocket | null = null;
  #timer: { id: ReturnType<typeof setTimeout>; atMs: number } | null = null;
  #reader: ReadableStreamBYOBReader | null = null;
  #hasEnded = false;
  #isDone = false;

  constructor({ body, ...call }: EdgeCall) {
    const { id, box, open, yields, keyEnd, pulse, caller } = call;
    caller.early?.moved();
    this.#call = call;
    this.#body = body;
    this.#core = new EdgeStreamCore(
      { id, box, open, yields, early: caller.early, ...(keyEnd !== null && { keyEnd }) },
      body instanceof ReadableStream ? "streamed" : body,
      pulse,
      Math.random,
    );
  }

  /** The request as it was sent to the box. */
  get request(): Open {
    return this.#call.open;
  }

  /** Returns the first frames. Once, before {@link begin}; neither holds or reads anything yet. */
  open(): Frame[] {
    return this.#core.open();
  }

  /**
   * Begins: the Box took the stream, or did not answer.
   * @param socket  attached to the Box, accepted or not; null if the Box did not answer
   * @param rest    the first frames that it has not passed on
   */
  begin(socket: WebSocket | null, rest: readonly Frame[]): void {
    const { signal, caller } = this.#call;
    if (this.#body instanceof ReadableStream) this.#reader = this.#body.getReader({ mode: "byob" });
    this.#body = null;
    signal.addEventListener("abort", () => this.#cancel(), { once: true });
    caller.onGone = () => this.#cancel();
    if (socket === null) this.#do(this.#core.lost(Date.now()));
    else {
      this.#socket = socket;
      this.#listen(socket);
      this.#do(this.#core.begin(Date.now(), rest));
    }
    // After the OPEN: the agent records a cancelled stream, but not one that it never saw.
    if (signal.aborted || caller.isGone) this.#cancel();
  }

  /**
   * Resolves with the answer of the box, once it is decided. The caller has those that are streamed; the others
   * wait for {@link CallerSide.give}. Never rejects.
   */
  get answer(): Promise<CallerAnswer> {
    return this.#answered.promise;
  }

  /** It is decided if the call stays on this box: only then is a stream that failed there done. */
  settled(stays: boolean): void {
    this.#do(this.#core.settled(stays));
  }

  /** Resolves when the stream is over. Never rejects. */
  get ended(): Promise<Ended> {
    return this.#ended.promise;
  }

  /** True once {@link ended} is resolved. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /**
   * Resolves when nothing is left to do, including the ABORT for an agent that was away. After
   * {@link settled}, if the stream failed. Never rejects.
   */
  get done(): Promise<void> {
    return this.#done.promise;
  }

  #listen(socket: WebSocket): void {
    socket.binaryType = "arraybuffer";
    socket.accept();
    const isCurrent = () => !this.#isDone && socket === this.#socket;
    socket.addEventListener("message", ({ data }) => {
      if (isCurrent() && typeof data !== "string")
        this.#do(this.#core.received(data as ArrayBuffer, Date.now()));
    });
    const lost = () => isCurrent() && this.#do(this.#core.lost(Date.now()));
    socket.addEventListener("close", lost);
    socket.addEventListener("error", lost);
  }

  /** Runs the actions of the core, in their order. */
  #do(acts: EdgeStreamActions): void {
    const { frames, early, answer, ended, write, finish, redialMs } = acts;
    if (frames.length > 0 && this.#socket?.readyState === WebSocket.OPEN) {
      const message = encodeFrames(frames);
      this.#socket.send(message);
      freeMemory(message.buffer);
    }
    if (early !== null) this.#call.caller.beginEarly(early);
    if (answer !== null) this.#begin(answer);
    if (ended !== null) {
      this.#hasEnded = true;
      this.#ended.resolve(ended);
    }
    if (write !== null || finish !== null) void this.#write(write, finish);
    if (acts.isBodySent) this.#call.onBodySent();
    if (acts.readsBody && this.#reader !== null) void this.#read(this.#reader);
    if (redialMs !== null) void this.#redial(redialMs);
    if (acts.isDone) this.#release();
    else this.#scheduleTick();
  }

  #begin(answer: CallerAnswer): void {
    if (answer.kind === "streamed") this.#call.caller.begin(answer);
    this.#answered.resolve(answer);
  }

  async #write(bytes: Uint8Array | null, finish: EdgeStreamActions["finish"]): Promise<void> {
    const { caller, box } = this.#call;
    if (!(await caller.write(bytes, finish, box))) return this.#cancel();
    this.#do(finish === null ? this.#core.wrote() : this.#core.closed());
  }

  /**
   * Reads as much as a frame may have: other reads return 4 KiB, and each message costs the same,
   * whatever its size.
   */
  async #read(reader: ReadableStreamBYOBReader): Promise<void> {
    try {
      const { done, value } = await reader.readAtLeast(
        DATA_BYTES_MAX,
        new Uint8Array(DATA_BYTES_MAX),
      );
      if (done) this.#reader = null;
      this.#do(this.#core.body(done ? null : value));
    } catch (error) {
      if (uploadFailure(error).reason === "caller_left") this.#cancel();
      else this.#do(this.#core.bodyBroke());
    }
  }

  async #redial(waitMs: number): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, waitMs));
    if (this.#isDone) return;
    try {
      const socket = await this.#call.attachAgain();
      if (this.#isDone) return socket.close(1000);
      this.#socket = socket;
      this.#listen(socket);
      this.#do(this.#core.attached(Date.now()));
    } catch (error) {
      const failure = error instanceof GatewayError ? error.failure : null;
      if (failure?.reason === "key_ended") this.#do(this.#core.keyEnded(failure, Date.now()));
      else this.#do(this.#core.refused());
    }
  }

  #cancel(): void {
    // The close event may still be on its way; a frame sent now would be lost.
    if (this.#socket?.readyState !== WebSocket.OPEN) this.#do(this.#core.lost(Date.now()));
    this.#do(this.#core.callerGone(Date.now()));
  }

  /**
   * Keeps one timer, and sets it again only if it would fire too late: most deadlines move on
   * before.
   */
  #scheduleTick(): void {
    const nowMs = Date.now();
    const atMs = this.#core.nextTickMs(nowMs);
    if (this.#isDone || atMs === null || (this.#timer !== null && this.#timer.atMs <= atMs)) return;
    if (this.#timer !== null) clearTimeout(this.#timer.id);
    const waitMs = Math.min(atMs - nowMs, TIMER_MS_MAX);
    const id = setTimeout(() => {
      this.#timer = null;
      this.#do(this.#core.tick(Date.now()));
    }, waitMs);
    this.#timer = { id, atMs };
  }

  #release(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    if (this.#timer !== null) clearTimeout(this.#timer.id);
    this.#reader?.cancel().catch(() => {});
    try {
      this.#socket?.close(1000);
    } catch {
      // it was closed from the other side
    }
    this.#done.resolve();
  }
}

/**
 * The box's end of one stream: takes the caller's request from the tunnel, has Ollama asked, and
 * sends the answer back. What it costs and how it ended is the measured request's business.
 *
 * The thin shell around {@link AgentStreamCore}, which decides everything. A cut of the tunnel changes
 * nothing here: the stream waits, detached, until the edge resumes it or the grace period ends.
 */
import type { Frame, StreamId } from "../../protocol/frames.ts";
import type { OpenRequest } from "../../protocol/inventory.ts";
import type { Open } from "../../protocol/messages.ts";
import { MeasuredRequest, type MeasuredRequestShell } from "../request/measured-request.ts";
import type { Outgoing, Source } from "./outgoing.ts";
import { type AgentStreamActions, AgentStreamCore, type StreamOutcome } from "./stream-core.ts";

export type StreamShell = MeasuredRequestShell & {
  outgoing: Outgoing;
  /** A round trip of the tunnel as it is now; null when not known. */
  tunnelMs: () => number | null;
  /** The stream is over and its record is in the spool. */
  onOver(stream: AgentStream): void;
};

/** What the edge says where the answer had not begun and the agent does not come back: see `tunnel_lost`. */
const GATEWAY_TIMEOUT = 504;
const BAD_GATEWAY = 502;

export class AgentStream implements Source {
  readonly id: StreamId;
  /** The route pattern, e.g. `/api/chat`. */
  readonly endpoint: string;
  readonly #core: AgentStreamCore;
  readonly #request: MeasuredRequest;
  readonly #shell: StreamShell;

  /** @param streamsBody  the body goes to Ollama as it comes (blobs), instead of whole (JSON) */
  constructor(id: StreamId, open: Open, streamsBody: boolean, shell: StreamShell) {
    this.id = id;
    this.endpoint = open.endpoint;
    this.#core = new AgentStreamCore(id, streamsBody, open.stream);
    this.#request = new MeasuredRequest(
      id,
      open,
      { atMs: shell.now(), tunnelMs: shell.tunnelMs() },
      shell,
    );
    this.#shell = shell;
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
    return this.#core.detachedMs;
  }

  /** Bytes of the answer in this process. For tests. */
  get keptBytes(): number {
    return this.#core.keptBytes;
  }

  /**
   * Numbered frames and acknowledgements of this stream, in the order in which they came.
   * @throws {FrameError} when a frame says what cannot be
   */
  receive(frame: Frame): void {
    this.#do(this.#core.received(frame));
  }

  take(): Frame[] {
    return this.#core.take();
  }

  /** The tunnel is gone. The local request goes on, up to the window. */
  detach(): void {
    this.#core.detach(this.#shell.now());
  }

  /** Ends the stream because the edge, or this agent, will not come back for it. */
  giveUp(message: string): void {
    this.#do(this.#core.giveUp(message));
  }

  /** Ends the stream because the edge said what cannot be. */
  refuse(message: string): void {
    this.#do(this.#core.refuse(message));
  }

  /** Does what the core says, in the order in which it says it. */
  #do({ frames, ready, ask, write, endsBody, flow, outcome }: AgentStreamActions): void {
    if (frames.length > 0) this.#shell.outgoing.now(...frames);
    if (ready !== null) this.#shell.outgoing.mark(this, ready);
    if (ask !== null) this.#ask(ask.body);
    if (write !== null) this.#write(write);
    if (endsBody) this.#request.end();
    if (flow === "pause") this.#request.pause();
    else if (flow === "resume") this.#request.resume();
    if (outcome !== null) this.#over(outcome);
  }

  #ask(body: Uint8Array | null): void {
    this.#request.send(body, {
      onHead: (status, headers) => this.#do(this.#core.answerHead(status, headers)),
      onData: (chunk) => this.#do(this.#core.answerData(chunk)),
      onEnd: () => this.#do(this.#core.answerEnd()),
      onError: (message, hadHead) => this.#do(this.#core.answerBroke(message, hadHead)),
    });
  }

  #write(part: Uint8Array): void {
    const taken = () => this.#do(this.#core.bodyTaken());
    if (this.#request.write(part)) taken();
    else this.#request.onDrain(taken);
  }

  #over(outcome: StreamOutcome): void {
    const { outgoing, onOver } = this.#shell;
    const { resumed, begunStatus } = this.#core;
    this.#request.resumed = resumed;
    if (outcome.kind === "complete") this.#request.complete();
    else if (outcome.kind === "cancelled") this.#request.cancel(begunStatus);
    else {
      const told = outcome.failedAt === "ollama" ? BAD_GATEWAY : GATEWAY_TIMEOUT;
      this.#request.fail(outcome.failedAt, outcome.message, begunStatus ?? told);
    }
    outgoing.forget(this);
    onOver(this);
  }
}

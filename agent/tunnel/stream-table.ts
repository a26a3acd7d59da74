/**
 * The open streams of an agent, and what becomes of them when the tunnel comes and goes.
 *
 * Each frame of a stream finds its stream here, or is told why there is none.
 */

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
import type { OpenRequest } from "../../protocol/inventory.ts";
import { GRACE_MS } from "../../protocol/limits.ts";
import { type AbortCode, Open } from "../../protocol/messages.ts";
import { matchOllamaRoute } from "../../protocol/routes.ts";
import type { Log } from "../log.ts";
import type { Spool } from "../spool/spool.ts";
import { AgentStream, type StreamShell } from "./stream.ts";

/** The edge asks at once when the agent is back. A stream that it has not asked for by then has no caller: Ollama need not go on. */
const RESUMED_WITHIN_MS = 5_000;

export type TableShell = Omit<StreamShell, "onOver"> & {
  spool: Spool;
  log: Log;
  /** A stream is over and its record is in the spool. */
  onOver(endpoint: string): void;
};

export class StreamTable {
  readonly #shell: TableShell;
  readonly #streamShell: StreamShell;
  readonly #streams = new Map<StreamId, AgentStream>();
  /** Since when the tunnel is up, monotonic ms; null while it is down. */
  #upMs: number | null = null;
  /** No new streams. */
  isDraining = false;

  constructor(shell: TableShell) {
    this.#shell = shell;
    this.#streamShell = {
      ...shell,
      onOver: (stream) => {
        this.#streams.delete(stream.id);
        shell.onOver(stream.endpoint);
      },
    };
  }

  get size(): number {
    return this.#streams.size;
  }

  /** What readings say of them. */
  get requests(): OpenRequest[] {
    return Array.from(this.#streams.values(), (stream) => stream.asOpen);
  }

  /** Streams that Ollama has not begun to answer. */
  get queued(): number {
    let queued = 0;
    for (const stream of this.#streams.values()) if (stream.isQueued) queued++;
    return queued;
  }

  /** For tests. */
  get streams(): Iterable<AgentStream> {
    return this.#streams.values();
  }

  /** A frame of a stream. @throws {FrameError} when it is none that the edge may send */
  receive(frame: Frame): void {
    switch (frame.type) {
      case FrameType.open:
        return this.#open(frame);
      case FrameType.data:
      case FrameType.end:
      case FrameType.ack:
      case FrameType.abort:
        // Of a stream that is over: its last words crossed ours.
        return this.#deliver(this.#streams.get(frame.stream), frame);
      case FrameType.resume:
        return this.#resume(frame);
      default:
        throw new FrameError(`${typeName(frame.type)} from the edge`);
    }
  }

  /** The tunnel is up: whoever still wants a stream asks for it now. */
  attach(): void {
    this.#upMs = this.#shell.now();
  }

  /** The tunnel is gone. */
  detach(): void {
    this.#upMs = null;
    for (const stream of this.#streams.values()) stream.detach();
  }

  /** Ends the streams that no edge has come back for. */
  giveUpLost(): void {
    const nowMs = this.#shell.now();
    const isUnwanted = this.#upMs !== null && nowMs - this.#upMs > RESUMED_WITHIN_MS;
    for (const stream of [...this.#streams.values()]) {
      if (stream.detachedMs === null) continue;
      if (isUnwanted || nowMs - stream.detachedMs > GRACE_MS)
        stream.giveUp("the tunnel was lost, and the edge did not come back for the request");
    }
  }

  /** Ends all streams. */
  giveUp(message: string): void {
    for (const stream of [...this.#streams.values()]) stream.giveUp(message);
  }

  #open(frame: Frame): void {
    const { box, spool } = this.#shell;
    const known = this.#streams.get(frame.stream);
    if (known !== undefined) return this.#deliver(known, frame);
    if (spool.knows(frame.stream))
      return this.#refuse(
        frame.stream,
        "lost",
        "the agent was restarted while it served this request",
      );
    if (this.isDraining)
      return this.#refuse(frame.stream, "draining", `box ${box} takes no new requests`);
    let open: Open;
    try {
      open = parsePayload(Open, frame.payload);
    } catch (error) {
      // Not the tunnel's fault: closed for it, it would be resumed with the same frame, for ever.
      return this.#refuse(
        frame.stream,
        "bad_request",
        `box ${box} does not understand the request: ${(error as Error).message}`,
      );
    }
    const match = matchOllamaRoute(open.method, open.path);
    // The edge has checked this. The box checks it too: it is the box's Ollama.
    if (!match.ok || match.route.path !== open.endpoint)
      return this.#refuse(
        frame.stream,
        "bad_request",
        `${open.method} ${open.path} is not allowed on box ${box}`,
      );
    const stream = new AgentStream(
      frame.stream,
      open,
      match.route.body === "raw",
      this.#streamShell,
    );
    this.#streams.set(frame.stream, stream);
    this.#deliver(stream, frame);
  }

  /** What one stream cannot take ends that stream: all others share its tunnel, and this process. */
  #deliver(stream: AgentStream | undefined, frame: Frame): void {
    try {
      stream?.receive(frame);
    } catch (error) {
      this.#shell.log("error", "stream_failed", { request_id: frame.stream, error });
      stream?.refuse((error as Error).message);
    }
  }

  #resume(frame: Frame): void {
    const { box, spool, outgoing } = this.#shell;
    const stream = this.#streams.get(frame.stream);
    if (stream !== undefined) return this.#deliver(stream, frame);
    if (spool.knows(frame.stream))
      return this.#refuse(
        frame.stream,
        "lost",
        "the agent was restarted while it served this request",
      );
    // Answered in part by an agent whose spool is gone: asked again, Ollama would go on differently. Not "lost": only the edge can record it.
    if (frame.seq > 0)
      return this.#refuse(frame.stream, "bad_request", `box ${box} has forgotten this request`);
    // Never seen: its first frames were lost on the way. Ask for them.
    outgoing.now(streamFrame(FrameType.resume, frame.stream));
  }

  #refuse(stream: StreamId, code: AbortCode, message: string): void {
    this.#shell.outgoing.now(streamFrame(FrameType.abort, stream, 0, jsonBytes({ code, message })));
  }
}

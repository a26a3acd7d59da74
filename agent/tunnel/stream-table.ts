/**
 * The open streams of an agent: delivers each frame to its stream, refuses frames that have none,
 * and attaches and detaches all streams as the tunnel comes and goes.
 */

import { BENCH_ROUTE } from "../../protocol/bench.ts";
import {
  type Frame,
  FrameError,
  FrameType,
  parsePayload,
  type StreamId,
  streamFrame,
  typeName,
} from "../../protocol/frames.ts";
import type { OpenRequest } from "../../protocol/inventory.ts";
import { GRACE_MS } from "../../protocol/limits.ts";
import {
  Abort,
  type AbortCode,
  abortFrame,
  Open,
  type WaitReport,
} from "../../protocol/messages.ts";
import { matchOllamaRoute, type OllamaRoute } from "../../protocol/routes.ts";
import type { Log } from "../log.ts";
import type { NotedRequest } from "../spool/lines.ts";
import type { Spool } from "../spool/spool.ts";
import { AgentStream, type StreamShell } from "./stream.ts";

/**
 * The edge sends RESUME at once when the agent is back. A stream that it has not resumed within
 * this has no caller, so Ollama need not go on.
 */
const RESUMED_WITHIN_MS = 5_000;

export type TableShell = Omit<StreamShell, "onOver"> & {
  spool: Spool;
  /** Returns whether a model is in memory, as far as is known. */
  isLoaded(model: string): boolean;
  log: Log;
  /** A stream is over, and its record is in the spool. */
  onOver(endpoint: string): void;
};

export class StreamTable {
  readonly #shell: TableShell;
  readonly #streamShell: StreamShell;
  readonly #streams = new Map<StreamId, AgentStream>();
  /** When the tunnel came up, monotonic ms; null while it is down. */
  #upMs: number | null = null;
  #relaysWaiting = false;
  #onIdle: (() => void) | null = null;
  /** Refuses new streams. */
  isDraining = false;

  constructor(shell: TableShell) {
    this.#shell = shell;
    this.#streamShell = {
      ...shell,
      onOver: (stream) => {
        this.#streams.delete(stream.id);
        shell.onOver(stream.endpoint);
        if (this.#streams.size === 0) this.#onIdle?.();
      },
    };
  }

  get size(): number {
    return this.#streams.size;
  }

  /** Resolves when no stream is open. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#onIdle = resolve;
      if (this.size === 0) resolve();
    });
  }

  /** The open streams as readings list them. */
  get requests(): OpenRequest[] {
    return Array.from(this.#streams.values(), (stream) => stream.asOpen);
  }

  /** The state of the open streams, for the spool. */
  get progress(): NotedRequest[] {
    return Array.from(this.#streams.values(), (stream) => stream.progress);
  }

  /** Ids of the open streams whose answer Ollama has finished. */
  get answered(): string[] {
    return [...this.#streams.values()].filter((stream) => stream.isAnswered).map(({ id }) => id);
  }

  /** For tests. */
  get streams(): Iterable<AgentStream> {
    return this.#streams.values();
  }

  /** Takes a frame of a stream. @throws {FrameError} if the edge may not send that type */
  receive(frame: Frame): void {
    switch (frame.type) {
      case FrameType.open:
        return this.#open(frame);
      case FrameType.data:
      case FrameType.end:
      case FrameType.ack:
      case FrameType.abort:
        return this.#deliver(this.#streams.get(frame.stream), frame);
      case FrameType.resume:
        return this.#resume(frame);
      default:
        throw new FrameError(`${typeName(frame.type)} from the edge`);
    }
  }

  /**
   * The tunnel is up. The edge now resumes the streams that it still wants.
   * @param relaysWaiting  the edge takes reports of waits
   */
  attach(relaysWaiting: boolean): void {
    this.#upMs = this.#shell.now();
    this.#relaysWaiting = relaysWaiting;
  }

  /** The tunnel is lost. @param lastSeenMs  when its last message arrived, monotonic ms */
  detach(lastSeenMs = this.#shell.now()): void {
    this.#upMs = null;
    for (const stream of this.#streams.values()) stream.detach(lastSeenMs);
  }

  /** A second has passed. */
  tick(): void {
    this.giveUpLost();
    this.reportWaits();
  }

  /** Ends the streams that no edge has resumed in time, or that move to another box meanwhile. */
  giveUpLost(): void {
    const nowMs = this.#shell.now();
    const isUnwanted = this.#upMs !== null && nowMs - this.#upMs > RESUMED_WITHIN_MS;
    for (const stream of [...this.#streams.values()]) {
      if (stream.detachedMs === null) continue;
      if (stream.isYielding(nowMs))
        stream.giveUp("the tunnel was lost, and another box can serve the request");
      if (isUnwanted || nowMs - stream.detachedMs > GRACE_MS)
        stream.giveUp("the tunnel was lost, and the edge did not resume the request");
    }
  }

  /** Reports to the edge which requests have waited for long. */
  reportWaits(): void {
    const { queue, isLoaded } = this.#shell;
    const nowMs = this.#shell.now();
    if (this.#upMs === null || !this.#relaysWaiting) return;
    const due = [...this.#streams.values()].filter((stream) => stream.isReportDue(nowMs));
    if (due.length === 0) return;
    const places = queue.places();
    for (const stream of due) {
      const { id, model } = stream;
      const place = places.get(id) ?? null;
      const report: WaitReport = {
        position: place?.position ?? null,
        eta_ms: place?.etaMs ?? null,
        slots: queue.slots.of(model ?? ""),
        is_loading: place === null && model !== null && !isLoaded(model),
      };
      stream.waiting(report, nowMs);
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
      return this.#refuse(
        frame.stream,
        "draining",
        `box ${box} is draining and takes no new requests`,
      );
    let open: Open;
    try {
      open = parsePayload(Open, frame.payload);
    } catch (error) {
      // Closing the tunnel would not help: it would be resumed with the same frame, forever.
      return this.#refuse(
        frame.stream,
        "bad_request",
        `box ${box} cannot parse the OPEN: ${(error as Error).message}`,
      );
    }
    const route = routeOf(open);
    // The edge has checked this. The box checks it again, because the Ollama is its own.
    if (route === null || route.path !== open.endpoint)
      return this.#refuse(
        frame.stream,
        "bad_request",
        `${open.method} ${open.path} is not allowed on box ${box}`,
      );
    const stream = new AgentStream(frame.stream, open, route.body === "raw", this.#streamShell);
    this.#streams.set(frame.stream, stream);
    this.#deliver(stream, frame);
  }

  /** Ends the one stream that cannot take a frame: all others share its tunnel and this process. */
  #deliver(stream: AgentStream | undefined, frame: Frame): void {
    try {
      if (stream === undefined) this.#afterEnd(frame);
      else stream.receive(frame);
    } catch (error) {
      this.#shell.log("error", "stream_failed", { request_id: frame.stream, error });
      stream?.refuse((error as Error).message);
    }
  }

  /** Takes a frame of a stream that is over. In most cases it has crossed the last ones of this agent. */
  #afterEnd({ type, stream, payload }: Frame): void {
    if (type !== FrameType.abort) return;
    if (parsePayload(Abort, payload).stays === true) this.#shell.records.release(stream);
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
    // Answered in part by an agent whose spool is gone. A second answer of Ollama would go on
    // differently. The code is not "lost", because only the edge can record the request.
    if (frame.seq > 0)
      return this.#refuse(frame.stream, "bad_request", `box ${box} has forgotten this request`);
    // Never seen: its first frames were lost on the way. Requests them.
    outgoing.now(streamFrame(FrameType.resume, frame.stream));
  }

  #refuse(stream: StreamId, code: AbortCode, message: string): void {
    this.#shell.outgoing.now(abortFrame(stream, { code, message }));
  }
}

/** Returns the route of a call from the edge: one of Ollama's, or the bench of this agent. */
function routeOf({ method, path }: Open): OllamaRoute | null {
  if (method === BENCH_ROUTE.method && path === BENCH_ROUTE.path) return BENCH_ROUTE;
  const match = matchOllamaRoute(method, path);
  return match.ok ? match.route : null;
}

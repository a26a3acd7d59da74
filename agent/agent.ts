/**
 * The agent: everything on a box that the edge talks to, tied together.
 *
 * Owns the table of open streams and what happens to it when the tunnel comes and goes; the parts
 * it ties (tunnel, spool, GPU reader, inventory) know nothing of each other.
 */
import { randomUUID } from "node:crypto";
import { homedir } from "node:os";
import {
  type Frame,
  FrameError,
  FrameType,
  jsonBytes,
  parsePayload,
  type StreamId,
  streamFrame,
  tunnelFrame,
  typeName,
} from "../protocol/frames.ts";
import type { OpenRequest } from "../protocol/inventory.ts";
import { GRACE_MS, LOOK_MS, OPEN_REQUESTS_MAX, READINGS_IDLE_MS, READINGS_LOOK_MS, RECORDS_PER_BATCH } from "../protocol/limits.ts";
import { type AbortCode, type ExporterType, Open, Recorded, type Welcome } from "../protocol/messages.ts";
import { changesModels, matchOllamaRoute } from "../protocol/routes.ts";
import type { AgentConfig } from "./config.ts";
import { diskFolders } from "./disk.ts";
import { atMost, DRAIN_MS } from "./drain.ts";
import { GpuReader } from "./gpu.ts";
import { InventoryPoller } from "./inventory.ts";
import type { Listener } from "./listener.ts";
import type { Log } from "./log.ts";
import { OllamaClient } from "./ollama.ts";
import { Outgoing } from "./outgoing.ts";
import type { Spool } from "./spool.ts";
import { AgentStream, type StreamShell } from "./stream.ts";
import { SystemSampler } from "./system-sampler.ts";
import { Tunnel } from "./tunnel.ts";
import { AGENT_VERSION } from "./version.ts";

/** Finished records wait this long for company. */
const RECORDS_DELAY_MS = 50;
/** No confirmation for this long: send again. */
const RECORDS_RETRY_MS = 5_000;
/** How long an agent that has nothing else to do waits until the edge has its last records. */
const LAST_RECORDS_MS = 2_000;

export type AgentOptions = {
  /** How long finished records wait for company, ms. */
  recordsDelayMs?: number;
  /** Calls that reach Ollama beside the tunnel count into the gauges, and end with the agent. Whoever made it lets it listen. */
  listener?: Listener | null;
  /** What this program takes the edge to export to. Said once when the edge says another. */
  exporterType?: ExporterType | null;
};

export class EdgeAgent {
  readonly #config: AgentConfig;
  readonly #log: Log;
  readonly #streams = new Map<StreamId, AgentStream>();
  readonly #tunnel: Tunnel;
  readonly #outgoing: Outgoing;
  readonly #ollama: OllamaClient;
  readonly #spool: Spool;
  readonly #gpu: GpuReader;
  readonly #inventory: InventoryPoller;
  readonly #system: SystemSampler;
  readonly #listener: Listener | null;
  readonly #recordsDelayMs: number;
  #expectedExporter: ExporterType | null;
  /** The edge's word on requests that did not come through it. Until it is heard they are kept: the edge drops what it may not keep. */
  #keepsText = true;
  readonly #bootId = randomUUID();
  readonly #shell: StreamShell;
  #isUp = false;
  #isDraining = false;
  #recordsTimer: NodeJS.Timeout | null = null;
  #readingsTimer: NodeJS.Timeout | null = null;
  #lookUntilMs = 0;
  #watch: NodeJS.Timeout | null = null;
  #whenIdle: (() => void) | null = null;
  #whenDelivered: (() => void) | null = null;

  /** @param agentId  random, kept in the state folder: tells a reconnect from a second agent of this name */
  constructor(config: AgentConfig, agentId: string, spool: Spool, log: Log, options: AgentOptions = {}) {
    const now = () => performance.now();
    this.#config = config;
    this.#log = log;
    this.#spool = spool;
    this.#listener = options.listener ?? null;
    this.#recordsDelayMs = options.recordsDelayMs ?? RECORDS_DELAY_MS;
    this.#expectedExporter = options.exporterType ?? null;
    this.#ollama = new OllamaClient(config.ollamaUrl);
    this.#gpu = new GpuReader({
      command: config.nvidiaSmi,
      box: config.box,
      intervalSeconds: READINGS_LOOK_MS / 1_000,
      now: Date.now,
      log,
    });
    this.#inventory = new InventoryPoller({ base: config.ollamaUrl, log, onChange: () => this.#sendReadings() });
    this.#system = new SystemSampler({
      diskFolders: diskFolders({ ollamaModels: config.ollamaModels, home: homedir(), stateDir: config.stateDir }),
      load: () => this.#load(),
    });
    this.#tunnel = new Tunnel({
      edgeUrl: config.edgeUrl,
      secret: config.boxSecret,
      hello: () => ({
        box: config.box,
        agent_id: agentId,
        boot_id: this.#bootId,
        agent_version: AGENT_VERSION,
        now_ms: Date.now(),
        simulated: config.simulated,
      }),
      onUp: (welcome) => this.#up(welcome),
      onDown: () => this.#down(),
      onFrames: (frames) => this.#receive(frames),
      log,
      now,
    });
    this.#outgoing = new Outgoing((message) => this.#tunnel.send(message));
    this.#shell = { box: config.box, ollama: this.#ollama, outgoing: this.#outgoing, spool, now, onOver: (stream) => this.#over(stream) };
  }

  start(): void {
    this.#gpu.start();
    this.#inventory.start();
    this.#system.start();
    this.#tunnel.start();
    this.#watch = setInterval(() => this.#giveUpLost(), 1_000);
  }

  /** Whether the texts of a request that did not come through the edge may be kept. */
  get keepsText(): boolean {
    return this.#keepsText;
  }

  /** A request is finished: its record leaves with the next batch, and what it changed here is told. */
  requestOver(endpoint: string): void {
    if (changesModels(endpoint)) void this.#inventory.refresh();
    if (this.#isUp) this.#recordsTimer ??= setTimeout(() => this.#sendRecords(), this.#recordsDelayMs);
  }

  /** Takes no new requests, lets the open ones finish (up to {@link DRAIN_MS}), then stops. */
  async drain(): Promise<void> {
    this.#isDraining = true;
    this.#log("info", "draining", { open_streams: this.#streams.size });
    this.#outgoing.now(tunnelFrame(FrameType.drain));
    const idle = new Promise<void>((resolve) => {
      this.#whenIdle = resolve;
      if (this.#streams.size === 0) resolve();
    });
    await Promise.all([atMost(DRAIN_MS, idle), this.#listener?.drain()]);
    await atMost(LAST_RECORDS_MS, this.#delivered());
    await this.stop();
  }

  async stop(): Promise<void> {
    for (const stream of [...this.#streams.values()]) stream.giveUp("the agent was stopped while it served this request");
    await this.#listener?.stop();
    // The last records leave with the tunnel if they can; else they are in the spool.
    if (this.#isUp) await atMost(2 * RECORDS_DELAY_MS, this.#delivered());
    this.#isUp = false;
    for (const timer of [this.#watch, this.#recordsTimer, this.#readingsTimer]) if (timer !== null) clearTimeout(timer);
    this.#tunnel.stop();
    this.#inventory.stop();
    this.#system.stop();
    this.#ollama.close();
    await this.#gpu.stop();
    this.#spool.close();
  }

  /** The edge has every record. */
  #delivered(): Promise<void> {
    this.#sendRecords();
    return new Promise((resolve) => {
      this.#whenDelivered = resolve;
      if (this.#spool.pending === 0) resolve();
    });
  }

  #up({ keep_text, exporter_type }: Welcome): void {
    this.#isUp = true;
    this.#keepsText = keep_text ?? false;
    this.#checkExporter(exporter_type);
    this.#outgoing.isOpen = true;
    if (this.#isDraining) this.#outgoing.now(tunnelFrame(FrameType.drain));
    this.#sendReadings();
    this.#sendRecords();
  }

  #checkExporter(ofEdge: ExporterType | undefined): void {
    if (this.#expectedExporter === null || ofEdge === undefined || ofEdge === this.#expectedExporter) return;
    this.#log("warn", "exporter_differs", { expected: this.#expectedExporter, edge: ofEdge });
    this.#expectedExporter = null; // said once
  }

  #down(): void {
    this.#isUp = false;
    this.#outgoing.isOpen = false;
    for (const stream of this.#streams.values()) stream.detach();
  }

  #receive(frames: Frame[]): void {
    for (const frame of frames) {
      switch (frame.type) {
        case FrameType.open:
          this.#open(frame);
          break;
        case FrameType.data:
        case FrameType.end:
        case FrameType.ack:
        case FrameType.abort:
          // Of a stream that is over: its last words crossed ours.
          this.#deliver(this.#streams.get(frame.stream), frame);
          break;
        case FrameType.resume:
          this.#resume(frame);
          break;
        case FrameType.recorded:
          this.#spool.confirm(parsePayload(Recorded, frame.payload).position);
          this.#clearRecordsTimer();
          if (this.#spool.pending > 0) this.#sendRecords();
          else this.#whenDelivered?.();
          break;
        case FrameType.look:
          this.#look();
          break;
        default:
          throw new FrameError(`${typeName(frame.type)} from the edge`);
      }
    }
  }

  #open(frame: Frame): void {
    const known = this.#streams.get(frame.stream);
    if (known !== undefined) return this.#deliver(known, frame);
    if (this.#spool.knows(frame.stream)) return this.#refuse(frame.stream, "lost", "the agent was restarted while it served this request");
    if (this.#isDraining) return this.#refuse(frame.stream, "draining", `box ${this.#config.box} takes no new requests`);
    let open: Open;
    try {
      open = parsePayload(Open, frame.payload);
    } catch (error) {
      // Not the tunnel's fault: closed for it, it would be resumed with the same frame, for ever.
      return this.#refuse(
        frame.stream,
        "bad_request",
        `box ${this.#config.box} does not understand the request: ${(error as Error).message}`,
      );
    }
    const match = matchOllamaRoute(open.method, open.path);
    // The edge has checked this. The box checks it too: it is the box's Ollama.
    if (!match.ok || match.route.path !== open.endpoint) {
      return this.#refuse(frame.stream, "bad_request", `${open.method} ${open.path} is not allowed on box ${this.#config.box}`);
    }
    const stream = new AgentStream(frame.stream, open, match.route.body === "raw", this.#shell);
    this.#streams.set(frame.stream, stream);
    this.#deliver(stream, frame);
  }

  /** What one stream cannot take ends that stream: all others share its tunnel, and this process. */
  #deliver(stream: AgentStream | undefined, frame: Frame): void {
    try {
      stream?.receive(frame);
    } catch (error) {
      this.#log("error", "stream_failed", { request_id: frame.stream, error });
      stream?.refuse((error as Error).message);
    }
  }

  #resume(frame: Frame): void {
    const stream = this.#streams.get(frame.stream);
    if (stream !== undefined) return this.#deliver(stream, frame);
    if (this.#spool.knows(frame.stream)) return this.#refuse(frame.stream, "lost", "the agent was restarted while it served this request");
    // Answered in part by an agent whose spool is gone: asked again, Ollama would go on differently. Not "lost": only the edge can record it.
    if (frame.seq > 0) return this.#refuse(frame.stream, "bad_request", `box ${this.#config.box} has forgotten this request`);
    // Never seen: its first frames were lost on the way. Ask for them.
    this.#outgoing.now(streamFrame(FrameType.resume, frame.stream));
  }

  #refuse(stream: StreamId, code: AbortCode, message: string): void {
    this.#outgoing.now(streamFrame(FrameType.abort, stream, 0, jsonBytes({ code, message })));
  }

  #over(stream: AgentStream): void {
    this.#streams.delete(stream.id);
    this.requestOver(stream.endpoint);
    if (this.#streams.size === 0) this.#whenIdle?.();
  }

  #giveUpLost(): void {
    const before = performance.now() - GRACE_MS;
    for (const stream of [...this.#streams.values()]) {
      if (stream.detachedMs !== null && stream.detachedMs < before)
        stream.giveUp(`the edge did not come back within ${GRACE_MS / 1_000} s`);
    }
  }

  #sendRecords(): void {
    this.#clearRecordsTimer();
    if (!this.#isUp) return;
    const batch = this.#spool.next(RECORDS_PER_BATCH);
    if (batch === null) return;
    this.#outgoing.now(tunnelFrame(FrameType.records, batch));
    this.#recordsTimer = setTimeout(() => this.#sendRecords(), RECORDS_RETRY_MS);
  }

  #clearRecordsTimer(): void {
    if (this.#recordsTimer !== null) clearTimeout(this.#recordsTimer);
    this.#recordsTimer = null;
  }

  /** Somebody looks at this box: readings at the quick pace for a while. */
  #look(): void {
    const isNews = performance.now() > this.#lookUntilMs;
    this.#lookUntilMs = performance.now() + LOOK_MS;
    if (isNews) this.#sendReadings();
  }

  #sendReadings(): void {
    if (this.#readingsTimer !== null) clearTimeout(this.#readingsTimer);
    if (!this.#isUp) return;
    this.#outgoing.now(
      tunnelFrame(FrameType.readings, {
        now_ms: Date.now(),
        inventory: this.#inventory.latest(),
        gpu: this.#gpu.take(),
        system: this.#system.take(),
        ...this.#load(),
        requests: this.#isLookedAt ? this.#oldestRequests() : [],
        local_in_flight: this.#listener?.inFlight ?? 0,
        spooled: this.#spool.pending,
      }),
    );
    const pace = this.#isLookedAt ? READINGS_LOOK_MS : READINGS_IDLE_MS;
    this.#readingsTimer = setTimeout(() => this.#sendReadings(), pace);
  }

  get #isLookedAt(): boolean {
    return performance.now() < this.#lookUntilMs;
  }

  #oldestRequests(): OpenRequest[] {
    const all = [...Array.from(this.#streams.values(), (stream) => stream.asOpen), ...(this.#listener?.requests ?? [])];
    return all.sort((a, b) => (a.started_at < b.started_at ? -1 : 1)).slice(0, OPEN_REQUESTS_MAX);
  }

  #load(): { in_flight: number; queued: number } {
    let queued = this.#listener?.queued ?? 0;
    for (const stream of this.#streams.values()) if (stream.isQueued) queued++;
    return { in_flight: this.#streams.size + (this.#listener?.inFlight ?? 0), queued };
  }
}

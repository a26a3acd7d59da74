/**
 * The agent: everything on a box that the edge talks to, tied together.
 *
 * The parts it ties (tunnel, table of streams, spool, GPU reader, inventory) know nothing of each other.
 */
import { randomUUID } from "node:crypto";
import { homedir } from "node:os";
import { type Frame, FrameType, parsePayload, tunnelFrame } from "../protocol/frames.ts";
import type { OpenRequest } from "../protocol/inventory.ts";
import {
  OPEN_REQUESTS_MAX,
  READINGS_IDLE_MS,
  READINGS_WATCHED_MS,
  WATCHED_FOR_MS,
} from "../protocol/limits.ts";
import { type ExporterType, Recorded, type Welcome } from "../protocol/messages.ts";
import { changesModels } from "../protocol/routes.ts";
import { atMost, DRAIN_MS } from "./clock/drain.ts";
import { steadyClock } from "./clock/steady-clock.ts";
import { after } from "./clock/timers.ts";
import type { AgentConfig } from "./config.ts";
import type { Listener } from "./listen/listener.ts";
import type { Log } from "./log.ts";
import { EnergyMeter } from "./measure/energy.ts";
import { diskFolders } from "./readings/disk.ts";
import type { GpuSource } from "./readings/gpu-source.ts";
import { InventoryPoller } from "./readings/inventory.ts";
import { pickGpuSource } from "./readings/pick-gpu-source.ts";
import { SystemSampler } from "./readings/system-sampler.ts";
import { OllamaClient } from "./request/ollama.ts";
import { Delivery, RECORDS_DELAY_MS } from "./spool/delivery.ts";
import type { Spool } from "./spool/spool.ts";
import { Outgoing } from "./tunnel/outgoing.ts";
import { StreamTable } from "./tunnel/stream-table.ts";
import { Tunnel } from "./tunnel/tunnel.ts";
import { AGENT_VERSION } from "./version.ts";

/**
 * How often the GPUs are read, s: `power.draw` of most is the mean of the last second, so what is read less often
 * misses a part. In loop mode a reading costs some tens of ms, of a driver that is awake as long as the agent runs.
 */
const GPU_EVERY_S = 1;

/** How long an agent that has nothing else to do waits until the edge has its last records. */
const LAST_RECORDS_MS = 2_000;

export type AgentOptions = {
  /** How long finished records wait for company, ms. */
  recordsDelayMs?: number;
  /** Calls that reach Ollama beside the tunnel count into the gauges, and end with the agent. Whoever made it lets it listen. */
  listener?: Listener | null;
  /** That of the listener too: all requests of a box share its GPUs. */
  energy?: EnergyMeter;
  /** What this program takes the edge to export to. Said once when the edge says another. */
  exporterType?: ExporterType | null;
};

export class Agent {
  readonly #log: Log;
  readonly #streams: StreamTable;
  readonly #tunnel: Tunnel;
  readonly #outgoing: Outgoing;
  readonly #ollama: OllamaClient;
  readonly #spool: Spool;
  readonly #energy: EnergyMeter;
  readonly #gpu: GpuSource;
  readonly #inventory: InventoryPoller;
  readonly #system: SystemSampler;
  readonly #listener: Listener | null;
  readonly #delivery: Delivery;
  #expectedExporter: ExporterType | null;
  /** That of this machine until an edge has said what time it is. */
  #edgeClock = steadyClock(Date.now());
  /** The edge's word on requests that did not come through it. Until it is heard they are kept: the edge drops what it may not keep. */
  #keepsText = true;
  readonly #bootId = randomUUID();
  #isUp = false;
  #readingsTimer: NodeJS.Timeout | null = null;
  #lookUntilMs = 0;
  #watch: NodeJS.Timeout | null = null;
  #whenIdle: (() => void) | null = null;

  /** @param agentId  random, kept in the state folder: tells a reconnect from a second agent of this name */
  constructor(
    config: AgentConfig,
    agentId: string,
    spool: Spool,
    log: Log,
    options: AgentOptions = {},
  ) {
    const now = () => performance.now();
    this.#log = log;
    this.#spool = spool;
    this.#energy = options.energy ?? new EnergyMeter();
    this.#listener = options.listener ?? null;
    this.#expectedExporter = options.exporterType ?? null;
    this.#ollama = new OllamaClient(config.ollamaUrl);
    this.#gpu = pickGpuSource(config, {
      box: config.box,
      intervalSeconds: GPU_EVERY_S,
      keepEvery: READINGS_WATCHED_MS / 1_000 / GPU_EVERY_S,
      onPower: (gpu, watts) => {
        this.#energy.read(gpu, watts, now());
        this.#delivery.recordWaits();
      },
      now: Date.now,
      log,
    });
    this.#inventory = new InventoryPoller({
      base: config.ollamaUrl,
      log,
      onChange: () => this.#sendReadings(),
    });
    this.#system = new SystemSampler({
      diskFolders: diskFolders({
        ollamaModels: config.ollamaModels,
        home: homedir(),
        stateDir: config.stateDir,
      }),
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
    const send = (frame: Frame) => this.#outgoing.now(frame);
    this.#delivery = new Delivery({
      spool,
      energy: this.#energy,
      send,
      after,
      delayMs: options.recordsDelayMs ?? RECORDS_DELAY_MS,
    });
    const onOver = (endpoint: string) => this.#over(endpoint);
    this.#streams = new StreamTable({
      box: config.box,
      ollama: this.#ollama,
      outgoing: this.#outgoing,
      spool,
      energy: this.#energy,
      log,
      now,
      onOver,
      tunnelMs: () => this.#tunnel.roundTripMs,
    });
  }

  start(): void {
    this.#gpu.start();
    this.#inventory.start();
    this.#system.start();
    this.#tunnel.start();
    this.#watch = setInterval(() => this.#look(performance.now()), 1_000);
  }

  /** Unix ms by the edge's clock: a call that no edge has seen is stamped like all others, though the clock of this machine may be wrong. */
  get edgeNowMs(): number {
    return this.#edgeClock();
  }

  /** Whether the texts of a request that did not come through the edge may be kept. */
  get keepsText(): boolean {
    return this.#keepsText;
  }

  /** A request is finished: its record leaves with the next batch, and what it changed here is told. */
  requestFinished(endpoint: string): void {
    if (changesModels(endpoint)) void this.#inventory.refresh();
    this.#delivery.recordWaits();
  }

  /** Takes no new requests, lets the open ones finish (up to {@link DRAIN_MS}), then stops. */
  async drain(): Promise<void> {
    this.#streams.isDraining = true;
    this.#log("info", "draining", { open_streams: this.#streams.size });
    this.#outgoing.now(tunnelFrame(FrameType.drain));
    const idle = new Promise<void>((resolve) => {
      this.#whenIdle = resolve;
      if (this.#streams.size === 0) resolve();
    });
    await Promise.all([atMost(DRAIN_MS, idle), this.#listener?.drain()]);
    await atMost(LAST_RECORDS_MS, this.#delivery.delivered());
    await this.stop();
  }

  async stop(): Promise<void> {
    this.#streams.giveUp("the agent was stopped while it served this request");
    await this.#listener?.stop();
    this.#energy.settleNow();
    // The last records leave with the tunnel if they can; else they are in the spool.
    if (this.#isUp) await atMost(2 * RECORDS_DELAY_MS, this.#delivery.delivered());
    this.#isUp = false;
    this.#delivery.down();
    for (const timer of [this.#watch, this.#readingsTimer]) if (timer !== null) clearTimeout(timer);
    this.#tunnel.stop();
    this.#inventory.stop();
    this.#system.stop();
    this.#ollama.close();
    await this.#gpu.stop();
    this.#spool.close();
  }

  #up({ keep_text, exporter_type, now_ms }: Welcome): void {
    this.#isUp = true;
    this.#edgeClock = steadyClock(now_ms);
    this.#keepsText = keep_text ?? false;
    this.#checkExporter(exporter_type);
    this.#outgoing.isOpen = true;
    this.#streams.attach();
    if (this.#streams.isDraining) this.#outgoing.now(tunnelFrame(FrameType.drain));
    this.#sendReadings();
    this.#delivery.up();
  }

  #checkExporter(ofEdge: ExporterType | undefined): void {
    if (
      this.#expectedExporter === null ||
      ofEdge === undefined ||
      ofEdge === this.#expectedExporter
    )
      return;
    this.#log("warn", "exporter_differs", { expected: this.#expectedExporter, edge: ofEdge });
    this.#expectedExporter = null; // said once
  }

  #down(): void {
    this.#isUp = false;
    this.#outgoing.isOpen = false;
    this.#delivery.down();
    this.#streams.detach();
  }

  #receive(frames: Frame[]): void {
    for (const frame of frames) {
      switch (frame.type) {
        case FrameType.recorded:
          this.#delivery.confirmed(parsePayload(Recorded, frame.payload).position);
          break;
        case FrameType.watch:
          this.#lookedAt();
          break;
        default:
          this.#streams.receive(frame);
      }
    }
  }

  #over(endpoint: string): void {
    this.requestFinished(endpoint);
    if (this.#streams.size === 0) this.#whenIdle?.();
  }

  /** Time has passed. */
  #look(nowMs: number): void {
    this.#streams.giveUpLost();
    this.#energy.tick(nowMs);
    this.#delivery.recordWaits();
  }

  /** Somebody looks at this box: readings at the quick pace for a while. */
  #lookedAt(): void {
    const isNews = performance.now() > this.#lookUntilMs;
    this.#lookUntilMs = performance.now() + WATCHED_FOR_MS;
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
        tunnel_ms: this.#tunnel.roundTripMs,
        spooled: this.#spool.pending,
        lost: this.#spool.lost,
      }),
    );
    const pace = this.#isLookedAt ? READINGS_WATCHED_MS : READINGS_IDLE_MS;
    this.#readingsTimer = setTimeout(() => this.#sendReadings(), pace);
  }

  get #isLookedAt(): boolean {
    return performance.now() < this.#lookUntilMs;
  }

  #oldestRequests(): OpenRequest[] {
    const all = [...this.#streams.requests, ...(this.#listener?.requests ?? [])];
    return all.sort((a, b) => (a.started_at < b.started_at ? -1 : 1)).slice(0, OPEN_REQUESTS_MAX);
  }

  #load(): { in_flight: number; queued: number } {
    const { inFlight, queued } = this.#listener ?? { inFlight: 0, queued: 0 };
    return { in_flight: this.#streams.size + inFlight, queued: this.#streams.queued + queued };
  }
}

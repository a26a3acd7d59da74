/**
 * The agent: connects a box to the edge.
 *
 * Wires up its parts, which do not know each other, and starts and stops them in order.
 */
import { randomUUID } from "node:crypto";
import { homedir } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import type { Frame } from "../protocol/frames.ts";
import type { EdgeSettings, Welcome } from "../protocol/messages.ts";
import { changesModels } from "../protocol/routes.ts";
import type { AgentOptions } from "./agent-options.ts";
import { atMost, CROSSING_MS, DRAIN_MS, DrainNotice, LAST_RECORDS_MS } from "./clock/drain.ts";
import { after } from "./clock/timers.ts";
import { CloudGuard } from "./cloud/cloud-guard.ts";
import type { AgentConfig } from "./config.ts";
import { fromEdge } from "./from-edge.ts";
import { Joining } from "./joining/joining.ts";
import type { Listener } from "./listen/listener.ts";
import type { Log } from "./log.ts";
import { EnergyMeter } from "./measure/energy.ts";
import { OwnRequests } from "./own-requests.ts";
import { diskFolders } from "./readings/disk.ts";
import { EnergyReport } from "./readings/energy-report.ts";
import { GPU_PACE, type GpuSource, isBusyGpu } from "./readings/gpu-source.ts";
import { InventoryPoller } from "./readings/inventory.ts";
import { OpenRequests } from "./readings/open-requests.ts";
import { pickGpuSource } from "./readings/pick-gpu-source.ts";
import { Placements } from "./readings/placement.ts";
import { ReadingsSender } from "./readings/readings-sender.ts";
import { SystemSampler } from "./readings/system-sampler.ts";
import { OllamaClient } from "./request/ollama.ts";
import { turnsOf } from "./request/turn.ts";
import { Delivery, RECORDS_DELAY_MS } from "./spool/delivery.ts";
import { NOTE_EVERY_MS } from "./spool/lines.ts";
import type { Spool } from "./spool/spool.ts";
import { type AgentStatus, localStatusOf, type ObservedAgent } from "./status/local-status-of.ts";
import { EdgeTerms } from "./tunnel/edge-terms.ts";
import { helloOf } from "./tunnel/hello.ts";
import { Outgoing } from "./tunnel/outgoing.ts";
import { StreamTable } from "./tunnel/stream-table.ts";
import { Tunnel } from "./tunnel/tunnel.ts";
import { AGENT_VERSION } from "./version.ts";

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
  readonly #readings: ReadingsSender;
  readonly #listener: Listener | null;
  readonly #delivery: Delivery;
  readonly #openRequests: OpenRequests;
  readonly #own: OwnRequests;
  readonly #receive: ReturnType<typeof fromEdge>;
  readonly #callers: readonly (StreamTable | Listener)[];
  /** The edge's clock, and its decision about text. */
  readonly edge: EdgeTerms;
  /** Returns its status, for a person at the box. */
  readonly status: () => AgentStatus;
  readonly #bootId = randomUUID();
  #isUp = false;
  readonly #drain = new DrainNotice();
  readonly #timers: NodeJS.Timeout[] = [];

  /** @param agentId  random, in the state folder; distinguishes a reconnect from a second agent */
  constructor(
    config: AgentConfig,
    agentId: string,
    spool: Spool,
    log: Log,
    options: AgentOptions = {},
  ) {
    const now = () => performance.now();
    const updates = options.updates ?? null;
    const agentDigest = updates?.digest ?? null;
    const ids = { agentId, agentVersion: AGENT_VERSION, agentDigest };
    this.#log = log;
    this.#spool = spool;
    this.#energy = options.energy ?? new EnergyMeter();
    this.#listener = options.listener ?? null;
    const turns = options.turns ?? turnsOf(config.ollamaParallel);
    this.edge = new EdgeTerms(log, options.exporterType ?? null);
    this.#ollama = new OllamaClient(config.ollamaUrl, turns.patience);
    const cloudGuard =
      options.cloudGuard ?? new CloudGuard({ ...config, now, patience: turns.patience });
    this.#gpu = pickGpuSource(config, {
      box: config.box,
      ...GPU_PACE,
      onPower: ({ gpuIndex, watts, atMs, kind }) => {
        this.#energy.read(gpuIndex, watts, atMs, kind);
        this.#delivery.recordWaits();
      },
      joulesOf: (gpuIndex) => this.#energy.joulesOf(gpuIndex),
      onChange: () => this.#readings.send(),
      now: Date.now,
      log,
    });
    const energyReport = new EnergyReport(this.#energy.totals);
    const placements = new Placements(this.#gpu);
    turns.memory.onNews = (model, isLoaded) => void this.#inventory.expect(model, isLoaded);
    // The next poll may be 5 s away, and until then every Worker would try this box.
    turns.patience.onChange = () => void this.#inventory.refresh();
    this.#energy.onBusy = (isBusy) => this.#gpu.needPower(isBusy);
    this.#energy.gpusOf = placements.gpusOf;
    this.#energy.isUsed = (gpu) => isBusyGpu(this.#gpu, gpu);
    this.#inventory = new InventoryPoller({
      base: config.ollamaUrl,
      silence: turns.silence,
      log,
      onChange: ({ loaded }) => {
        this.#energy.hasModel = loaded.length > 0;
        void placements.update(loaded);
        this.#readings.send();
      },
      onListing: (answer) => cloudGuard.learn(answer),
      onPoll: (inventory) => {
        turns.patience.answered();
        turns.phases.listed(inventory, Date.now(), now());
        turns.fit.listed(inventory.loaded);
        this.#own.keeper.tick();
      },
    });
    this.#system = new SystemSampler({
      diskFolders: diskFolders({ ...config, home: homedir() }),
      load: () => this.#openRequests.load(),
    });
    this.#tunnel = new Tunnel({
      edge: config,
      proof: new Joining(config, options.membership ?? null, log, updates),
      hello: () => helloOf(config, { ...ids, bootId: this.#bootId, updates: updates?.takes }),
      onUp: (welcome) => this.#up(welcome),
      onDown: (lastSeenMs) => this.#down(lastSeenMs),
      onFrames: (frames) => this.#receive(frames),
      log,
      now,
    });
    this.#outgoing = new Outgoing((message) => this.#tunnel.send(message));
    const send = (frame: Frame) => this.#outgoing.now(frame);
    const observed: ObservedAgent = {
      gpu: this.#gpu,
      inventory: this.#inventory,
      system: this.#system,
      counts: () => ({
        ...this.#openRequests.load(),
        gpu_energy: energyReport.of(this.#gpu),
        local_in_flight: this.#listener?.inFlight ?? 0,
        tunnel_ms: this.#tunnel.roundTripMs,
        spooled: spool.pending,
        lost: spool.lost,
        pins: this.#own.keeper.reports,
        update: updates?.report() ?? null,
      }),
      requests: () => this.#openRequests.list(),
    };
    this.#readings = new ReadingsSender({ ...observed, send });
    this.status = () =>
      localStatusOf(config, observed, this.#tunnel.link.state, this.#streams.isDraining);
    this.#delivery = new Delivery({
      spool,
      energy: this.#energy,
      send,
      after,
      delayMs: options.recordsDelayMs ?? RECORDS_DELAY_MS,
    });
    const measured = {
      box: config.box,
      guard: cloudGuard.decide,
      spool,
      energy: this.#energy,
      ...turns,
      log,
      now,
      forbidsText: () => this.edge.forbidsText,
    };
    this.#own = new OwnRequests(options.pins ?? null, {
      ...measured,
      ollama: this.#ollama,
      inventory: this.#inventory,
      gpu: this.#gpu,
      wallClock: () => this.edge.nowMs,
      others: () => this.#callers.flatMap(({ requests }) => requests),
      onOver: (endpoint) => this.requestFinished(endpoint),
      onChange: () => this.#readings.send(),
    });
    this.#streams = new StreamTable({
      ...measured,
      ollama: this.#own.bench.beside(this.#ollama),
      outgoing: this.#outgoing,
      isLoaded: (model) => this.#inventory.hasLoaded(model),
      onOver: (endpoint) => this.requestFinished(endpoint),
      tunnelMs: () => this.#tunnel.roundTripMs,
      mark: () => this.#tunnel.mark(),
      records: this.#delivery,
    });
    this.#receive = fromEdge({
      delivery: this.#delivery,
      readings: this.#readings,
      streams: this.#streams,
      settle: (settings) => this.#settle(settings),
    });
    updates?.attach({
      bootId: this.#bootId,
      openRequests: () => this.#streams.size + (this.#listener?.inFlight ?? 0),
      changed: () => this.#readings.send(),
    });
    this.#callers = this.#listener === null ? [this.#streams] : [this.#streams, this.#listener];
    this.#openRequests = new OpenRequests(
      turns.queue,
      [...this.#callers, ...this.#own.sources],
      () => this.#inventory.latest().loaded.map(({ name }) => name),
    );
  }

  start(): void {
    this.#gpu.start();
    this.#inventory.start();
    this.#system.start();
    this.#tunnel.start();
    this.#timers.push(
      setInterval(() => this.#tick(performance.now()), 1_000),
      setInterval(() => this.#spool.note(this.#openRequests.progress()), NOTE_EVERY_MS),
    );
  }

  /** Schedules the record of a finished request, and polls the models if it changed them. */
  requestFinished(endpoint: string): void {
    if (changesModels(endpoint)) void this.#inventory.refresh();
    this.#delivery.recordWaits();
  }

  /** Takes no new requests, lets the open ones finish, then stops. */
  async drain(limitMs = DRAIN_MS): Promise<void> {
    this.#own.stop();
    this.#log("info", "draining", { open_streams: this.#streams.size });
    this.#outgoing.now(...this.#drain.begin(performance.now()));
    const listenerDrained = this.#listener?.drain();
    if (this.#isUp) await delay(CROSSING_MS);
    this.#streams.isDraining = true;
    await Promise.all([atMost(limitMs, this.#streams.idle()), listenerDrained]);
    await atMost(LAST_RECORDS_MS, this.#delivery.delivered());
    await this.stop();
  }

  async stop(): Promise<void> {
    this.#own.stop();
    this.#streams.giveUp("the agent was stopped while it served this request");
    await this.#listener?.stop();
    this.#energy.settleNow();
    // The last records leave with the tunnel if it is up; otherwise they stay in the spool.
    if (this.#isUp) await atMost(2 * RECORDS_DELAY_MS, this.#delivery.delivered());
    this.#isUp = false;
    this.#delivery.down();
    this.#readings.down();
    for (const timer of this.#timers) clearInterval(timer);
    this.#tunnel.stop();
    this.#inventory.stop();
    this.#system.stop();
    this.#ollama.close();
    await this.#gpu.stop();
    this.#spool.close();
  }

  #up(welcome: Welcome): void {
    this.#isUp = true;
    this.edge.welcomed(welcome);
    this.#outgoing.isOpen = true;
    this.#streams.attach(welcome.relays_waiting === true);
    this.#outgoing.now(...this.#drain.frames(performance.now()));
    this.#readings.up();
    this.#delivery.up();
  }

  #down(lastSeenMs: number): void {
    this.#isUp = false;
    this.#outgoing.isOpen = false;
    this.#delivery.down();
    this.#readings.down();
    this.#streams.detach(lastSeenMs);
  }

  #settle(settings: EdgeSettings): void {
    this.edge.settle(settings);
    if (settings.pins !== undefined) this.#own.keeper.take(settings.pins);
  }

  #tick(nowMs: number): void {
    this.#streams.tick();
    this.#energy.tick(nowMs);
    this.#readings.sendChangedMemory();
    this.#delivery.recordWaits();
    this.#readings.sendChangedLoad();
  }
}

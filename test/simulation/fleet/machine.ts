/**
 * One box of a world: its Ollama, disk and agent, the tunnel, and its Box object. The agent reports its
 * models and its load as the product's does.
 */
import { CROSSING_MS, DRAIN_MS, DrainNotice, LAST_RECORDS_MS } from "../../../agent/clock/drain.ts";
import { OpenRequests } from "../../../agent/readings/open-requests.ts";
import { turnsOf } from "../../../agent/request/turn.ts";
import type { Hello } from "../../../protocol/messages.ts";
import type { CountsCalls } from "../../../worker/box/counted-calls.ts";
import { AgentProcess } from "../agent.ts";
import { SimulatedBox } from "../box.ts";
import { broken } from "../broken.ts";
import { EPOCH_MS } from "../call-plan.ts";
import type { Chance } from "../chance.ts";
import { Chronicle } from "../chronicle.ts";
import { SimulatedDisk } from "../disk.ts";
import { Network } from "../network.ts";
import type { Schedule } from "../schedule.ts";
import type { FleetAggregator } from "./aggregator.ts";
import { ObservedQueue, type QueueWatch } from "./lanes.ts";
import { ModelOllama, type OllamaWorld } from "./ollama.ts";
import type { BoxPlan } from "./plan.ts";
import { Reporter } from "./reporter.ts";

export type MachineWorld = Pick<OllamaWorld, "callOf" | "onExchange" | "nextNumber"> & {
  schedule: Schedule;
  chance: Chance;
  aggregator: FleetAggregator;
  watch: QueueWatch;
  quotaOf(lineage: string): CountsCalls;
  trace(line: string): void;
  /** Promises are about to settle. */
  onSettled(): void;
  onCrash(error: unknown): void;
};

export class Machine {
  readonly plan: BoxPlan;
  readonly ollama: ModelOllama;
  readonly box: SimulatedBox;
  readonly network: Network;
  agent: AgentProcess | null = null;
  readonly #world: MachineWorld;
  readonly #disk: SimulatedDisk;
  readonly #agentId: string;
  #isDraining = false;
  #drain = new DrainNotice();
  /** The newest time at which something was wrong here, or broke. */
  troubledMs = 0;

  /** When the agent was last away from its Box, or not running. */
  awayMs = 0;
  /** When the agent was last killed. */
  killedMs = Number.NEGATIVE_INFINITY;
  /** Since when no call is open here; null while one is. */
  idleSinceMs: number | null = 0;

  constructor(plan: BoxPlan, world: MachineWorld) {
    const { schedule, chance, aggregator } = world;
    this.plan = plan;
    this.#world = world;
    this.#disk = new SimulatedDisk(chance);
    this.#agentId = chance.id(EPOCH_MS);
    this.network = new Network(schedule, chance, new Chronicle());
    this.ollama = new ModelOllama(plan, world);
    const { name } = plan;
    this.box = new SimulatedBox({
      ...world,
      name,
      ingest: (records) => aggregator.reported(records),
      connected: (hello: Hello, atMs: number) =>
        aggregator.called(({ registry }, now) => registry.connected(hello, now, atMs)),
      registry: {
        draining: (box) => aggregator.called(({ registry }, now) => registry.draining(box, now)),
        read: (box, readings) =>
          aggregator.called(({ registry }, now) => registry.read(box, readings, now)),
        gone: (box, atMs) => aggregator.called(({ registry }) => registry.gone(box, atMs)),
      },
    });
  }

  /** True if calls that come now are served, as far as this box decides. */
  get isWell(): boolean {
    return this.agent?.isUp === true && !this.#isDraining && this.ollama.isWell;
  }

  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** Notes how the box is now. */
  note(): void {
    const { nowMs } = this.#world.schedule;
    const isIdle = this.ollama.openExchanges === 0 && (this.agent?.streams.size ?? 0) === 0;
    this.idleSinceMs = isIdle ? (this.idleSinceMs ?? nowMs) : null;
    if (!this.isWell) this.troubledMs = nowMs;
    if (this.agent?.isUp !== true) this.awayMs = nowMs;
  }

  start(): void {
    if (this.agent !== null) return;
    const { schedule, chance, trace, onSettled, watch } = this.#world;
    const { name, slots, isTold } = this.plan;
    const turns = turnsOf(isTold ? slots : null);
    turns.queue = new ObservedQueue(turns.queue.slots, name, watch);
    const reporter = new Reporter(this.ollama, schedule);
    const agent = new AgentProcess(
      {
        box: name,
        schedule,
        chance,
        disk: this.#disk,
        ollama: this.ollama,
        turns,
        isLoaded: (model) => reporter.hasLoaded(model),
        wallMs: () => Math.floor(EPOCH_MS + schedule.nowMs),
        dial: () => {
          const link = this.network.dial();
          if (link !== null) this.box.connect(link.far);
          return link?.near ?? null;
        },
        onSynced: onSettled,
        onUp: () => {
          for (const frame of this.#drain.frames(schedule.nowMs)) agent.send(frame);
          reporter.send();
        },
        onLog: (event) => {
          trace(`${name}: ${event}`);
          if (event === "stream_failed")
            broken(`the agent of ${name} received an impossible frame`);
        },
      },
      this.#agentId,
    );
    this.agent = agent;
    const open = new OpenRequests(
      turns.queue,
      [
        {
          get requests() {
            return agent.streams.requests;
          },
          get answered() {
            return agent.streams.answered;
          },
          get progress() {
            return agent.streams.progress;
          },
        },
      ],
      () => reporter.loaded,
    );
    reporter.start(agent, turns.silence, () => open.load());
    trace(`${name}: agent started`);
  }

  /** SIGKILL, and a start some time later. */
  kill(): void {
    this.#world.trace(`${this.plan.name}: agent killed`);
    this.killedMs = this.#world.schedule.nowMs;
    this.#end();
    this.#world.schedule.after(this.#world.chance.between(5, 8_000), () => this.start());
  }

  /** A restart by a service manager: the agent drains, ends, and starts again. */
  restart(): void {
    const { agent } = this;
    if (agent === null || this.#isDraining) return;
    const { schedule, trace, chance } = this.#world;
    trace(`${this.plan.name}: agent drains`);
    this.#isDraining = true;
    for (const frame of this.#drain.begin(schedule.nowMs)) agent.send(frame);
    agent.after(CROSSING_MS, () => {
      agent.streams.isDraining = true;
    });
    const untilMs = schedule.nowMs + DRAIN_MS;
    const recordsMs = untilMs + LAST_RECORDS_MS;
    const look = () => {
      const isIdle = agent.streams.size === 0 && agent.streams.isDraining;
      const isDelivered = agent.spool.pending === 0 || schedule.nowMs > recordsMs;
      if ((isIdle || schedule.nowMs > untilMs) && isDelivered) {
        agent.streams.giveUp("the agent was stopped while it served this request");
        this.#end();
        return schedule.after(chance.between(50, 4_000), () => this.start());
      }
      agent.after(50, look);
    };
    agent.after(CROSSING_MS + 1, look);
  }

  #end(): void {
    this.agent?.kill();
    this.agent = null;
    this.#isDraining = false;
    this.#drain = new DrainNotice();
  }
}

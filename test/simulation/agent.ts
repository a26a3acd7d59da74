/**
 * A simulated agent: the product's table of streams, spool, delivery and backoff, in a process that
 * can be killed.
 */

import type { After } from "../../agent/clock/timers.ts";
import { EnergyMeter } from "../../agent/measure/energy.ts";
import type { LocalExchange, LocalRequest } from "../../agent/request/ollama.ts";
import type { OllamaTurns } from "../../agent/request/turn.ts";
import { Delivery, RECORDS_DELAY_MS } from "../../agent/spool/delivery.ts";
import { Spool } from "../../agent/spool/spool.ts";
import { Redial } from "../../agent/tunnel/backoff.ts";
import { Outgoing } from "../../agent/tunnel/outgoing.ts";
import { RoundTrip } from "../../agent/tunnel/round-trip.ts";
import { StreamTable } from "../../agent/tunnel/stream-table.ts";
import {
  decodeFrames,
  encodeFrames,
  type Frame,
  FrameType,
  parsePayload,
  tunnelFrame,
} from "../../protocol/frames.ts";
import { HEARTBEAT_MS, SILENCE_MS } from "../../protocol/limits.ts";
import { type Hello, Recorded } from "../../protocol/messages.ts";
import type { Chance } from "./chance.ts";
import type { SimulatedDisk } from "./disk.ts";
import type { End, Message } from "./link.ts";
import type { Schedule } from "./schedule.ts";

export type AgentWorld = {
  /** The name of the box. */
  box: string;
  schedule: Schedule;
  chance: Chance;
  disk: SimulatedDisk;
  ollama: {
    /** @param after  timers of the process */
    client(after: After): { send(local: LocalRequest): LocalExchange };
    /** The process is gone, and its connections with it. */
    dropAll(): void;
  };
  turns: OllamaTurns;
  isLoaded(model: string): boolean;
  /** Wall clock of the machine, unix ms. */
  wallMs(): number;
  /** Returns a socket to the Box; null while there is no way. */
  dial(): End | null;
  /** Promises are about to settle. */
  onSynced(): void;
  /** The tunnel is up. */
  onUp(): void;
  onLog(event: string): void;
};

/** One process, from start to end. */
export class AgentProcess {
  readonly streams: StreamTable;
  readonly spool: Spool;
  /** Timers that end with the process. */
  readonly after: After;
  readonly #world: AgentWorld;
  readonly #agentId: string;
  readonly #outgoing: Outgoing;
  readonly #delivery: Delivery;
  readonly #backoff: Redial;
  #isAlive = true;
  #end: End | null = null;
  #isUp = false;
  #lastSeenMs = 0;
  /** The heartbeats of the newest tunnel. */
  #roundTrip = new RoundTrip();

  constructor(world: AgentWorld, agentId: string) {
    const { box, schedule, disk, ollama } = world;
    this.#world = world;
    this.#agentId = agentId;
    this.after = (ms, run) => schedule.after(ms, () => this.#isAlive && run());
    const log = (_level: string, event: string) => world.onLog(event);
    // Callbacks of a sync run in the same step: a process that is killed in the next one must be
    // over.
    const after: After = (ms, run) => this.after(ms, () => void [run(), world.onSynced()]);
    this.spool = Spool.open("spool", { now: world.wallMs, log, disk: disk.of(after), after });
    const turns = {
      atEnd: (run: () => void) => void this.after(0, run),
      after: this.after,
      now: () => schedule.nowMs,
    };
    this.#outgoing = new Outgoing((message) => this.#end?.send(message), turns);
    const energy = new EnergyMeter(); // no GPU
    this.#delivery = new Delivery({
      spool: this.spool,
      energy,
      send: (frame) => this.#outgoing.now(frame),
      after: this.after,
      delayMs: RECORDS_DELAY_MS,
    });
    this.streams = new StreamTable({
      box,
      ollama: ollama.client(this.after),
      spool: this.spool,
      outgoing: this.#outgoing,
      guard: () => null,
      now: () => schedule.nowMs,
      tunnelMs: () => null,
      mark: () => this.#roundTrip.mark(),
      records: this.#delivery,
      forbidsText: () => false,
      isLoaded: world.isLoaded,
      energy,
      ...world.turns,
      log,
      onOver: () => this.#delivery.recordWaits(),
    });
    this.#backoff = new Redial(schedule.nowMs);
    this.#dial();
    this.#everySecond();
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  /** Sends a frame of the tunnel if it is up. */
  send(frame: Frame): void {
    this.#outgoing.now(frame);
  }

  /** SIGKILL. */
  kill(): void {
    this.#isAlive = false;
    this.#end?.reset();
    this.#world.disk.killed();
    this.#world.ollama.dropAll();
  }

  #everySecond(): void {
    this.after(1_000, () => {
      this.streams.tick();
      this.spool.note(this.streams.progress);
      this.#everySecond();
    });
  }

  #dial(): void {
    const { schedule, chance } = this.#world;
    this.after(chance.between(1, 15), () => {
      const end = this.#world.dial();
      if (end === null) return this.#lost();
      this.#end = end;
      this.#roundTrip = new RoundTrip();
      this.#lastSeenMs = schedule.nowMs;
      end.onMessage = (message) => this.#isAlive && this.#received(message);
      end.onClose = () => this.#isAlive && end === this.#end && this.#lost();
      const hello: Hello = {
        box: this.#world.box,
        agent_id: this.#agentId,
        boot_id: this.#agentId,
        agent_version: "0",
        now_ms: this.#world.wallMs(),
        simulated: false,
        yields_lost: true,
        takes_may_ask: true,
      };
      end.send(encodeFrames([tunnelFrame(FrameType.hello, hello)]));
      this.#beat(end);
    });
  }

  #beat(end: End): void {
    this.after(
      Math.min(
        HEARTBEAT_MS,
        Math.max(1, this.#lastSeenMs + SILENCE_MS - this.#world.schedule.nowMs),
      ),
      () => {
        if (end !== this.#end) return;
        if (this.#world.schedule.nowMs - this.#lastSeenMs >= SILENCE_MS) {
          end.reset();
          return this.#lost();
        }
        end.send("ping");
        this.#roundTrip.pinged(this.#world.schedule.nowMs);
        this.#beat(end);
      },
    );
  }

  #received(message: Message): void {
    this.#lastSeenMs = this.#world.schedule.nowMs;
    if (typeof message === "string") return this.#roundTrip.ponged(this.#lastSeenMs);
    for (const frame of decodeFrames(message)) {
      if (frame.type === FrameType.welcome) {
        this.#isUp = true;
        this.#backoff.up(this.#lastSeenMs);
        this.#outgoing.isOpen = true;
        this.streams.attach(true);
        this.#delivery.up();
        this.#world.onUp();
      } else if (frame.type === FrameType.recorded)
        this.#delivery.confirmed(parsePayload(Recorded, frame.payload).position);
      else this.streams.receive(frame);
    }
  }

  #lost(): void {
    const { schedule, chance } = this.#world;
    this.#end = null;
    if (this.#isUp) {
      this.#isUp = false;
      this.#outgoing.isOpen = false;
      this.#delivery.down();
      this.streams.detach(this.#lastSeenMs);
    }
    this.after(this.#backoff.lost(schedule.nowMs, false, chance.random), () => this.#dial());
  }
}

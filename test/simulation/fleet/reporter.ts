/**
 * The reports of a simulated agent: it polls Ollama, probes one that is silent, and sends readings, at the pace
 * of the product.
 */
import { HANG_NOTICED_MS, POLL_MS, POLLS_PER_LISTING } from "../../../agent/readings/inventory.ts";
import type { Silence } from "../../../agent/request/silence.ts";
import { FrameType, tunnelFrame } from "../../../protocol/frames.ts";
import type { Inventory, Readings } from "../../../protocol/inventory.ts";
import { READINGS_IDLE_MS, READINGS_QUEUED_MS } from "../../../protocol/limits.ts";
import { readingsOf } from "../../support/records.ts";
import type { AgentProcess } from "../agent.ts";
import { EPOCH_MS } from "../call-plan.ts";
import type { Schedule } from "../schedule.ts";
import type { ModelOllama } from "./ollama.ts";

type ReportedLoad = Pick<Readings, "in_flight" | "queued" | "serving">;
type Seen = Pick<Inventory, "models" | "loaded" | "reachable">;

export class Reporter {
  readonly #ollama: ModelOllama;
  readonly #schedule: Schedule;
  #agent: AgentProcess | null = null;
  #load: () => ReportedLoad = () => ({
    in_flight: 0,
    queued: 0,
    serving: null,
  });
  #inventory: Seen = {
    models: [],
    loaded: [],
    reachable: false,
  };
  #polls = 0;
  #sentMs = Number.NEGATIVE_INFINITY;
  #fingerprint = "";

  constructor(ollama: ModelOllama, schedule: Schedule) {
    this.#ollama = ollama;
    this.#schedule = schedule;
  }

  get loaded(): string[] {
    return this.#inventory.loaded.map(({ name }) => name);
  }

  hasLoaded(model: string): boolean {
    return this.loaded.includes(model);
  }

  start(agent: AgentProcess, silence: Silence, load: () => ReportedLoad): void {
    this.#agent = agent;
    this.#load = load;
    const poll = () => {
      this.#poll();
      agent.after(POLL_MS, poll);
    };
    agent.after(5, poll);
    const tick = () => {
      const { queued } = this.#load();
      const dueMs = queued > 0 ? READINGS_QUEUED_MS : READINGS_IDLE_MS;
      if (this.#schedule.nowMs - this.#sentMs >= dueMs) this.send();
      agent.after(1_000, tick);
    };
    agent.after(1_000, tick);
    const watch = () => this.#probe(agent, silence, () => agent.after(1_000, watch));
    agent.after(1_000, watch);
  }

  /** Probes Ollama while that is due, as `hang-probe.ts` does. */
  #probe(agent: AgentProcess, silence: Silence, done: () => void): void {
    const beganMs = this.#schedule.nowMs;
    if (!silence.isProbeDue(beganMs)) return done();
    const isSilent = this.#ollama.isHung;
    const wasHung = silence.hungText !== null;
    agent.after(isSilent ? silence.probeMs : 1, () => {
      silence.probed(beganMs, isSilent, this.#schedule.nowMs);
      const isHung = silence.hungText !== null;
      if (isHung && !wasHung) this.#take({ ...this.#inventory, loaded: [], reachable: false });
      silence.failHung();
      if (!isHung && wasHung) this.#poll();
      this.#probe(agent, silence, done);
    });
  }

  #poll(): void {
    const seen = this.#ollama.inventory();
    if (seen === null) {
      const wait = this.#ollama.isDown ? 0 : HANG_NOTICED_MS;
      this.#polls = 0;
      this.#agent?.after(wait, () => {
        if (this.#ollama.inventory() === null)
          this.#take({ ...this.#inventory, loaded: [], reachable: false });
      });
      return;
    }
    this.#ollama.polled();
    const isListing = this.#polls++ % POLLS_PER_LISTING === 0;
    const models = isListing ? seen.models : this.#inventory.models;
    this.#take({ models, loaded: seen.loaded, reachable: true });
  }

  #take(inventory: Seen): void {
    this.#inventory = inventory;
    const fingerprint = JSON.stringify(inventory);
    if (fingerprint === this.#fingerprint) return;
    this.#fingerprint = fingerprint;
    this.send();
  }

  send(): void {
    const { nowMs } = this.#schedule;
    // As the product: readings from before the first poll would show a box without Ollama.
    if (this.#agent?.isUp !== true || this.#fingerprint === "") return;
    this.#sentMs = nowMs;
    const readings = readingsOf(Math.floor(EPOCH_MS + nowMs), []);
    const { models, loaded, reachable } = this.#inventory;
    const error = reachable ? null : "connection refused";
    const inventory = {
      ...readings.inventory,
      at: new Date(Math.floor(EPOCH_MS + nowMs)).toISOString(),
      models,
      loaded,
      reachable,
      error,
    };
    this.#agent.send(
      tunnelFrame(FrameType.readings, {
        ...readings,
        inventory,
        ...this.#load(),
        local_in_flight: 0,
      }),
    );
  }
}

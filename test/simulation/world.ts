/**
 * A simulated world, made from a seed: callers, an edge, a Box, an agent, an Ollama, a disk and a
 * ledger on one schedule. Faults happen in its first minute. Invariants are checked at each step
 * and at the end.
 */
import { turnsOf } from "../../agent/request/turn.ts";
import { GRACE_MS, NOTICE_MS } from "../../protocol/limits.ts";
import type { Ended } from "../../worker/gateway/stream/ended.ts";
import { newPulse, type Pulse } from "../../worker/gateway/stream/pulse.ts";
import { recordOf } from "../support/records.ts";
import { AgentProcess, type AgentWorld } from "./agent.ts";
import { SimulatedAggregator } from "./aggregator.ts";
import { SimulatedBox } from "./box.ts";
import { broken } from "./broken.ts";
import { callPlan, EPOCH_MS } from "./call-plan.ts";
import { Call, type CallPlan, type CallWorld } from "./caller.ts";
import { Chance } from "./chance.ts";
import { Chronicle, SAMPLE_MS } from "./chronicle.ts";
import { SimulatedDisk } from "./disk.ts";
import { FAULTS_UNTIL_MS, Faults } from "./faults.ts";
import { checkEnd, checkGaveUp, checkMemory } from "./holds.ts";
import { KnownRequests } from "./known.ts";
import { SimulatedLedger } from "./ledger.ts";
import type { End } from "./link.ts";
import { Network } from "./network.ts";
import { type AnswerPlan, SimulatedOllama } from "./ollama.ts";
import { Schedule } from "./schedule.ts";

/** Time without faults at the end: two grace periods, and the time of a slow caller. */
const QUIET_MS = 150_000;
const STEPS_MAX = 500_000;

const BOX = "box";

export type Outcome = {
  calls: number;
  steps: number;
  faults: number;
  recorded: number;
  resumed: number;
  /** Number of calls by the result that their callers got. */
  results: Record<string, number>;
};

export async function simulate(
  seed: number,
  trace: (line: string) => void = () => {},
): Promise<Outcome> {
  const world = new World(seed, trace);
  return world.run();
}

class World {
  readonly #schedule = new Schedule();
  readonly #chance: Chance;
  readonly #trace: (line: string) => void;
  readonly #disk: SimulatedDisk;
  readonly #ollama: SimulatedOllama;
  readonly #ledger = new SimulatedLedger();
  readonly #aggregator: SimulatedAggregator;
  readonly #box: SimulatedBox;
  readonly #faults: Faults;
  readonly #known = new KnownRequests(this.#ledger);
  #pulse: Pulse = newPulse();
  #agent: AgentProcess | null = null;
  #agentId: string;
  readonly #network: Network;
  #skewMs = 0;
  /** When the tunnel went down; null while it is up. */
  #downMs: number | null = null;
  #needsTurn = false;
  #crash: unknown = null;
  readonly #chronicle = new Chronicle();
  #steps = 0;

  constructor(seed: number, trace: (line: string) => void) {
    this.#chance = new Chance(seed);
    this.#network = new Network(this.#schedule, this.#chance, this.#chronicle);
    this.#trace = (line) => trace(`${this.#schedule.nowMs.toFixed(1).padStart(9)} ${line}`);
    this.#disk = new SimulatedDisk(this.#chance);
    this.#agentId = this.#chance.id(EPOCH_MS);
    const planOf = (id: string): AnswerPlan => this.#known.of(id).plan.answer;
    this.#ollama = new SimulatedOllama(
      this.#chance,
      () => this.#schedule.nowMs,
      planOf,
      (id, exchange) => this.#known.of(id).exchanges.push(exchange),
    );
    const onSettled = this.#requestTurn;
    this.#aggregator = new SimulatedAggregator({
      schedule: this.#schedule,
      chance: this.#chance,
      ledger: this.#ledger,
      isTroubled: () => this.#faults.isTroubled,
      noteFault: (fault) => this.#faults.note(fault),
      trace: this.#trace,
      onSettled,
    });
    this.#box = new SimulatedBox({
      name: BOX,
      schedule: this.#schedule,
      ingest: (records) => this.#aggregator.ingested(records),
      connected: () => this.#aggregator.connected(),
      registry: null,
      onSettled,
      onCrash: (error) => {
        this.#crash ??= error;
      },
    });
    this.#faults = new Faults({
      schedule: this.#schedule,
      chance: this.#chance,
      chronicle: this.#chronicle,
      network: this.#network,
      box: this.#box,
      disk: this.#disk,
      ollama: this.#ollama,
      trace: this.#trace,
      killAgent: (why) => this.#killAgent(why),
      replaceAgent: () => {
        this.#agentId = this.#chance.id(EPOCH_MS);
      },
      killWorker: () => this.#killWorker(),
      skewClock: (ms) => {
        this.#skewMs = ms;
      },
      excuseUnrecorded: (why) => this.#known.excuseUnrecorded(why),
    });
  }

  async run(): Promise<Outcome> {
    this.#startAgent();
    this.#faults.plan();
    this.#planCalls();
    this.#sample();
    this.#schedule.after(FAULTS_UNTIL_MS, () => this.#faults.mend());
    while (this.#schedule.step(FAULTS_UNTIL_MS + QUIET_MS)) {
      if (++this.#steps > STEPS_MAX) broken(`more than ${STEPS_MAX} steps: something loops`);
      if (this.#agent !== null) checkMemory(this.#agent.streams);
      if (this.#needsTurn) await this.#turn();
      if (this.#crash !== null) throw this.#crash;
    }
    if (this.#agent === null) broken("the agent did not come back");
    checkEnd({
      agent: this.#agent,
      ollama: this.#ollama,
      ledger: this.#ledger,
      pulse: this.#pulse,
      known: this.#known.byId,
      chronicle: this.#chronicle,
    });
    const rows = this.#ledger.rows();
    const resumed = rows.reduce((sum, row) => sum + row.resumed, 0);
    return {
      calls: this.#known.byId.size,
      steps: this.#steps,
      faults: this.#chronicle.faults,
      recorded: rows.length,
      resumed,
      results: this.#known.results(),
    };
  }

  #startAgent(): void {
    if (this.#agent !== null) return;
    const world: AgentWorld = {
      box: BOX,
      schedule: this.#schedule,
      chance: this.#chance,
      disk: this.#disk,
      ollama: this.#ollama,
      turns: turnsOf(null),
      isLoaded: () => false,
      wallMs: () => Math.floor(EPOCH_MS + this.#schedule.nowMs + this.#skewMs),
      dial: () => this.#dial(),
      onSynced: this.#requestTurn,
      onUp: () => {},
      onLog: (event) => {
        this.#trace(`agent: ${event}`);
        if (event === "stream_failed") broken("the agent received an impossible frame");
      },
    };
    this.#agent = new AgentProcess(world, this.#agentId);
    this.#trace("agent started");
  }

  #killAgent(why: string): void {
    this.#trace(`agent killed: ${why}`);
    this.#chronicle.killsMs.push(this.#schedule.nowMs);
    // Records that the disk would not take are lost with the process: see agent/spool/spool.ts.
    if (this.#agent?.spool.isBehind) this.#known.excuseUnrecorded("killed while its disk was full");
    this.#agent?.kill();
    this.#agent = null;
    this.#schedule.after(this.#chance.between(5, 8_000), () => this.#startAgent());
  }

  #dial(): End | null {
    const link = this.#network.dial();
    if (link !== null) this.#box.connect(link.far);
    return link?.near ?? null;
  }

  #begin(plan: CallPlan): void {
    const known = this.#known.add(plan);
    const world: CallWorld = {
      schedule: this.#schedule,
      chance: this.#chance,
      pulse: this.#pulse,
      box: BOX,
      dial: (request, onAnswer) =>
        this.#network.join(request.id, (far, to) => this.#box.attach(far, request, to), onAnswer),
      onRefused: (id) => {
        this.#trace(`${id} refused`);
        known.call = null;
        this.#recordAtEdge(id, "error");
      },
      onEnded: (call, ended) => this.#ended(call, ended),
      exchangesOf: (id) => this.#known.of(id).exchanges,
      broken: (what) => broken(`${plan.id}: ${what}`),
    };
    this.#trace(
      `${plan.id} begins: ${plan.body?.length ?? "no"} bytes, answer ${plan.answer.bytes}`,
    );
    known.call = new Call(plan, world);
    this.#faults.streamBegins();
  }

  #ended(call: Call, ended: Ended): void {
    const { id } = call.plan;
    const status = "status" in ended ? `, ${ended.status}` : "";
    const reason = "failure" in ended ? ` ${ended.failure.reason}` : "";
    this.#trace(`${id} ended by ${ended.by}${status}${reason}`);
    if (
      "failure" in ended &&
      ended.failure.reason === "box_refused" &&
      ended.failure.message.startsWith("The box sent an invalid answer")
    )
      broken(`${id}: ${ended.failure.message}`);
    if (ended.by === "edge")
      this.#recordAtEdge(id, ended.status, "afterMs" in ended ? ended.afterMs : 0);
  }

  #recordAtEdge(id: string, status: "error" | "cancelled", afterMs = 0): void {
    const record = recordOf(EPOCH_MS, {
      request_id: id,
      box: BOX,
      status,
      prompt: null,
      response: null,
    });
    const worker = this.#pulse;
    this.#schedule.after(afterMs, () => {
      if (this.#pulse !== worker)
        return this.#known.excuse(id, "the Worker was killed with the record");
      this.#aggregator.ingest(
        [record],
        (isDurable) => !isDurable && this.#recordAtEdge(id, status, 1_000),
      );
    });
  }

  #planCalls(): void {
    const chance = this.#chance;
    const calls = chance.whole(2, 14);
    for (let i = 0; i < calls; i++) {
      const atMs = chance.between(0, FAULTS_UNTIL_MS - 5_000);
      this.#schedule.after(atMs, () => this.#begin(callPlan(chance, atMs)));
    }
  }

  #killWorker(): void {
    this.#pulse = newPulse();
    for (const [id, { call }] of this.#known.byId) {
      if (call === null || call.isDone) continue;
      if (call.ended === null) this.#known.excuse(id, "the Worker was killed");
      call.kill();
    }
  }

  #sample(): void {
    const { nowMs } = this.#schedule;
    const isUp = this.#agent?.isUp ?? false;
    this.#chronicle.sample(nowMs, isUp);
    this.#downMs = isUp ? null : (this.#downMs ?? nowMs);
    if (this.#downMs !== null && nowMs - this.#downMs > GRACE_MS + NOTICE_MS + 1_000)
      checkGaveUp(this.#known.byId, this.#downMs);
    this.#schedule.after(SAMPLE_MS, () => this.#sample());
  }

  readonly #requestTurn = (): void => {
    this.#needsTurn = true;
  };

  /** Lets promises settle. */
  async #turn(): Promise<void> {
    this.#needsTurn = false;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

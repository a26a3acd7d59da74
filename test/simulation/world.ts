/**
 * The world: callers, an edge, a Box, an agent, an Ollama, a disk and a ledger, on one schedule, made
 * from a seed; faults of every kind in its first minute; and what must hold, at each step and at the end.
 */
import { GRACE_MS, NOTICE_MS } from "../../protocol/limits.ts";
import { RequestRecord } from "../../protocol/records.ts";
import type { Ended } from "../../worker/gateway/stream/ended.ts";
import { newPulse, type Pulse } from "../../worker/gateway/stream/pulse.ts";
import { recordOf } from "../support/records.ts";
import { AgentProcess, type AgentWorld } from "./agent.ts";
import { RegistryFailed, SimulatedBox } from "./box.ts";
import { callPlan, EPOCH_MS } from "./call-plan.ts";
import { Call, type CallPlan, type CallWorld } from "./caller.ts";
import { Chance } from "./chance.ts";
import { Chronicle, SAMPLE_MS } from "./chronicle.ts";
import { SimulatedDisk } from "./disk.ts";
import { Broken, checkEnd, checkGaveUp, checkMemory, type Known } from "./holds.ts";
import { SimulatedLedger } from "./ledger.ts";
import type { End } from "./link.ts";
import { Network } from "./network.ts";
import { type AnswerPlan, SimulatedOllama } from "./ollama.ts";
import { Schedule } from "./schedule.ts";

const FAULTS_UNTIL_MS = 60_000;
/** Everything is well for so long at the end: two grace periods, and what a slow caller takes. */
const QUIET_MS = 150_000;
const HOUR_MS = 3_600_000;
const STEPS_MAX = 500_000;

export type Outcome = {
  calls: number;
  steps: number;
  faults: number;
  recorded: number;
  resumed: number;
  heard: Record<string, number>;
};

export async function simulate(
  seed: number,
  tell: (line: string) => void = () => {},
): Promise<Outcome> {
  const world = new World(seed, tell);
  return world.run();
}

class World {
  readonly #schedule = new Schedule();
  readonly #chance: Chance;
  readonly #tell: (line: string) => void;
  readonly #disk: SimulatedDisk;
  readonly #ollama: SimulatedOllama;
  readonly #ledger = new SimulatedLedger();
  readonly #box: SimulatedBox;
  readonly #known = new Map<string, Known>();
  #pulse: Pulse = newPulse();
  #agent: AgentProcess | null = null;
  #agentId: string;
  readonly #network: Network;
  #skewMs = 0;
  /** How each kind of fault is done. */
  readonly #kinds: Record<string, () => void>;
  /** This world has faults. */
  #isTroubled = false;
  /** Since when the tunnel is down. */
  #downMs: number | null = null;
  #needsTurn = false;
  #crash: unknown = null;
  readonly #chronicle = new Chronicle();
  #steps = 0;

  constructor(seed: number, tell: (line: string) => void) {
    this.#chance = new Chance(seed);
    this.#network = new Network(this.#schedule, this.#chance, this.#chronicle);
    this.#kinds = this.#faultKinds();
    this.#tell = (line) => tell(`${this.#schedule.nowMs.toFixed(1).padStart(9)} ${line}`);
    this.#disk = new SimulatedDisk(this.#chance);
    this.#agentId = this.#chance.id(EPOCH_MS);
    const planOf = (id: string): AnswerPlan => this.#of(id).plan.answer;
    this.#ollama = new SimulatedOllama(
      this.#chance,
      () => this.#schedule.nowMs,
      planOf,
      (id, exchange) => this.#of(id).exchanges.push(exchange),
    );
    this.#box = new SimulatedBox({
      schedule: this.#schedule,
      ingest: (records) => this.#settled((take) => this.#ingest(records, take)),
      connected: () => this.#settled((take) => this.#register(take)),
      onSettled: () => {
        this.#needsTurn = true;
      },
      onCrash: (error) => {
        this.#crash ??= error;
      },
    });
  }

  async run(): Promise<Outcome> {
    this.#startAgent();
    this.#planFaults();
    this.#planCalls();
    this.#sample();
    this.#schedule.after(FAULTS_UNTIL_MS, () => this.#mend());
    while (this.#schedule.step(FAULTS_UNTIL_MS + QUIET_MS)) {
      if (++this.#steps > STEPS_MAX)
        this.#broken(`more than ${STEPS_MAX} steps: something goes round in circles`);
      if (this.#agent !== null) checkMemory(this.#agent.streams);
      if (this.#needsTurn) await this.#turn();
      if (this.#crash !== null) throw this.#crash;
    }
    if (this.#agent === null) this.#broken("the agent did not come back");
    checkEnd({
      agent: this.#agent,
      ollama: this.#ollama,
      ledger: this.#ledger,
      pulse: this.#pulse,
      known: this.#known,
      chronicle: this.#chronicle,
    });
    const heard: Record<string, number> = {};
    for (const { call } of this.#known.values())
      heard[call?.heard ?? "refused"] = (heard[call?.heard ?? "refused"] ?? 0) + 1;
    const rows = this.#ledger.rows();
    const resumed = rows.reduce((sum, row) => sum + row.resumed, 0);
    return {
      calls: this.#known.size,
      steps: this.#steps,
      faults: this.#chronicle.faults,
      recorded: rows.length,
      resumed,
      heard,
    };
  }

  // ---- what happens

  #startAgent(): void {
    if (this.#agent !== null) return;
    const world: AgentWorld = {
      schedule: this.#schedule,
      chance: this.#chance,
      disk: this.#disk,
      ollama: this.#ollama,
      wallMs: () => Math.floor(EPOCH_MS + this.#schedule.nowMs + this.#skewMs),
      dial: () => this.#dial(),
      onSynced: () => {
        this.#needsTurn = true;
      },
      onLog: (event) => {
        this.#tell(`agent: ${event}`);
        if (event === "stream_failed") this.#broken("the agent was told what cannot be");
      },
    };
    this.#agent = new AgentProcess(world, this.#agentId);
    this.#tell("agent started");
  }

  #killAgent(why: string): void {
    this.#tell(`agent killed: ${why}`);
    this.#chronicle.killsMs.push(this.#schedule.nowMs);
    // What the disk would not take goes with the process: see the head of agent/spool/spool.ts.
    if (this.#agent?.spool.isBehind) this.#excuseUnrecorded("killed while its disk was full");
    this.#agent?.kill();
    this.#agent = null;
    this.#schedule.after(this.#chance.between(5, 8_000), () => this.#startAgent());
  }

  #dial(): End | null {
    const link = this.#network.dial();
    if (link !== null) this.#box.connect(link.far);
    return link?.near ?? null;
  }

  #attach(id: string, isResume: boolean): End | null {
    return this.#network.join(id, ({ far }) => this.#box.attach(far, id, isResume))?.near ?? null;
  }

  #begin(plan: CallPlan): void {
    const known: Known = { call: null, plan, exchanges: [], excuse: null };
    this.#known.set(plan.id, known);
    const end = this.#attach(plan.id, false);
    if (end === null) {
      this.#tell(`${plan.id} refused`);
      return this.#recordAtEdge(plan.id, "error");
    }
    const world: CallWorld = {
      schedule: this.#schedule,
      chance: this.#chance,
      pulse: this.#pulse,
      attachAgain: (id) => this.#attach(id, true),
      onEnded: (call, ended) => this.#ended(call, ended),
      exchangesOf: (id) => this.#of(id).exchanges,
      broken: (what) => this.#broken(`${plan.id}: ${what}`),
    };
    this.#tell(
      `${plan.id} begins: ${plan.body?.length ?? "no"} bytes, answer ${plan.answer.bytes}`,
    );
    known.call = new Call(plan, end, world);
    // Much can go wrong while a stream begins, and chance alone seldom finds that moment.
    const kind = this.#chance.pick(["cutTunnel", "cutTunnel", "stallAndWipe", "stallAndPowerCut"]);
    if (this.#isTroubled && this.#chance.isLikely(0.15))
      this.#schedule.after(this.#chance.between(0, 200), () => this.#fault(kind));
  }

  #ended(call: Call, ended: Ended): void {
    const { id } = call.plan;
    this.#tell(
      `${id} ended by ${ended.by}${"status" in ended ? `, ${ended.status}` : ""}${"failure" in ended ? ` ${ended.failure.reason}` : ""}`,
    );
    if (
      "failure" in ended &&
      ended.failure.reason === "box_refused" &&
      ended.failure.message.startsWith("The box sent an invalid answer")
    )
      this.#broken(`${id}: ${ended.failure.message}`);
    if (ended.by === "edge")
      this.#recordAtEdge(id, ended.status, "afterMs" in ended ? ended.afterMs : 0);
  }

  #recordAtEdge(id: string, status: "error" | "cancelled", afterMs = 0): void {
    const record = recordOf(EPOCH_MS, {
      request_id: id,
      box: "box",
      status,
      prompt: null,
      response: null,
    });
    const worker = this.#pulse;
    this.#schedule.after(afterMs, () => {
      if (this.#pulse !== worker) return this.#excuse(id, "the Worker was killed with the record");
      this.#ingest([record], (isDurable) => !isDurable && this.#recordAtEdge(id, status, 1_000));
    });
  }

  /** The Aggregator takes records: late, twice, after a failure, or before a crash that nobody answers after. */
  #ingest(records: RequestRecord[], done: (isDurable: boolean) => void): void {
    const chance = this.#chance;
    this.#schedule.after(chance.between(0, 20), () => {
      for (const record of records) RequestRecord.parse(record);
      const nowMs = Math.floor(EPOCH_MS + this.#schedule.nowMs);
      const isTroubled = this.#schedule.nowMs < FAULTS_UNTIL_MS;
      try {
        this.#ledger.add(
          records,
          nowMs,
          isTroubled && chance.isLikely(0.05) ? chance.whole(0, 12) : null,
        );
      } catch {
        this.#tell("ledger: storage failed");
        this.#ledger.restart(nowMs);
        return done(false);
      }
      if (isTroubled && chance.isLikely(0.05)) this.#ledger.restart(nowMs);
      if (chance.isLikely(0.05)) this.#ledger.add(records, nowMs, null);
      this.#tell(
        `ledger: ${records.map(({ request_id, status }) => `${request_id} ${status}`).join(", ")}`,
      );
      done(!(isTroubled && chance.isLikely(0.05))); // else killed between commit and answer
    });
  }

  /** The registry of boxes is told of an agent; seldom it does not answer. */
  #register(done: (isDone: boolean) => void): void {
    const isFailing =
      this.#isTroubled && this.#schedule.nowMs < FAULTS_UNTIL_MS && this.#chance.isLikely(0.02);
    if (isFailing) this.#harmed("registry failed");
    this.#schedule.after(this.#chance.between(0, 20), () => done(!isFailing));
  }

  /** What is told by a callback, as a promise. */
  #settled(act: (done: (isDone: boolean) => void) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      act((isDone) => {
        this.#needsTurn = true;
        if (isDone) resolve();
        else reject(new RegistryFailed());
      });
    });
  }

  // ---- plans

  #planCalls(): void {
    const chance = this.#chance;
    const calls = chance.whole(2, 14);
    for (let i = 0; i < calls; i++) {
      const atMs = chance.between(0, FAULTS_UNTIL_MS - 5_000);
      this.#schedule.after(atMs, () => this.#begin(callPlan(chance, atMs)));
    }
  }

  #planFaults(): void {
    const chance = this.#chance;
    const names = Object.keys(this.#kinds);
    // A few kinds per world: so that each also comes alone, and in storms.
    const chosen = Array.from({ length: chance.whole(1, 4) }, () => chance.pick(names));
    const faults = chance.isLikely(0.1) ? 0 : chance.whole(1, 25);
    this.#isTroubled = faults > 0;
    for (let i = 0; i < faults; i++) {
      const kind = chance.pick(chosen);
      this.#schedule.after(chance.between(0, FAULTS_UNTIL_MS), () => {
        this.#fault(kind);
      });
    }
  }

  #fault(kind: string): void {
    this.#harmed(kind);
    this.#kinds[kind]?.();
  }

  #harmed(what: string): void {
    this.#chronicle.faults++;
    this.#tell(`fault: ${what}`);
    if (/cut|Box|registry/.test(what)) this.#chronicle.cutsMs.push(this.#schedule.nowMs);
  }

  #faultKinds(): Record<string, () => void> {
    const chance = this.#chance;
    const later = (fromMs: number, toMs: number, run: () => void) =>
      void this.#schedule.after(chance.between(fromMs, toMs), run);
    const network = this.#network;
    const kinds = {
      cutTunnel: () => network.cutTunnel(),
      swallow: () => network.swallow(),
      stall: () => network.stall(),
      stallAndWipe: () => {
        kinds.stall();
        later(0, 500, kinds.wipe);
      },
      stallAndPowerCut: () => {
        kinds.stall();
        later(0, 100, kinds.powerCut);
      },
      cutPath: () => {
        network.cutTunnel();
        network.goDown(10, chance.isLikely(0.2) ? 45_000 : 10_000);
      },
      swallowPath: () => {
        network.swallow();
        network.goDown(10, 40_000);
      },
      cutCaller: () => network.cutCaller(),
      restartBox: () => this.#box.restart(),
      hibernate: () => this.#box.hibernate(),
      moveBox: () => {
        this.#box.restart();
        network.goDown(10, 2_000);
      },
      killAgent: () => this.#killAgent("SIGKILL"),
      powerCut: () => {
        this.#killAgent("power cut");
        this.#disk.powerCut();
        this.#excuseUnrecorded("a power cut");
      },
      wipe: () => {
        this.#killAgent("its state is lost");
        this.#disk.wipe();
        this.#agentId = chance.id(EPOCH_MS);
        this.#excuseUnrecorded("the state of the agent was lost");
      },
      killWorker: () => this.#killWorker(),
      fillDisk: () => {
        this.#disk.isFull = true;
        later(1, 12_000, () => {
          this.#disk.isFull = false;
        });
      },
      moveClock: () => {
        this.#skewMs = chance.pick([0, HOUR_MS, -HOUR_MS, 90 * 24 * HOUR_MS, -90 * 24 * HOUR_MS]);
      },
      stopOllama: () => {
        this.#ollama.isDown = true;
        later(1, 12_000, () => {
          this.#ollama.isDown = false;
        });
      },
    };
    return kinds;
  }

  #killWorker(): void {
    this.#pulse = newPulse();
    for (const [id, { call }] of this.#known) {
      if (call === null || call.isDone) continue;
      if (call.ended === null) this.#excuse(id, "the Worker was killed");
      call.kill();
    }
  }

  #sample(): void {
    const { nowMs } = this.#schedule;
    const isUp = this.#agent?.isUp ?? false;
    this.#chronicle.sample(nowMs, isUp);
    this.#downMs = isUp ? null : (this.#downMs ?? nowMs);
    if (this.#downMs !== null && nowMs - this.#downMs > GRACE_MS + NOTICE_MS + 1_000)
      checkGaveUp(this.#known, this.#downMs);
    this.#schedule.after(SAMPLE_MS, () => this.#sample());
  }

  #mend(): void {
    this.#network.mend();
    this.#disk.isFull = false;
    this.#ollama.isDown = false;
  }

  #of(id: string): Known {
    return this.#known.get(id) ?? this.#broken(`a request that nobody made: ${id}`);
  }

  #isRecorded(id: string): boolean {
    return this.#ledger.rows().some((row) => row.request_id === id);
  }

  #excuseUnrecorded(why: string): void {
    for (const id of this.#known.keys()) if (!this.#isRecorded(id)) this.#excuse(id, why);
  }

  #excuse(id: string, why: string): void {
    const known = this.#known.get(id);
    if (known !== undefined) known.excuse ??= why;
  }

  #broken(what: string): never {
    throw new Broken(what);
  }

  /** Lets promises settle. */
  async #turn(): Promise<void> {
    this.#needsTurn = false;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

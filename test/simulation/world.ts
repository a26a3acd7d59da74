/**
 * The world: callers, an edge, a Box, an agent, an Ollama, a disk and a ledger, on one schedule, made
 * from a seed; faults of every kind in its first minute; and what must hold, at each step and at the end.
 */
import { GRACE_MS, NOTICE_MS, STREAMS_PER_BOX_MAX, WINDOW_BYTES } from "../../protocol/limits.ts";
import type { Open } from "../../protocol/messages.ts";
import { RequestRecord } from "../../protocol/records.ts";
import type { Ended } from "../../worker/relay/edge-core.ts";
import { newPulse, type Pulse } from "../../worker/relay/pulse.ts";
import { recordOf } from "../support/records.ts";
import { AgentProcess, type AgentWorld } from "./agent.ts";
import { RegistryFailed, SimulatedBox } from "./box.ts";
import { Call, type CallPlan, type CallWorld } from "./caller.ts";
import { Chance } from "./chance.ts";
import { SimulatedDisk } from "./disk.ts";
import { SimulatedLedger } from "./ledger.ts";
import { type End, Link } from "./link.ts";
import { type AnswerPlan, type Exchange, SimulatedOllama } from "./ollama.ts";
import { Schedule } from "./schedule.ts";

/** Unix ms at which every world begins, by the edge's clock. */
const EPOCH_MS = Date.parse("2026-08-01T00:00:00.000Z");
const FAULTS_UNTIL_MS = 60_000;
/** Everything is well for so long at the end: two grace periods, and what a slow caller takes. */
const QUIET_MS = 150_000;
const HOUR_MS = 3_600_000;
const STEPS_MAX = 500_000;

/** Once there is a way to the agent, and nothing happens to it, a call whose caller left stops its Ollama within this. */
const CANCEL_MS = 1_000;
const SAMPLE_MS = 250;
/** What was sent so shortly before a cut, or before it was noticed, may be lost. */
const IN_FLIGHT_MS = 250;
/** An agent that is back gives up what it is not asked for within this. */
const UNWANTED_MS = 8_000;

/** What does not hold, in the world of one seed. */
export class Broken extends Error {
  override readonly name = "Broken";
}

export type Outcome = { calls: number; steps: number; faults: number; recorded: number; resumed: number; heard: Record<string, number> };

export async function simulate(seed: number, tell: (line: string) => void = () => {}): Promise<Outcome> {
  const world = new World(seed, tell);
  return world.run();
}

type Known = {
  call: Call | null;
  plan: CallPlan;
  exchanges: Exchange[];
  /** Why it may have no record. */
  excuse: string | null;
};

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
  #tunnel: Link | null = null;
  /** The links of the calls, by request id. */
  readonly #links = new Map<string, Link>();
  #isPathDown = false;
  #skewMs = 0;
  /** How each kind of fault is done. */
  readonly #kinds: Record<string, () => void>;
  /** This world has faults. */
  #isTroubled = false;
  /** Since when the tunnel is down. */
  #downMs: number | null = null;
  #needsTurn = false;
  #crash: unknown = null;
  readonly #killsMs: number[] = [];
  readonly #swallowsMs: number[] = [];
  readonly #cutsMs: number[] = [];
  /** Whether the tunnel was up, and how much had happened until then. */
  readonly #samples: { atMs: number; isUp: boolean; faults: number }[] = [];
  #steps = 0;
  #faults = 0;

  constructor(seed: number, tell: (line: string) => void) {
    this.#chance = new Chance(seed);
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
      if (++this.#steps > STEPS_MAX) this.#broken(`more than ${STEPS_MAX} steps: something goes round in circles`);
      this.#checkAgentMemory();
      if (this.#needsTurn) await this.#turn();
      if (this.#crash !== null) throw this.#crash;
    }
    this.#checkEnd();
    const heard: Record<string, number> = {};
    for (const { call } of this.#known.values()) heard[call?.heard ?? "refused"] = (heard[call?.heard ?? "refused"] ?? 0) + 1;
    const rows = this.#ledger.rows();
    const resumed = rows.reduce((sum, row) => sum + row.resumed, 0);
    return { calls: this.#known.size, steps: this.#steps, faults: this.#faults, recorded: rows.length, resumed, heard };
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
    this.#killsMs.push(this.#schedule.nowMs);
    // What the disk would not take goes with the process: see the head of agent/spool/spool.ts.
    if (this.#agent?.spool.isBehind) this.#excuseUnrecorded("killed while its disk was full");
    this.#agent?.kill();
    this.#agent = null;
    this.#schedule.after(this.#chance.between(5, 8_000), () => this.#startAgent());
  }

  #dial(): End | null {
    if (this.#isPathDown) return null;
    const link = new Link(this.#schedule, this.#chance, 15);
    this.#tunnel = link;
    this.#box.connect(link.far);
    return link.near;
  }

  #attach(id: string, isResume: boolean): End | null {
    const link = new Link(this.#schedule, this.#chance, 3);
    if (!this.#box.attach(link.far, id, isResume)) return null;
    this.#links.set(id, link);
    return link.near;
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
    this.#tell(`${plan.id} begins: ${plan.body?.length ?? "no"} bytes, answer ${plan.answer.bytes}`);
    known.call = new Call(plan, end, world);
    // Much can go wrong while a stream begins, and chance alone seldom finds that moment.
    const kind = this.#chance.pick(["cutTunnel", "cutTunnel", "stallAndWipe", "stallAndPowerCut"]);
    if (this.#isTroubled && this.#chance.isLikely(0.15)) this.#schedule.after(this.#chance.between(0, 200), () => this.#fault(kind));
  }

  #ended(call: Call, ended: Ended): void {
    const { id } = call.plan;
    this.#tell(
      `${id} ended by ${ended.by}${"status" in ended ? `, ${ended.status}` : ""}${"failure" in ended ? ` ${ended.failure.reason}` : ""}`,
    );
    if ("failure" in ended && ended.failure.reason === "box_refused" && ended.failure.message.startsWith("The box sent"))
      this.#broken(`${id}: ${ended.failure.message}`);
    if (ended.by === "edge") this.#recordAtEdge(id, ended.status, "afterMs" in ended ? ended.afterMs : 0);
  }

  #recordAtEdge(id: string, status: "error" | "cancelled", afterMs = 0): void {
    const record = recordOf(EPOCH_MS, { request_id: id, box: "box", status, prompt: null, response: null });
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
        this.#ledger.add(records, nowMs, isTroubled && chance.isLikely(0.05) ? chance.whole(0, 12) : null);
      } catch {
        this.#tell("ledger: storage failed");
        this.#ledger.restart(nowMs);
        return done(false);
      }
      if (isTroubled && chance.isLikely(0.05)) this.#ledger.restart(nowMs);
      if (chance.isLikely(0.05)) this.#ledger.add(records, nowMs, null);
      this.#tell(`ledger: ${records.map(({ request_id, status }) => `${request_id} ${status}`).join(", ")}`);
      done(!(isTroubled && chance.isLikely(0.05))); // else killed between commit and answer
    });
  }

  /** The registry of boxes is told of an agent; seldom it does not answer. */
  #register(done: (isDone: boolean) => void): void {
    const isFailing = this.#isTroubled && this.#schedule.nowMs < FAULTS_UNTIL_MS && this.#chance.isLikely(0.02);
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
      this.#schedule.after(atMs, () => this.#begin(planOf(chance, atMs)));
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
    this.#faults++;
    this.#tell(`fault: ${what}`);
    if (/cut|Box|registry/.test(what)) this.#cutsMs.push(this.#schedule.nowMs);
  }

  #faultKinds(): Record<string, () => void> {
    const chance = this.#chance;
    const later = (fromMs: number, toMs: number, run: () => void) => void this.#schedule.after(chance.between(fromMs, toMs), run);
    const pathDown = (fromMs: number, toMs: number) => {
      this.#isPathDown = true;
      later(fromMs, toMs, () => {
        this.#isPathDown = false;
      });
    };
    const kinds = {
      cutTunnel: () => this.#tunnel?.cut(),
      swallow: () => this.#swallow(),
      stall: () => {
        if (this.#tunnel !== null) this.#tunnel.stalledUntilMs = this.#schedule.nowMs + chance.between(100, 6_000);
        this.#swallowsMs.push(this.#schedule.nowMs);
      },
      stallAndWipe: () => {
        kinds.stall();
        later(0, 500, kinds.wipe);
      },
      stallAndPowerCut: () => {
        kinds.stall();
        later(0, 100, kinds.powerCut);
      },
      cutPath: () => {
        this.#tunnel?.cut();
        pathDown(10, chance.isLikely(0.2) ? 45_000 : 10_000);
      },
      swallowPath: () => {
        this.#swallow();
        pathDown(10, 40_000);
      },
      cutCaller: () => chance.pick([...this.#links.values()])?.cut(),
      restartBox: () => this.#box.restart(),
      hibernate: () => this.#box.hibernate(),
      moveBox: () => {
        this.#box.restart();
        pathDown(10, 2_000);
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

  #swallow(): void {
    if (this.#tunnel !== null) this.#tunnel.swallows = true;
    this.#swallowsMs.push(this.#schedule.nowMs);
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
    this.#samples.push({ atMs: nowMs, isUp, faults: this.#faults });
    this.#downMs = isUp ? null : (this.#downMs ?? nowMs);
    if (this.#downMs !== null && nowMs - this.#downMs > GRACE_MS + NOTICE_MS + 1_000) this.#checkGaveUp(this.#downMs);
    this.#schedule.after(SAMPLE_MS, () => this.#sample());
  }

  #mend(): void {
    this.#isPathDown = false;
    this.#disk.isFull = false;
    this.#ollama.isDown = false;
    if (this.#tunnel?.swallows) this.#tunnel.cut();
  }

  // ---- what must hold

  #checkAgentMemory(): void {
    if (this.#agent === null) return;
    const { streams } = this.#agent;
    if (streams.size > STREAMS_PER_BOX_MAX) this.#broken("more streams than a box may have");
    for (const stream of streams.streams) {
      // One chunk of Ollama may pass the window: it had been read.
      if (stream.keptBytes > WINDOW_BYTES + CHUNK_BYTES_MAX) this.#broken(`the agent keeps ${stream.keptBytes} bytes of ${stream.id}`);
    }
  }

  /** An agent that stays away longer than the grace period ends every stream; what its caller was given before may take it a while. */
  #checkGaveUp(sinceMs: number): void {
    for (const [id, { call, plan }] of this.#known) {
      if (call !== null && !call.isDone && call.ended === null && call.beganMs < sinceMs && plan.msPerKilobyte < 1)
        this.#broken(`${id} waits for an agent that is away since ${sinceMs}`);
    }
  }

  #checkEnd(): void {
    if (this.#agent === null) this.#broken("the agent did not come back");
    if (this.#agent.streams.size > 0) this.#broken(`a stream that never ends: ${[...this.#agent.streams.streams].map(({ id }) => id)}`);
    if (this.#agent.spool.pending > 0) this.#broken(`${this.#agent.spool.pending} records that were never delivered`);
    if (this.#pulse.open !== 0) this.#broken(`${this.#pulse.open} streams counted as open`);
    for (const exchange of this.#ollama.exchanges) if (exchange.isOpen) this.#broken(`an exchange that never ends: ${exchange.number}`);
    const rows = new Map(this.#ledger.rows().map((row) => [row.request_id, row]));
    for (const [id, known] of this.#known) this.#checkCall(id, known, rows.get(id)?.status ?? null);
    for (const id of rows.keys()) if (!this.#known.has(id)) this.#broken(`a record of nobody's: ${id}`);
    const counted = this.#ledger.counted();
    for (const status of ["success", "error", "cancelled"] as const) {
      const inLedger = [...rows.values()].filter((row) => row.status === status).length;
      if (counted[status] !== inLedger) this.#broken(`${counted[status]} ${status} counted, ${inLedger} in the ledger`);
    }
  }

  #checkCall(id: string, { call, exchanges, excuse, plan }: Known, status: string | null): void {
    if (call !== null && !call.isDone) this.#broken(`${id} never ends`);
    if (status === null && excuse === null) this.#broken(`${id} has no record`);
    if (call === null) return;
    if (call.heard === "nothing" && excuse === null) this.#broken(`${id}: its caller heard nothing`);
    if (
      call.heard === "whole" &&
      status !== "success" &&
      excuse === null &&
      exchanges.length < 2 &&
      !this.#killsMs.some((atMs) => atMs >= call.beganMs)
    )
      this.#broken(`${id}: answered whole, recorded as ${status}`);
    if (call.heard !== "left" && status === "cancelled" && excuse === null) this.#broken(`${id}: recorded as cancelled, and nobody left`);
    if (exchanges.length > 1 && excuse === null) this.#broken(`${id}: Ollama was asked ${exchanges.length} times`);
    for (const exchange of exchanges) {
      if (call.leftMs !== null && (excuse === null || !excuse.startsWith("the Worker"))) {
        // The word may be lost on a link that swallows; then the agent is not asked for the stream when it is back.
        const dueMs = Math.max(this.#reachableMs(call.leftMs) + CANCEL_MS, this.#swallowedMs(call.leftMs));
        if (exchange.overMs === null || exchange.overMs > dueMs)
          this.#broken(`${id}: left at ${call.leftMs}, its exchange over at ${exchange.overMs}, due at ${dueMs}`);
      }
      const body = Buffer.concat(exchange.body);
      if (exchange.hasEnded && exchange.hasBodyEnded && !body.equals(plan.body ?? new Uint8Array(0)))
        this.#broken(`${id}: Ollama got another body than the caller sent`);
    }
  }

  #of(id: string): Known {
    return this.#known.get(id) ?? this.#broken(`a request that nobody made: ${id}`);
  }

  /** When, after that, the agent could be told for some time. */
  #reachableMs(fromMs: number, forMs = CANCEL_MS): number {
    const some = Math.ceil(forMs / SAMPLE_MS) + 1;
    const at = this.#samples.findIndex(
      ({ atMs, faults }, index) =>
        atMs >= fromMs && this.#samples.slice(index, index + some).every((later) => later.isUp && later.faults === faults),
    );
    return this.#samples[at]?.atMs ?? Number.POSITIVE_INFINITY;
  }

  /** When a stream ends that nobody comes back for, if its last word went into a link that swallowed it. */
  #swallowedMs(fromMs: number): number {
    const near = (ms: number) => (atMs: number) => Math.abs(atMs - fromMs) < ms;
    const isLost = this.#swallowsMs.some(near(NOTICE_MS + 1_000)) || this.#cutsMs.some(near(IN_FLIGHT_MS));
    return isLost ? this.#reachableMs(fromMs + NOTICE_MS, UNWANTED_MS) + UNWANTED_MS : 0;
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

const CHUNK_BYTES_MAX = 64 * 1024;

function planOf(chance: Chance, atMs: number): CallPlan {
  const id = chance.id(EPOCH_MS + atMs);
  const kind = chance.pick(["json", "json", "json", "tags", "blob"] as const);
  const isLarge = chance.isLikely(0.1);
  const bytes = chance.isLikely(0.05) ? 0 : isLarge ? chance.whole(100_000, 1_500_000) : chance.whole(1, 20_000);
  const answer: AnswerPlan = {
    status: 200,
    type: chance.pick(["application/x-ndjson", "text/event-stream", "application/json"]),
    bytes,
    saysLength: chance.isLikely(0.2),
    waitMs: chance.isLikely(0.2) ? chance.between(1_000, 20_000) : chance.between(0, 300),
    gapMs: chance.pick([0, 5, 20, 200]),
    chunkBytes: isLarge ? CHUNK_BYTES_MAX : chance.pick([100, 1_000, 10_000]),
    breaksAfter: chance.isLikely(0.08) ? chance.whole(0, bytes) : null,
  };
  const common = {
    headers: [["x-sim", id] as [string, string]],
    api: "ollama" as const,
    model: "m",
    started_at: new Date(EPOCH_MS + atMs).toISOString(),
    edge_ms: 4,
    keep_text: false,
    key_id: null,
    client_ip: null,
    user_agent: null,
  };
  const open: Open =
    kind === "json"
      ? { ...common, method: "POST", path: "/api/show", endpoint: "/api/show", stream: true }
      : kind === "tags"
        ? { ...common, method: "GET", path: "/api/tags", endpoint: "/api/tags", stream: false }
        : { ...common, method: "POST", path: `/api/blobs/sha256:${"0".repeat(64)}`, endpoint: "/api/blobs/:digest", stream: false };
  const bodyBytes =
    kind === "tags" ? 0 : kind === "blob" ? chance.whole(0, 800_000) : chance.whole(2, chance.isLikely(0.2) ? 600_000 : 2_000);
  return {
    id,
    open,
    body: kind === "tags" ? null : new Uint8Array(bodyBytes).fill(chance.whole(0, 255)),
    streamsBody: kind === "blob",
    answer,
    msPerKilobyte: chance.isLikely(0.2) ? chance.between(1, isLarge ? 20 : 200) : 0.01,
    leavesAfterMs: chance.isLikely(0.2) ? chance.between(0, chance.pick([5, 500, 20_000])) : null,
  };
}

/**
 * A simulated world of several boxes that share callers: each has an Ollama with models, an agent with its
 * queue, a tunnel and a Box. Isolates of the Worker choose among them, and move calls from those that
 * fail. Faults happen in its first minute; invariants are checked as calls are placed, and at the end.
 */
import { broken } from "../broken.ts";
import { EPOCH_MS } from "../call-plan.ts";
import { Chance } from "../chance.ts";
import { FAULTS_UNTIL_MS } from "../faults.ts";
import { SimulatedLedger } from "../ledger.ts";
import { Schedule } from "../schedule.ts";
import { FleetAggregator } from "./aggregator.ts";
import { FleetCall } from "./call.ts";
import { FleetFaults } from "./faults.ts";
import { checkFleet, checkWait, isAnsweredAgain, KNOWN_MS, type KnownCall } from "./holds.ts";
import { Isolate } from "./isolate.ts";
import { QueueWatch } from "./lanes.ts";
import { learnTimes } from "./learned.ts";
import { checkParallel } from "./limits.ts";
import { Machine } from "./machine.ts";
import type { FleetOutcome } from "./outcome.ts";
import { type FleetCallPlan, type FleetPlan, fleetPlan } from "./plan.ts";
import { FleetQuotas } from "./quotas.ts";

/** The boxes have connected and reported their models by then. */
const BEGIN_MS = 12_000;
const QUIET_MS = 150_000;
const ENDS_MS = BEGIN_MS + FAULTS_UNTIL_MS + QUIET_MS;
const LONGEST_MS = 3_600_000;
const REST_MS = 60_000;
/** The count of a key reads from the Boxes and the ledger before it refuses a call. */
const QUOTA_ROUNDS = 3;
const QUOTA_ROUND_MS = 61_000;
const STEPS_MAX = 2_000_000;
/** Records of boxes that were left count after a day without another one. */
const OVERDUE_MS = 25 * 3_600_000;

export async function simulateFleet(
  seed: number,
  trace: (line: string) => void = () => {},
): Promise<FleetOutcome> {
  return new FleetWorld(seed, trace).run();
}

class FleetWorld {
  readonly #schedule = new Schedule();
  readonly #chance: Chance;
  readonly #trace: (line: string) => void;
  readonly #plan: FleetPlan;
  readonly #ledger = new SimulatedLedger();
  readonly #aggregator: FleetAggregator;
  readonly #quotas: FleetQuotas;
  readonly #watch = new QueueWatch();
  readonly #faults: FleetFaults;
  readonly #machines: readonly Machine[];
  readonly #isolates: Isolate[];
  readonly #calls = new Map<string, KnownCall>();
  /** Calls without an answer. */
  readonly #open = new Set<FleetCall>();
  #numbers = 0;
  #needsTurn = false;
  #crash: unknown = null;
  #steps = 0;
  /** When a call was last open. */
  #busyMs = 0;
  #checked = 0;

  constructor(seed: number, trace: (line: string) => void) {
    this.#chance = new Chance(seed);
    this.#trace = (line) => trace(`${this.#schedule.nowMs.toFixed(1).padStart(9)} ${line}`);
    this.#plan = fleetPlan(this.#chance);
    const shared = {
      schedule: this.#schedule,
      chance: this.#chance,
      trace: this.#trace,
      onSettled: () => {
        this.#needsTurn = true;
      },
    };
    const isTroubled = () => this.#faults.isTroubled;
    this.#quotas = new FleetQuotas({
      ...shared,
      limits: this.#plan.limits,
      callsOf: (box, ids) => this.#machineOf(box).box.callsOf(ids),
      usesOf: (ids) => this.#ledger.uses(ids),
      isTroubled,
    });
    this.#aggregator = new FleetAggregator({
      ...shared,
      ledger: this.#ledger,
      isTroubled,
      onRecorded: (id) => this.#quotas.pass(this.#knownOf(id).call.plan.lane, id),
    });
    this.#machines = this.#plan.boxes.map(
      (plan) =>
        new Machine(plan, {
          ...shared,
          aggregator: this.#aggregator,
          watch: this.#watch,
          quotaOf: (lane) => this.#quotas.of(lane),
          callOf: (id) => this.#knownOf(id).call.plan,
          nextNumber: () => this.#numbers++,
          onExchange: (exchange) => {
            this.#trace(`${exchange.call.id} is with Ollama of ${exchange.box}`);
            const { exchanges } = this.#knownOf(exchange.call.id);
            for (const before of exchanges)
              before.isCutOff ||= this.#machineOf(before.box).awayMs >= before.arrivedMs;
            exchanges.push(exchange);
          },
          onCrash: (error) => {
            this.#crash ??= error;
          },
        }),
    );
    this.#isolates = Array.from({ length: this.#plan.isolates }, () => this.#newIsolate());
    this.#faults = new FleetFaults({
      ...shared,
      machines: this.#machines,
      killIsolate: () => this.#killIsolate(),
      killQuotas: () => this.#quotas.restart(),
      moveQuotaClocks: () => this.#quotas.moveClock(),
    });
  }

  async run(): Promise<FleetOutcome> {
    if (this.#chance.isLikely(0.8)) learnTimes(this.#ledger, this.#plan);
    for (const machine of this.#machines) machine.start();
    this.#schedule.after(BEGIN_MS, () => this.#faults.plan());
    for (const plan of this.#plan.calls)
      this.#schedule.after(BEGIN_MS + plan.atMs, () => this.#begin(plan));
    this.#schedule.after(BEGIN_MS + FAULTS_UNTIL_MS, () => this.#faults.mend());
    await this.#runUntil(() => this.#untilMs);
    this.#addOverdue();
    await this.#settleQuotas();
    checkFleet({
      machines: this.#machines,
      isolates: this.#isolates,
      ledger: this.#ledger,
      calls: this.#calls,
    });
    this.#quotas.check();
    return this.#outcome();
  }

  async #runUntil(untilMs: () => number): Promise<void> {
    while (this.#schedule.step(untilMs())) {
      if (++this.#steps > STEPS_MAX) broken(`more than ${STEPS_MAX} steps: something loops`);
      this.#noteBoxes();
      if (this.#needsTurn) await this.#turn();
      if (this.#crash !== null) throw this.#crash;
    }
  }

  /** Lets the counts of keys read what they missed, each time in another minute. */
  async #settleQuotas(): Promise<void> {
    for (let round = 0; this.#plan.limits.size > 0 && round < QUOTA_ROUNDS; round++) {
      const untilMs = this.#schedule.nowMs + QUOTA_ROUND_MS;
      const probing = this.#quotas.probe(round).catch((error: unknown) => {
        this.#crash ??= error;
      });
      await this.#runUntil(() => untilMs);
      await probing;
    }
  }

  /** Long queues of slow boxes take their time, and so do their last records. */
  get #untilMs(): number {
    return this.#open.size > 0 ? LONGEST_MS : Math.max(ENDS_MS, this.#busyMs + REST_MS);
  }

  #knownOf(id: string): KnownCall {
    return this.#calls.get(id) ?? broken(`a request that no caller made: ${id}`);
  }

  #newIsolate(): Isolate {
    return new Isolate({
      schedule: this.#schedule,
      chance: this.#chance,
      aggregator: this.#aggregator,
    });
  }

  #begin(plan: FleetCallPlan): void {
    const isolate = this.#isolates[plan.isolate];
    if (isolate === undefined) throw new Error(`no isolate ${plan.isolate}`);
    this.#trace(`${plan.id} of ${plan.lane} for ${plan.model}`);
    const call = new FleetCall(plan, {
      schedule: this.#schedule,
      chance: this.#chance,
      isolate,
      aggregator: this.#aggregator,
      key: this.#quotas.attachKeyOf(plan.lane),
      dial: (box, request, onAnswer) => {
        const machine = this.#machineOf(box);
        return machine.network.join(
          request.id,
          (far, to) => machine.box.attach(far, request, to),
          onAnswer,
        );
      },
      onTaken: (taken, box, isKnown) => this.#placed(taken, box, isKnown),
      trace: this.#trace,
      broken,
    });
    for (const machine of this.#machines)
      if (this.#isKnownWell(machine)) call.wellThroughout.add(machine.plan.name);
    this.#calls.set(plan.id, { call, exchanges: [], excuse: null });
    this.#open.add(call);
  }

  #machineOf(box: string): Machine {
    return this.#machines.find(({ plan }) => plan.name === box) ?? broken(`no box ${box}`);
  }

  #placed(call: FleetCall, box: string, isKnown: boolean): void {
    const machine = this.#machineOf(box);
    this.#trace(`${call.plan.id} is on ${box}`);
    if (isKnown && checkWait(call, machine, this.#machines, this.#schedule.nowMs)) this.#checked++;
    checkParallel(call.plan.lane, this.#plan.limits, this.#calls.values());
    this.#faults.callBegins(machine);
  }

  #isKnownWell({ isWell, troubledMs }: Machine): boolean {
    return isWell && this.#schedule.nowMs - troubledMs > KNOWN_MS;
  }

  /** Notes which boxes are well, for the calls that are open. */
  #noteBoxes(): void {
    for (const machine of this.#machines) {
      machine.note();
      if (this.#isKnownWell(machine)) continue;
      for (const call of this.#open) call.wellThroughout.delete(machine.plan.name);
    }
    for (const call of this.#open) if (call.isDone) this.#open.delete(call);
    if (this.#open.size > 0) this.#busyMs = this.#schedule.nowMs;
  }

  #killIsolate(): void {
    const at = this.#chance.whole(0, this.#isolates.length - 1);
    const killed = this.#isolates[at];
    if (killed === undefined) return;
    killed.isAlive = false;
    this.#isolates[at] = this.#newIsolate();
    for (const known of this.#calls.values()) {
      if (known.call.isolate !== killed) continue;
      // The record of a call that has just ended may be on its way from the isolate.
      known.excuse ??= this.#isRecorded(known.call.plan.id) ? null : "its isolate was killed";
      if (!known.call.isDone) known.call.kill();
    }
  }

  #isRecorded(id: string): boolean {
    return this.#ledger.has(id);
  }

  #addOverdue(): void {
    const laterMs = this.#schedule.nowMs + EPOCH_MS + OVERDUE_MS;
    this.#ledger.add(this.#ledger.moves.takeOverdue(laterMs), laterMs, null);
  }

  #outcome(): FleetOutcome {
    const results: Record<string, number> = {};
    for (const { call } of this.#calls.values())
      results[call.result] = (results[call.result] ?? 0) + 1;
    return {
      boxes: this.#machines.length,
      calls: this.#calls.size,
      steps: this.#steps,
      faults: this.#faults.count,
      moved: [...this.#calls.values()].filter(({ call }) => call.record.moves.length > 0).length,
      again: [...this.#calls.values()].filter(isAnsweredAgain).length,
      waited: this.#watch.waited,
      checked: this.#checked,
      lanes: this.#watch.sharedLines,
      counted: this.#quotas.admitted,
      limited: this.#quotas.refused,
      results,
    };
  }

  /** Lets promises settle. */
  async #turn(): Promise<void> {
    this.#needsTurn = false;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/**
 * A simulated Aggregator: its ledger takes records late, twice, after a failure, or before a crash
 * that leaves no answer.
 */
import { RequestRecord } from "../../protocol/records.ts";
import { RegistryFailed } from "./box.ts";
import { EPOCH_MS } from "./call-plan.ts";
import type { Chance } from "./chance.ts";
import { FAULTS_UNTIL_MS } from "./faults.ts";
import type { SimulatedLedger } from "./ledger.ts";
import type { Schedule } from "./schedule.ts";

export type AggregatorWorld = {
  schedule: Schedule;
  chance: Chance;
  ledger: SimulatedLedger;
  /** True if this world has faults. */
  isTroubled(): boolean;
  noteFault(fault: string): void;
  trace(line: string): void;
  /** Promises are about to settle. */
  onSettled(): void;
};

export class SimulatedAggregator {
  readonly #world: AggregatorWorld;

  constructor(world: AggregatorWorld) {
    this.#world = world;
  }

  /** Takes records. Calls `done` with whether the sender learns that they are durable. */
  ingest(records: RequestRecord[], done: (isDurable: boolean) => void): void {
    const { chance, schedule, ledger, trace } = this.#world;
    schedule.after(chance.between(0, 20), () => {
      for (const record of records) RequestRecord.parse(record);
      const nowMs = Math.floor(EPOCH_MS + schedule.nowMs);
      const isTroubled = schedule.nowMs < FAULTS_UNTIL_MS;
      try {
        ledger.add(
          records,
          nowMs,
          isTroubled && chance.isLikely(0.05) ? chance.whole(0, 12) : null,
        );
      } catch {
        trace("ledger: storage failed");
        ledger.restart(nowMs);
        return done(false);
      }
      if (isTroubled && chance.isLikely(0.05)) ledger.restart(nowMs);
      if (chance.isLikely(0.05)) ledger.add(records, nowMs, null);
      trace(
        `ledger: ${records.map(({ request_id, status }) => `${request_id} ${status}`).join(", ")}`,
      );
      done(!(isTroubled && chance.isLikely(0.05))); // Otherwise killed between commit and answer.
    });
  }

  /** Takes records. @throws {RegistryFailed} if they may not be durable */
  ingested(records: RequestRecord[]): Promise<void> {
    return this.#settled((done) => this.ingest(records, done));
  }

  /** Registers an agent. @throws {RegistryFailed} rarely */
  connected(): Promise<void> {
    return this.#settled((done) => this.#register(done));
  }

  #register(done: (isDone: boolean) => void): void {
    const { schedule, chance, isTroubled, noteFault } = this.#world;
    const isFailing = isTroubled() && schedule.nowMs < FAULTS_UNTIL_MS && chance.isLikely(0.02);
    if (isFailing) noteFault("registry failed");
    schedule.after(chance.between(0, 20), () => done(!isFailing));
  }

  /** Turns the callback into a promise. */
  #settled(act: (done: (isDone: boolean) => void) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      act((isDone) => {
        this.#world.onSettled();
        if (isDone) resolve();
        else reject(new RegistryFailed());
      });
    });
  }
}

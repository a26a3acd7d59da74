/**
 * The Aggregator of a world with several boxes: the product's ledger, moves, registry and learned times.
 * Answers come late, and may be lost; the object restarts.
 */
import { RequestRecord } from "../../../protocol/records.ts";
import { type FleetBox, fleetBoxOf } from "../../../worker/aggregator/fleet-box.ts";
import { SURELY_WAITS_MS } from "../../../worker/gateway/surely.ts";
import { RegistryFailed } from "../box.ts";
import { EPOCH_MS } from "../call-plan.ts";
import type { Chance } from "../chance.ts";
import { FAULTS_UNTIL_MS } from "../faults.ts";
import type { SimulatedLedger } from "../ledger.ts";
import type { Schedule } from "../schedule.ts";

export type FleetAggregatorWorld = {
  schedule: Schedule;
  chance: Chance;
  ledger: SimulatedLedger;
  /** True if this world has faults. */
  isTroubled(): boolean;
  trace(line: string): void;
  onSettled(): void;
  /** A record is in the ledger. */
  onRecorded(id: string): void;
};

const NO_PINS = [] as const;

export class FleetAggregator {
  readonly #world: FleetAggregatorWorld;

  constructor(world: FleetAggregatorWorld) {
    this.#world = world;
  }

  /** Calls the object. @param done  receives null if the call failed, with or without an effect */
  call<Result>(
    act: (ledger: SimulatedLedger, nowMs: number) => Result,
    done: (result: Result | null) => void,
  ): void {
    const { schedule, chance, ledger, isTroubled } = this.#world;
    schedule.after(chance.between(1, 20), () => {
      const nowMs = Math.floor(EPOCH_MS + schedule.nowMs);
      const isFailing = isTroubled() && schedule.nowMs < FAULTS_UNTIL_MS && chance.isLikely(0.02);
      const hasEffect = !isFailing || chance.isLikely(0.5);
      const result = hasEffect ? act(ledger, nowMs) : null;
      if (isFailing) ledger.restart(nowMs);
      schedule.after(chance.between(1, 20), () => done(isFailing ? null : result));
    });
  }

  /** Calls the object on behalf of a Box. @throws {RegistryFailed} if the call failed */
  called(act: (ledger: SimulatedLedger, nowMs: number) => unknown): Promise<void> {
    return new Promise((resolve, reject) => {
      this.call(
        (ledger, nowMs) => {
          act(ledger, nowMs);
          return true;
        },
        (isDone) => {
          this.#world.onSettled();
          if (isDone === true) resolve();
          else reject(new RegistryFailed());
        },
      );
    });
  }

  /** The edge has written a record itself. */
  recorded(id: string): void {
    this.#world.onRecorded(id);
  }

  /** Takes records of an agent. @throws {RegistryFailed} if they may not be durable */
  reported(records: RequestRecord[]): Promise<void> {
    for (const record of records) RequestRecord.parse(record);
    return this.called((ledger, nowMs) => {
      ledger.add(records, nowMs, null, true);
      for (const { request_id, box, status } of records) {
        this.#world.trace(`ledger: ${request_id} ${status} by ${box}`);
        this.#world.onRecorded(request_id);
      }
    });
  }

  /**
   * Calls the object until it has answered, on behalf of a Worker.
   * @param isAlive  the Worker has not been killed
   * @param onDone   called once it has answered
   */
  surely(
    act: (ledger: SimulatedLedger, nowMs: number) => void,
    isAlive: () => boolean,
    onDone: () => void = () => {},
    attempt = 0,
  ): void {
    this.call(
      (ledger, nowMs) => {
        act(ledger, nowMs);
        return true;
      },
      (isDone) => {
        const waitMs = SURELY_WAITS_MS[attempt + 1];
        if (isDone === true && isAlive()) onDone();
        if (isDone === true || waitMs === undefined) return;
        this.#world.schedule.after(waitMs, () => {
          if (isAlive()) this.surely(act, isAlive, onDone, attempt + 1);
        });
      },
    );
  }

  /** Returns the boxes as a Worker gets them; null if the call failed. */
  fleet(done: (boxes: FleetBox[] | null) => void): void {
    this.call(
      ({ registry, learned }, nowMs) =>
        registry.boxes().map((box) => fleetBoxOf(box, learned.of(box.name), NO_PINS, nowMs)),
      done,
    );
  }
}

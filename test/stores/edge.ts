/**
 * Intake, outbox and deliveries on the storage of a real object, with a clock that the test sets.
 */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import type { GpuSample, RequestRecord, SystemSample } from "../../protocol/records.ts";
import { AuditLog } from "../../worker/aggregator/audit-log.ts";
import { CellStore } from "../../worker/aggregator/cells.ts";
import { EnergyHours } from "../../worker/aggregator/energy-hours.ts";
import { Epochs } from "../../worker/aggregator/epochs.ts";
import { EventStore } from "../../worker/aggregator/events.ts";
import { Forgotten } from "../../worker/aggregator/forgotten.ts";
import { keepHouse } from "../../worker/aggregator/housekeeping.ts";
import { Intake } from "../../worker/aggregator/intake.ts";
import { KeyHours } from "../../worker/aggregator/key-hours.ts";
import { Ledger } from "../../worker/aggregator/ledger.ts";
import { Moves } from "../../worker/aggregator/moves.ts";
import { SampleStore } from "../../worker/aggregator/samples.ts";
import { migrate } from "../../worker/aggregator/schema.ts";
import { sentenceOf, storeConcerns } from "../../worker/answers/concerns.ts";
import type { KeyedCell } from "../../worker/counting/cell.ts";
import type { EnergyHour } from "../../worker/counting/energy-hours.ts";
import { StoreDeliveries } from "../../worker/export/deliveries.ts";
import { DeliveryStates } from "../../worker/export/delivery-states.ts";
import { HeldRequests } from "../../worker/export/held-requests.ts";
import { Outbox } from "../../worker/export/outbox.ts";
import type { Sink } from "../../worker/export/sink.ts";
import { LocalRepository } from "../../worker/repository/local.ts";

export class Edge {
  nowMs: number;
  readonly storage: DurableObjectStorage;
  readonly ledger: Ledger;
  readonly cells: CellStore;
  readonly keyHours: KeyHours;
  readonly events: EventStore;
  readonly samples: SampleStore;
  readonly energyHours: EnergyHours;
  readonly outbox: Outbox;
  readonly epochs: Epochs;
  readonly deliveries: StoreDeliveries;
  readonly held: HeldRequests;
  readonly moves: Moves;
  readonly audit: AuditLog;
  readonly #intake: Intake;

  constructor(storage: DurableObjectStorage, stores: readonly Sink[], nowMs: number) {
    const { sql } = storage;
    this.nowMs = nowMs;
    this.storage = storage;
    this.ledger = new Ledger(sql, new Forgotten(sql));
    this.cells = new CellStore(sql);
    this.keyHours = new KeyHours(sql, nowMs);
    this.samples = new SampleStore(sql);
    this.events = new EventStore(sql);
    this.energyHours = new EnergyHours(sql, () => "EUR");
    this.audit = new AuditLog(
      sql,
      () => null,
      (_, atMs) => this.outbox.addAudit(atMs),
    );
    const { ledger: its, samples, energyHours: energy, audit } = this;
    const sources = { ledger: its, samples, energy, audit };
    this.outbox = new Outbox(sql, sources);
    this.epochs = new Epochs(sql);
    this.deliveries = new StoreDeliveries(storage, {
      stores,
      outbox: this.outbox,
      states: new DeliveryStates(sql),
      random: () => 0.5,
    });
    this.held = new HeldRequests(sql, this.outbox);
    this.moves = new Moves(sql);
    const { ledger, cells, keyHours, epochs, outbox, held, moves } = this;
    const repository = new LocalRepository(storage);
    this.#intake = new Intake(
      storage,
      { ledger, cells, keyHours, epochs, outbox, held, observers: [], moves, repository },
      nowMs,
    );
  }

  add(records: RequestRecord[], isReported = false): void {
    this.#intake.add(records, [], this.nowMs, isReported);
  }

  lifetime(): KeyedCell[] {
    return this.#intake.lifetime();
  }

  complete(record: RequestRecord): void {
    this.#intake.complete(record);
  }

  addSamples(box: string, gpu: GpuSample[], system: SystemSample[] = []): void {
    this.samples.put(this.nowMs, { box, gpu, system });
    this.outbox.addSamples(this.nowMs, { box, gpu, system });
  }

  addEnergy(box: string, hours: EnergyHour[]): void {
    this.outbox.addEnergy(this.energyHours.close(this.nowMs, box, hours));
  }

  flush(): Promise<void> {
    return this.deliveries.flush(
      () => this.nowMs,
      (signal) => scheduler.wait(20, { signal }),
    );
  }

  /** Flushes whenever a flush is due, until no records wait. */
  async drain(): Promise<void> {
    for (let rounds = 0; this.backlogs().some((backlog) => backlog > 0); rounds++) {
      if (rounds > 1_000)
        throw new Error(`the outbox does not drain: ${JSON.stringify(this.deliveries.health())}`);
      await this.flush();
      this.nowMs = this.deliveries.retryDueMs() ?? this.nowMs;
    }
  }

  /** The concerns of all stores, as sentences. */
  problems(nowMs = this.nowMs): string[] {
    return this.deliveries
      .reports()
      .flatMap((report) => storeConcerns(report, nowMs))
      .map(sentenceOf);
  }

  backlogs(): number[] {
    return this.deliveries.health().map(({ backlog }) => backlog);
  }

  keepHouse(): void {
    this.deliveries.checkpoint();
    this.#intake.checkpoint(this.nowMs);
    keepHouse(this.storage, this, this.nowMs);
  }

  clear(what: { logs: boolean; metrics: boolean }): void {
    const kinds = (["logs", "metrics"] as const).filter((kind) => what[kind]);
    this.storage.transactionSync(() => {
      this.deliveries.beginClear(what);
      this.#intake.clear(kinds, this.nowMs);
    });
    this.#intake.cleared(kinds, this.nowMs);
  }
}

/**
 * @param work  gets the storage of a fresh object; several edges on it follow each other, as after
 * crashes
 */
export const onFreshStorage = <Result>(
  work: (storage: DurableObjectStorage) => Promise<Result>,
): Promise<Result> => onStorageOf(crypto.randomUUID(), work);

/** Runs work on the storage of the object with this name. */
export const onStorageOf = <Result>(
  name: string,
  work: (storage: DurableObjectStorage) => Promise<Result>,
): Promise<Result> =>
  // A Box itself stores nothing.
  runInDurableObject(env.BOX.getByName(`test-${name}`), (_, { storage }) => {
    migrate(storage, 0);
    return work(storage);
  });

/**
 * The ledger's own code on an SQLite in memory: transactions fail, the object restarts, records
 * come twice.
 */
import { DatabaseSync, type StatementSync } from "node:sqlite";
import type { RequestRecord } from "../../protocol/records.ts";
import { AuditLog } from "../../worker/aggregator/audit-log.ts";
import { CellStore } from "../../worker/aggregator/cells.ts";
import { EnergyHours } from "../../worker/aggregator/energy-hours.ts";
import { Epochs } from "../../worker/aggregator/epochs.ts";
import { Forgotten } from "../../worker/aggregator/forgotten.ts";
import { Intake } from "../../worker/aggregator/intake.ts";
import { KeyHours } from "../../worker/aggregator/key-hours.ts";
import { LearnedTimes } from "../../worker/aggregator/learned-times.ts";
import { Ledger } from "../../worker/aggregator/ledger.ts";
import { Moves } from "../../worker/aggregator/moves.ts";
import { Registry } from "../../worker/aggregator/registry.ts";
import { SampleStore } from "../../worker/aggregator/samples.ts";
import { migrate } from "../../worker/aggregator/schema.ts";
import { Tariffs } from "../../worker/aggregator/tariffs.ts";
import { HeldRequests } from "../../worker/export/held-requests.ts";
import { Outbox } from "../../worker/export/outbox.ts";
import { type CallUse, useOf } from "../../worker/keys/call-use.ts";
import { LocalRepository } from "../../worker/repository/local.ts";

/** The fields of a record in the ledger that the worlds check. */
export type LedgerRow = Pick<
  RequestRecord,
  "request_id" | "status" | "resumed" | "http_status" | "box" | "attempts" | "moved_from"
>;

/** One database for all worlds of this process: creating its tables takes longer than a world. */
const database = new DatabaseSync(":memory:");
const statements = new Map<string, StatementSync>();

/** Number of statements until one fails; null if all succeed. */
let statementsLeft: number | null = null;

const sql: SqlStorage = {
  exec(query, ...bindings) {
    if (statementsLeft !== null && statementsLeft-- <= 0) throw new Error("storage failed");
    const rows = rowsOf(query, bindings);
    return {
      toArray: () => rows,
      one: () => rows[0] as Record<string, unknown>,
      [Symbol.iterator]: () => rows[Symbol.iterator](),
    };
  },
};

function rowsOf(
  query: string,
  bindings: (ArrayBuffer | string | number | null)[],
): Record<string, unknown>[] {
  if (bindings.length === 0 && !/^\s*SELECT/i.test(query)) {
    database.exec(query);
    return [];
  }
  const statement = statements.get(query) ?? database.prepare(query);
  statements.set(query, statement);
  const rows = statement.all(
    ...bindings.map((value) => (value instanceof ArrayBuffer ? new Uint8Array(value) : value)),
  );
  for (const row of rows) {
    for (const [name, value] of Object.entries(row))
      if (value instanceof Uint8Array) Object.assign(row, { [name]: bufferOf(value) });
  }
  return rows;
}

const bufferOf = (bytes: Uint8Array): ArrayBuffer => new Uint8Array(bytes).buffer;

const storage: DurableObjectStorage = {
  sql,
  transactionSync(act) {
    database.exec("BEGIN");
    try {
      const result = act();
      database.exec("COMMIT");
      return result;
    } catch (error) {
      database.exec("ROLLBACK");
      throw error;
    }
  },
  sync: () => Promise.resolve(),
};

migrate(storage, 0);

const TABLES = [
  "ledger_pages",
  "forgotten",
  "lifetime",
  "rollup",
  "boxes",
  "moves",
  "held_requests",
];

export class SimulatedLedger {
  #stores: Stores;

  constructor() {
    for (const table of TABLES) database.exec(`DELETE FROM ${table}`);
    database.exec("DELETE FROM meta WHERE key = 'counted_to'");
    this.#stores = openStores(0);
  }

  get registry(): Registry {
    return this.#stores.registry;
  }

  get learned(): LearnedTimes {
    return this.#stores.learned;
  }

  get moves(): Moves {
    return this.#stores.moves;
  }

  /**
   * @param failsAfter  statements; null if the storage works
   * @param isReported  by an agent
   * @throws if the storage fails
   */
  add(
    records: readonly RequestRecord[],
    nowMs: number,
    failsAfter: number | null,
    isReported = false,
  ): number {
    statementsLeft = failsAfter;
    try {
      return this.#stores.intake.add(records, [], nowMs, isReported);
    } finally {
      statementsLeft = null;
    }
  }

  /** Takes the edge's record of a request whose agent was restarted. */
  complete(record: RequestRecord, nowMs: number): void {
    if (this.add([record], nowMs, null) === 0) this.#stores.intake.complete(record);
  }

  /** Loses the memory and starts again from storage. */
  restart(nowMs: number): void {
    this.#stores = openStores(nowMs);
  }

  has(id: string): boolean {
    return this.#stores.ledger.knows(id);
  }

  /** Returns what those calls used that have a record. */
  uses(ids: readonly string[]): Record<string, CallUse> {
    const kept = this.#stores.ledger.records(ids);
    return Object.fromEntries(kept.map(({ record }) => [record.request_id, useOf(record)]));
  }

  rows(): LedgerRow[] {
    const { ledger } = this.#stores;
    return ledger.records(ledger.ids()).map(({ record }) => record);
  }

  /** Returns the number of requests in the lifetime cells, by status. */
  counted(): Record<LedgerRow["status"], number> {
    const sum = { success: 0, error: 0, cancelled: 0 };
    for (const { cell } of this.#stores.intake.lifetime())
      for (const status of ["success", "error", "cancelled"] as const)
        sum[status] += cell.requests[status];
    return sum;
  }
}

type Stores = {
  ledger: Ledger;
  intake: Intake;
  registry: Registry;
  learned: LearnedTimes;
  moves: Moves;
};

function openStores(nowMs: number): Stores {
  const ledger = new Ledger(sql, new Forgotten(sql));
  const [cells, epochs, repository] = [
    new CellStore(sql),
    new Epochs(sql),
    new LocalRepository(storage),
  ];
  const samples = new SampleStore(sql);
  const energyHours = new EnergyHours(sql, () => null);
  const audit = new AuditLog(sql, () => null);
  const outbox = new Outbox(sql, { ledger, samples, energy: energyHours, audit });
  const held = new HeldRequests(sql, outbox);
  const learned: LearnedTimes = new LearnedTimes(ledger, () => intake.lifetime());
  const moves = new Moves(sql);
  const keyHours = new KeyHours(sql, nowMs);
  const observers = [learned];
  const stores = { ledger, cells, keyHours, epochs, repository, outbox, held, observers, moves };
  const intake: Intake = new Intake(storage, stores, nowMs);
  const tariffs = new Tariffs(storage);
  const registry = new Registry(storage, { samples, outbox, energyHours, tariffs });
  return { ledger, intake, registry, learned, moves };
}

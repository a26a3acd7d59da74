/**
 * The counters: cells of all time and of recent minutes, in memory.
 *
 * They are written to storage every hour, since each row is billed. The ledger has what was counted
 * since then, so a start after a crash counts exactly that again. Each batch of records gets a stamp, which
 * its rows carry; the stamp of the last batch in storage separates the two.
 *
 * A record whose row a start would not find makes the counters be written with it: one of an older
 * request (see `stamp.ts`), or one that has no row because the logs were cleared.
 */
import type { RequestRecord } from "../../protocol/records.ts";
import { Cell, type KeyedCell, type Summed, sumOf } from "../counting/cell.ts";
import { NO_MODEL, OTHER, shortName } from "../counting/model-key.ts";
import { readMeta, writeMeta } from "../storage/meta.ts";
import { lateIdOf, STAMPS_PER_MS } from "../storage/stamp.ts";
import { type CellStore, HOUR_SECONDS, MINUTE_SECONDS, type RollupCell } from "./cells.ts";
import type { KeyHour, KeyHours } from "./key-hours.ts";
import type { Uncounted } from "./uncounted.ts";

/** Time and records after which the counters are written. They bound the work of a start. */
const CHECKPOINT_MS = 60 * 60_000;
const CHECKPOINT_RECORDS = 5_000;

const COUNTED_TO = "counted_to";

/** How a row was counted. A start cannot derive it, since boxes and clears have changed. */
export const COUNTED_AS = { nothing: 0, itself: 1, other: 2 } as const;
export type CountedAs = (typeof COUNTED_AS)[keyof typeof COUNTED_AS];
export const countedAs = (key: string): CountedAs =>
  key === OTHER ? COUNTED_AS.other : COUNTED_AS.itself;

/** The box name of requests that reached no box. */
const NO_BOX = "";

export type CountedRecord = {
  record: Summed & Pick<RequestRecord, "box" | "key_id">;
  finishedMs: number;
  /** The name under which its model counts. */
  key: string;
};

/** The part of the ledger that the counters read. */
export type CountedLedger = { uncounted(stamp: number): Iterable<Uncounted> };

export class Counters {
  readonly #sql: SqlStorage;
  readonly #cells: CellStore;
  readonly #keyHours: KeyHours;
  readonly #lifetime = new Map<string, KeyedCell>();
  /** Names of lifetime cells that storage does not have like this. */
  readonly #changed = new Set<string>();
  readonly #models = new Set<string>();
  #stamp: number;
  #countedTo: number;
  #uncheckpointed = { records: 0, sinceMs: Number.POSITIVE_INFINITY };

  /** @param ledger  has what was counted after the stored counters */
  constructor(
    sql: SqlStorage,
    { cells, keyHours, ledger }: { cells: CellStore; keyHours: KeyHours; ledger: CountedLedger },
    nowMs: number,
  ) {
    this.#sql = sql;
    this.#cells = cells;
    this.#keyHours = keyHours;
    for (const cell of cells.lifetime()) this.#remember(cell);
    const countedTo = readMeta(sql, COUNTED_TO);
    this.#countedTo = countedTo ?? Math.floor(nowMs * STAMPS_PER_MS);
    this.#stamp = this.#countedTo;
    if (countedTo === null) writeMeta(sql, COUNTED_TO, this.#countedTo);
    for (const record of ledger.uncounted(this.#countedTo)) {
      const { stamp, counted_as, finished_at_ms: finishedMs } = record;
      const key = counted_as === COUNTED_AS.other ? OTHER : nameOf(record.model);
      this.take(batchOf([{ record, finishedMs, key }]), 1, stamp);
    }
  }

  /** Returns the cells of all time. Do not change them. */
  lifetime(): KeyedCell[] {
    return [...this.#lifetime.values()];
  }

  /** Returns the names that count as themselves. */
  models(): Set<string> {
    return new Set(this.#models);
  }

  /** A start does not find requests with smaller ids. */
  get lateId(): string {
    return lateIdOf(this.#countedTo);
  }

  /** Returns a stamp for the rows of a batch, greater than all before. */
  nextStamp(nowMs: number): number {
    return Math.max(this.#stamp + 1, Math.floor(nowMs * STAMPS_PER_MS));
  }

  isCheckpointDue(records: number, nowMs: number): boolean {
    const { records: before, sinceMs } = this.#uncheckpointed;
    return before + records >= CHECKPOINT_RECORDS || nowMs - sinceMs >= CHECKPOINT_MS;
  }

  get hasUncheckpointed(): boolean {
    return this.#uncheckpointed.records > 0;
  }

  /** Writes the counters with those of a batch, in the transaction that writes its rows. */
  store({ minutes, keyHours }: CountedBatch, stamp: number): void {
    this.#cells.storePending(minutes);
    this.#keyHours.store(keyHours);
    const added = Map.groupBy(minutes, keyOf);
    for (const key of new Set([...this.#changed, ...added.keys()])) {
      const before = this.#lifetime.get(key);
      const cells = [...(before === undefined ? [] : [before]), ...(added.get(key) ?? [])];
      const [first] = cells;
      if (first === undefined) continue;
      const { model, box } = first;
      this.#cells.putLifetime({ model, box, cell: sumOf(cells.map(({ cell }) => cell)) });
    }
    writeMeta(this.#sql, COUNTED_TO, stamp);
  }

  /** Takes a batch into memory, after its transaction. */
  take({ minutes, keyHours }: CountedBatch, records: number, stamp: number): void {
    this.#keyHours.add(keyHours);
    for (const minute of minutes) {
      const key = keyOf(minute);
      const { model, box, cell } = minute;
      const before = this.#lifetime.get(key);
      if (before === undefined) this.#remember({ model, box, cell: sumOf([cell]) });
      else before.cell.merge(cell);
      this.#changed.add(key);
      this.#cells.addPending(minute);
    }
    this.#stamp = Math.max(this.#stamp, stamp);
    this.#uncheckpointed.records += records;
    const atMs = stamp / STAMPS_PER_MS;
    if (records > 0) this.#uncheckpointed.sinceMs = Math.min(this.#uncheckpointed.sinceMs, atMs);
  }

  /** Notes that storage has everything up to a stamp, after the transaction of {@link store}. */
  stored(stamp: number): void {
    this.#cells.forgetPending();
    this.#keyHours.forgetPending();
    this.#changed.clear();
    this.#uncheckpointed = { records: 0, sinceMs: Number.POSITIVE_INFINITY };
    this.#stamp = Math.max(this.#stamp, stamp);
    this.#countedTo = stamp;
  }

  /** Forgets all counts. */
  clear(): void {
    this.#lifetime.clear();
    this.#models.clear();
    this.#keyHours.forget();
  }

  #remember(cell: KeyedCell): void {
    this.#lifetime.set(keyOf(cell), cell);
    if (isName(cell.model)) this.#models.add(cell.model);
  }
}

const keyOf = ({ model, box }: { model: string; box: string }): string =>
  JSON.stringify([model, box]);
export const isName = (model: string): boolean => model !== NO_MODEL && model !== OTHER;
const nameOf = (model: string | null): string =>
  model === null || model === "" ? NO_MODEL : shortName(model);

/** The sums of a batch of records. */
export type CountedBatch = { minutes: readonly RollupCell[]; keyHours: readonly KeyHour[] };
export const NOTHING_COUNTED: CountedBatch = { minutes: [], keyHours: [] };

export const batchOf = (counted: readonly CountedRecord[]): CountedBatch => ({
  minutes: minutesOf(counted),
  keyHours: keyHoursOf(counted),
});

/** Makes a cell of each record with a key, which {@link KeyHours} adds up. */
const keyHoursOf = (counted: readonly CountedRecord[]): KeyHour[] =>
  counted.flatMap(({ record, finishedMs, key: model }) => {
    if (record.key_id === null) return [];
    const second = Math.floor(finishedMs / 1_000);
    const cell = new Cell();
    cell.add(record, finishedMs);
    const at = second - (second % HOUR_SECONDS);
    return [{ at, key: record.key_id, model, box: record.box ?? NO_BOX, cell }];
  });

/** Sums the records into minute cells, one per minute, model and box. */
function minutesOf(counted: readonly CountedRecord[]): RollupCell[] {
  const minutes = new Map<string, RollupCell>();
  for (const { record, finishedMs, key: model } of counted) {
    const second = Math.floor(finishedMs / 1_000);
    const empty: RollupCell = {
      step: MINUTE_SECONDS,
      at: second - (second % MINUTE_SECONDS),
      model,
      box: record.box ?? NO_BOX,
      cell: new Cell(),
    };
    const key = JSON.stringify([empty.at, empty.model, empty.box]);
    const minute = minutes.get(key) ?? empty;
    minute.cell.add(record, finishedMs);
    minutes.set(key, minute);
  }
  return [...minutes.values()];
}

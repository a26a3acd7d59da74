/**
 * The intake: turns finished requests into counts.
 *
 * Each batch is one transaction. A record counts only if its ledger row was actually written, so the
 * ledger and the counters agree whatever is delivered twice or killed in between.
 */
import type { Clearable } from "../../protocol/api/data.ts";
import type { RequestRecord } from "../../protocol/records.ts";
import { countsAsInference } from "../../protocol/routes.ts";
import type { KeyedCell } from "../counting/cell.ts";
import { modelKey } from "../counting/model-key.ts";
import { RECENT_SECONDS, RecentTokens } from "../counting/recent.ts";
import type { HeldRequests } from "../export/held-requests.ts";
import type { Outbox } from "../export/outbox.ts";
import type { RegisteredBox } from "../registered-box.ts";
import type { LocalRepository } from "../repository/local.ts";
import type { CellStore } from "./cells.ts";
import {
  batchOf,
  COUNTED_AS,
  type CountedBatch,
  type CountedRecord,
  Counters,
  countedAs,
  isName,
  NOTHING_COUNTED,
} from "./counters.ts";
import type { Epochs } from "./epochs.ts";
import { type Counting, isCompletable } from "./kept-row.ts";
import type { KeyHours } from "./key-hours.ts";
import type { Ledger } from "./ledger.ts";
import type { Moves } from "./moves.ts";

export type IntakeStores = {
  ledger: Ledger;
  cells: CellStore;
  keyHours: KeyHours;
  epochs: Epochs;
  repository: LocalRepository;
  outbox: Outbox;
  held: HeldRequests;
  /** Each receives the new records, once they are stored. */
  observers: readonly { add(record: RequestRecord): void }[];
  moves: Moves;
};

export class Intake {
  readonly #storage: DurableObjectStorage;
  readonly #ledger: Ledger;
  readonly #cells: CellStore;
  readonly #keyHours: KeyHours;
  readonly #epochs: Epochs;
  readonly #repository: LocalRepository;
  readonly #outbox: Outbox;
  readonly #held: HeldRequests;
  readonly #observers: IntakeStores["observers"];
  readonly #moves: Moves;
  readonly #counters: Counters;
  #recent = new RecentTokens();

  constructor(
    storage: DurableObjectStorage,
    { ledger, cells, keyHours, epochs, repository, outbox, held, observers, moves }: IntakeStores,
    nowMs: number,
  ) {
    this.#storage = storage;
    this.#ledger = ledger;
    this.#cells = cells;
    this.#keyHours = keyHours;
    this.#epochs = epochs;
    this.#repository = repository;
    this.#outbox = outbox;
    this.#held = held;
    this.#observers = observers;
    this.#moves = moves;
    this.#counters = new Counters(storage.sql, { cells, keyHours, ledger }, nowMs);
    for (const row of ledger.tokensSince(
      Math.max(nowMs - RECENT_SECONDS * 1_000, epochs.clearedMs("metrics") ?? 0),
    ))
      this.#recent.add(row.finished_at_ms, row.completion_tokens);
  }

  /** Returns the cells of all time. Do not change them. */
  lifetime(): KeyedCell[] {
    return this.#counters.lifetime();
  }

  tokensPerSecond(nowMs: number): number {
    return this.#recent.rate(nowMs);
  }

  /**
   * Counts the records that are new.
   * @param isReported  by an agent, so the edge may complete those of requests that it was killed in
   * @returns how many were new
   * @throws if storage fails; then nothing was counted
   */
  add(
    records: readonly RequestRecord[],
    boxes: readonly RegisteredBox[],
    nowMs: number,
    isReported = false,
  ): number {
    const known = this.#counters.models();
    const stamp = this.#counters.nextStamp(nowMs);
    const counted: (CountedRecord & { record: RequestRecord })[] = [];
    let batch: CountedBatch = NOTHING_COUNTED;
    let isCheckpoint = false;
    let added = 0;
    const [stored, held]: [string[], string[]] = [[], []];
    let counting: RequestRecord[] = [];
    this.#transaction(() => {
      const late = new Set<string>();
      counting = this.#moves.counting(records);
      for (const record of counting) {
        const finishedMs = finishedAt(record, nowMs);
        const isCounted = !this.#epochs.isCleared("metrics", finishedMs);
        const key = modelKey(record.model, known, boxes);
        const counting = { stamp, countedAs: isCounted ? countedAs(key) : COUNTED_AS.nothing };
        if (!this.#isNew(record, finishedMs, late, counting)) continue;
        added++;
        const isHeld = isReported && isCompletable(record);
        if (!late.has(record.request_id)) (isHeld ? held : stored).push(record.request_id);
        if (isDownload(record)) this.#repository.countDownload(record.model, finishedMs);
        if (!isCounted) continue;
        counted.push({ record, finishedMs, key });
        if (isName(key)) known.add(key);
      }
      this.#ledger.write();
      this.#ledger.remember([...late]);
      // A stamp of rows that were not counted may occur again after a restart.
      const isWhole = held.length === 0 && counted.length === added;
      this.#outbox.addBatch(stored, stamp, isWhole);
      this.#held.hold(held, nowMs);
      batch = batchOf(counted);
      isCheckpoint =
        counted.some(({ record: { request_id: id } }) => late.has(id) || this.#isLate(id)) ||
        this.#counters.isCheckpointDue(counted.length, nowMs);
      if (isCheckpoint) this.#counters.store(batch, stamp);
    });
    this.#moves.counted(counting);
    // Memory is updated last, so that a failed transaction leaves no trace there either.
    this.#counters.take(batch, counted.length, stamp);
    if (isCheckpoint) this.#counters.stored(stamp);
    for (const { record } of counted) for (const each of this.#observers) each.add(record);
    for (const { record, finishedMs } of counted)
      if (countsAsInference(record)) this.#recent.add(finishedMs, record.completion_tokens ?? 0);
    return added;
  }

  /** Completes the record of a restarted agent, see {@link Ledger.complete}, and passes it on. */
  complete(record: RequestRecord): void {
    this.#transaction(() => {
      this.#ledger.complete(record);
      this.#held.release(record.request_id);
    });
  }

  /** Writes the counters, before rows of the ledger are deleted. */
  checkpoint(nowMs: number): void {
    if (!this.#counters.hasUncheckpointed) return;
    const stamp = this.#counters.nextStamp(nowMs);
    this.#storage.transactionSync(() => this.#counters.store(NOTHING_COUNTED, stamp));
    this.#counters.stored(stamp);
  }

  /**
   * Deletes logs or metrics permanently, in a transaction. Requests that finished before now but are
   * delivered later stay out too. Call {@link cleared} after the transaction.
   * @returns the number of rows deleted of each kind
   */
  clear(kinds: readonly Clearable[], nowMs: number): Record<Clearable, number> {
    const deleted = { logs: 0, metrics: 0 };
    this.#counters.store(NOTHING_COUNTED, this.#counters.nextStamp(nowMs));
    if (kinds.includes("logs")) deleted.logs = this.#ledger.clear();
    if (kinds.includes("metrics")) {
      deleted.metrics = this.#cells.clear();
      this.#keyHours.clear();
    }
    for (const kind of kinds) this.#epochs.begin(kind, nowMs);
    return deleted;
  }

  /** The transaction of {@link clear} is over. */
  cleared(kinds: readonly Clearable[], nowMs: number): void {
    this.#epochs.read();
    this.#counters.stored(this.#counters.nextStamp(nowMs));
    if (!kinds.includes("metrics")) return;
    this.#counters.clear();
    this.#recent = new RecentTokens();
  }

  /**
   * Writes the row of a request unless it is known, and returns whether it was new. A request that
   * finished before the logs were cleared gets no row, but still counts only once.
   */
  #isNew(
    record: RequestRecord,
    finishedMs: number,
    late: Set<string>,
    counting: Counting,
  ): boolean {
    if (!this.#epochs.isCleared("logs", finishedMs))
      return this.#ledger.insert(record, finishedMs, counting);
    const { request_id } = record;
    if (late.has(request_id) || this.#ledger.knows(request_id)) return false;
    late.add(request_id);
    return true;
  }

  #transaction(work: () => void): void {
    try {
      this.#storage.transactionSync(work);
    } catch (error) {
      this.#ledger.rolledBack();
      this.#outbox.rolledBack();
      throw error;
    }
  }

  /** Returns whether a start would not find the row. */
  #isLate(id: string): boolean {
    return id < this.#counters.lateId;
  }
}

const isDownload = (record: RequestRecord): record is RequestRecord & { model: string } =>
  record.endpoint === "/api/pull" && record.status === "success" && record.model !== null;

/**
 * Returns when a request finished, unix ms. Never in the future: such a row would never be deleted.
 */
const finishedAt = (record: RequestRecord, nowMs: number): number =>
  Math.max(0, Math.floor(Math.min(nowMs, Date.parse(record.started_at) + record.latency_ms)));

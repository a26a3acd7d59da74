/**
 * The intake: turns finished requests into counts.
 *
 * Each batch is one transaction. A record counts only if its ledger row was actually written, so the
 * ledger and the cells agree whatever is delivered twice or killed in between. The cells of all time
 * are also kept in memory, since every answer needs them.
 */
import type { Clearable } from "../../protocol/api/data.ts";
import type { RequestRecord } from "../../protocol/records.ts";
import { countsAsInference } from "../../protocol/routes.ts";
import { Cell, type KeyedCell, sumOf } from "../counting/cell.ts";
import { modelKey, NO_MODEL, OTHER } from "../counting/model-key.ts";
import { RECENT_SECONDS, RecentTokens } from "../counting/recent.ts";
import type { HeldRequests } from "../export/held-requests.ts";
import type { Outbox } from "../export/outbox.ts";
import type { RegisteredBox } from "../registered-box.ts";
import type { LocalRepository } from "../repository/local.ts";
import { type CellStore, MINUTE_SECONDS, type RollupCell } from "./cells.ts";
import type { Epochs } from "./epochs.ts";
import { isCompletable, type Ledger } from "./ledger.ts";

export type IntakeStores = {
  ledger: Ledger;
  cells: CellStore;
  epochs: Epochs;
  repository: LocalRepository;
  outbox: Outbox;
  held: HeldRequests;
};

type Counted = { record: RequestRecord; finishedMs: number };

/** The box name of requests that reached no box. */
const NO_BOX = "";

export class Intake {
  readonly #storage: DurableObjectStorage;
  readonly #ledger: Ledger;
  readonly #cells: CellStore;
  readonly #epochs: Epochs;
  readonly #repository: LocalRepository;
  readonly #outbox: Outbox;
  readonly #held: HeldRequests;
  readonly #lifetime = new Map<string, KeyedCell>();
  readonly #knownModels = new Set<string>();
  #recent = new RecentTokens();

  constructor(
    storage: DurableObjectStorage,
    { ledger, cells, epochs, repository, outbox, held }: IntakeStores,
    nowMs: number,
  ) {
    this.#storage = storage;
    this.#ledger = ledger;
    this.#cells = cells;
    this.#epochs = epochs;
    this.#repository = repository;
    this.#outbox = outbox;
    this.#held = held;
    for (const cell of cells.lifetime()) this.#remember(cell);
    for (const row of ledger.tokensSince(
      Math.max(nowMs - RECENT_SECONDS * 1_000, epochs.clearedMs("metrics") ?? 0),
    ))
      this.#recent.add(row.finished_at_ms, row.completion_tokens);
  }

  /** Returns the cells of all time. Do not change them. */
  lifetime(): KeyedCell[] {
    return [...this.#lifetime.values()];
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
    const known = new Set(this.#knownModels);
    const counted: Counted[] = [];
    const sums: KeyedCell[] = [];
    let added = 0;
    const [stored, held]: [string[], string[]] = [[], []];
    this.#transaction(() => {
      const late = new Set<string>();
      for (const record of records) {
        const finishedMs = finishedAt(record, nowMs);
        if (!this.#isNew(record, finishedMs, late)) continue;
        added++;
        const isHeld = isReported && isCompletable(record);
        if (!late.has(record.request_id)) (isHeld ? held : stored).push(record.request_id);
        if (isDownload(record)) this.#repository.countDownload(record.model, finishedMs);
        if (!this.#epochs.isCleared("metrics", finishedMs)) counted.push({ record, finishedMs });
      }
      this.#ledger.remember([...late]);
      this.#outbox.addRequests(stored);
      this.#held.hold(held, nowMs);
      const minutes = minutesOf(counted, (model) => {
        const key = modelKey(model, known, boxes);
        if (isName(key)) known.add(key);
        return key;
      });
      for (const minute of minutes) this.#cells.addRollup(minute);
      const touched = new Map<string, KeyedCell>();
      for (const minute of minutes) {
        const key = keyOf(minute);
        const before = touched.get(key) ?? this.#lifetime.get(key);
        const cell = sumOf(before === undefined ? [minute.cell] : [before.cell, minute.cell]);
        touched.set(key, { model: minute.model, box: minute.box, cell });
      }
      for (const sum of touched.values()) this.#cells.putLifetime(sum);
      sums.push(...touched.values());
    });
    // Memory is updated last, so that a failed transaction leaves no trace there either.
    for (const sum of sums) this.#remember(sum);
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

  /**
   * Deletes logs or metrics permanently. Requests that finished before now but are delivered later
   * stay out too.
   * @returns the number of rows deleted of each kind
   */
  clear(kinds: readonly Clearable[], nowMs: number): Record<Clearable, number> {
    const deleted = { logs: 0, metrics: 0 };
    this.#storage.transactionSync(() => {
      if (kinds.includes("logs")) deleted.logs = this.#ledger.clear();
      if (kinds.includes("metrics")) deleted.metrics = this.#cells.clear();
      for (const kind of kinds) this.#epochs.begin(kind, nowMs);
    });
    this.#epochs.read();
    if (kinds.includes("metrics")) {
      this.#lifetime.clear();
      this.#knownModels.clear();
      this.#recent = new RecentTokens();
    }
    return deleted;
  }

  /**
   * Writes the row of a request unless it is known, and returns whether it was new. A request that
   * finished before the logs were cleared gets no row, but still counts only once.
   */
  #isNew(record: RequestRecord, finishedMs: number, late: Set<string>): boolean {
    if (!this.#epochs.isCleared("logs", finishedMs)) return this.#ledger.insert(record, finishedMs);
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
      throw error;
    }
  }

  #remember(cell: KeyedCell): void {
    this.#lifetime.set(keyOf(cell), cell);
    if (isName(cell.model)) this.#knownModels.add(cell.model);
  }
}

const keyOf = ({ model, box }: { model: string; box: string }): string =>
  JSON.stringify([model, box]);
const isName = (model: string): boolean => model !== NO_MODEL && model !== OTHER;

const isDownload = (record: RequestRecord): record is RequestRecord & { model: string } =>
  record.endpoint === "/api/pull" && record.status === "success" && record.model !== null;

/** Sums the records into minute cells, one per minute, model and box. */
function minutesOf(
  counted: readonly Counted[],
  nameOf: (model: string | null) => string,
): RollupCell[] {
  const minutes = new Map<string, RollupCell>();
  for (const { record, finishedMs } of counted) {
    const second = Math.floor(finishedMs / 1_000);
    const empty: RollupCell = {
      step: MINUTE_SECONDS,
      at: second - (second % MINUTE_SECONDS),
      model: nameOf(record.model),
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

/** Returns when a request finished, unix ms. Never in the future: such a row would never be deleted. */
const finishedAt = (record: RequestRecord, nowMs: number): number =>
  Math.max(0, Math.floor(Math.min(nowMs, Date.parse(record.started_at) + record.latency_ms)));

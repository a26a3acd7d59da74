/**
 * The intake: how finished requests become counts.
 *
 * One transaction per batch. A record counts only if its ledger row was really written, so ledger
 * and cells say the same whatever is delivered twice or killed in between. The cells of all time are
 * also kept in memory, since every answer needs them.
 */
import type { RequestRecord } from "../../protocol/records.ts";
import { Cell, type KeyedCell, sumOf } from "../cell.ts";
import { modelKey, NO_MODEL, OTHER } from "../model-key.ts";
import { RECENT_SECONDS, RecentTokens } from "../recent.ts";
import type { RegisteredBox } from "../registered.ts";
import { type CellStore, MINUTE_SECONDS, type RollupCell } from "./cells.ts";
import type { Ledger } from "./ledger.ts";

type Counted = { record: RequestRecord; finishedMs: number };

/** Requests that reached no box. */
const NO_BOX = "";

export class Intake {
  readonly #storage: DurableObjectStorage;
  readonly #ledger: Ledger;
  readonly #cells: CellStore;
  readonly #lifetime = new Map<string, KeyedCell>();
  readonly #knownModels = new Set<string>();
  readonly #recent = new RecentTokens();

  constructor(storage: DurableObjectStorage, ledger: Ledger, cells: CellStore, nowMs: number) {
    this.#storage = storage;
    this.#ledger = ledger;
    this.#cells = cells;
    for (const cell of cells.lifetime()) this.#remember(cell);
    for (const row of ledger.tokensSince(nowMs - RECENT_SECONDS * 1_000)) this.#recent.add(row.finished_at_ms, row.completion_tokens);
  }

  /** Cells of all time. Not to be changed. */
  lifetime(): KeyedCell[] {
    return [...this.#lifetime.values()];
  }

  tokensPerSecond(nowMs: number): number {
    return this.#recent.rate(nowMs);
  }

  /**
   * @returns how many of the records were new.
   * @throws when storage fails; then nothing was counted.
   */
  add(records: readonly RequestRecord[], boxes: readonly RegisteredBox[], nowMs: number): number {
    const known = new Set(this.#knownModels);
    const counted: Counted[] = [];
    const sums: KeyedCell[] = [];
    this.#storage.transactionSync(() => {
      for (const record of records) {
        const finishedMs = finishedAt(record, nowMs);
        if (this.#ledger.insert(record, finishedMs)) counted.push({ record, finishedMs });
      }
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
    // Only now: a transaction that failed must leave no trace in memory either.
    for (const sum of sums) this.#remember(sum);
    for (const { record, finishedMs } of counted) this.#recent.add(finishedMs, record.completion_tokens ?? 0);
    return counted.length;
  }

  #remember(cell: KeyedCell): void {
    this.#lifetime.set(keyOf(cell), cell);
    if (isName(cell.model)) this.#knownModels.add(cell.model);
  }
}

const keyOf = ({ model, box }: { model: string; box: string }): string => JSON.stringify([model, box]);
const isName = (model: string): boolean => model !== NO_MODEL && model !== OTHER;

/** The records as minute cells, one per minute, model and box. */
function minutesOf(counted: readonly Counted[], nameOf: (model: string | null) => string): RollupCell[] {
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

/** When a request finished, unix ms: a whole number, and never in the future, which nothing would ever delete. */
const finishedAt = (record: RequestRecord, nowMs: number): number =>
  Math.max(0, Math.floor(Math.min(nowMs, Date.parse(record.started_at) + record.latency_ms)));

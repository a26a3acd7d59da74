/**
 * The delivery to one receiver, a store or a collector: sends the records in the outbox exactly once.
 *
 * A batch gets an id and is kept in storage before it is sent. Until the store confirms it, the same
 * rows are sent again under the same id. So it does not matter if the store, its answer or this object
 * is lost. No transaction is open while the delivery waits for the store: intake goes on.
 *
 * A batch that is one whole entry of the outbox need not be kept, since its id follows from it (see
 * `next-batch.ts`), and neither does its delivery if the entry takes no row.
 */

import type { SinkName } from "../../protocol/stores.ts";
import { retryDelayMs } from "./backoff.ts";
import {
  type DeliveryState,
  type DeliveryStates,
  newDeliveryState,
  type Refused,
  setAsideOf,
} from "./delivery-states.ts";
import { internalFault, StoreError } from "./external-store.ts";
import { type NextBatch, nextBatch } from "./next-batch.ts";
import type { Cursor, Outbox } from "./outbox.ts";
import { type AnyRow, subjectOf } from "./rows.ts";
import type { ClearedRows, Clearing, Sink } from "./sink.ts";

/** One flush sends at most this many batches, then lets housekeeping run. */
const BATCHES_PER_FLUSH = 20;
/** The pause before the next flush when more records wait. */
const CONTINUE_MS = 100;
/** Consecutive rows that may be set aside before the delivery backs off: the store may be at fault. */
const SET_ASIDE_PER_FLUSH = 20;
/**
 * A delivery after a longer pause is stored at once. The object may not be in memory until the next one,
 * and would send it again.
 */
const RARE_MS = 60_000;
const DELETE_OLD_EVERY_MS = 3_600_000;

export type Clock = () => number;

export class StoreDelivery {
  readonly #storage: DurableObjectStorage;
  readonly #store: Sink;
  readonly #outbox: Outbox;
  readonly #states: DeliveryStates;
  readonly #random: () => number;
  /** The operations on the store, which run one after the other. */
  #last: Promise<unknown> = Promise.resolve();
  #isChecked = false;
  /** The entry at the cursor may have been sent as a batch of its own, by this object or before. */
  #mayHaveSentEntry = true;
  /** When the records that the last flush left are due, unix ms; null if it left none. */
  #moreDueMs: number | null = null;
  #deliveredMs = Number.NEGATIVE_INFINITY;
  #deletedOldMs = 0;

  constructor(
    storage: DurableObjectStorage,
    store: Sink,
    outbox: Outbox,
    states: DeliveryStates,
    random: () => number,
  ) {
    this.#storage = storage;
    this.#store = store;
    this.#outbox = outbox;
    this.#states = states;
    this.#random = random;
  }

  get name(): SinkName {
    return this.#store.name;
  }

  /** False if the store keeps what it has got. */
  get canClear(): boolean {
    return this.#store.clear !== undefined;
  }

  get state(): DeliveryState {
    return this.#states.get(this.name) ?? newDeliveryState(this.#outbox.end());
  }

  /** Begins with what an object before this one may have sent. */
  begin(): void {
    const { state } = this;
    const end = this.#outbox.tailEnd(state.cursor) ?? 0;
    const alone_before = Math.max(state.alone_before, end);
    this.#states.putInMemory(this.name, { ...state, alone_before });
    this.#outbox.deleteBefore(this.#passed());
  }

  /** True while the store still contains data that was cleared. */
  get isClearing(): boolean {
    const { logs, metrics } = this.state.clearing;
    return logs || metrics;
  }

  backlog(): number {
    return this.#outbox.count(this.state.cursor);
  }

  /** Returns when the next flush can make progress, unix ms; null if nothing is pending. */
  dueMs(): number | null {
    return this.state.retry_at_ms ?? this.#moreDueMs;
  }

  /**
   * Sends the waiting records unless the store is in backoff. Failures of the store do not reject.
   */
  flush(clock: Clock): Promise<void> {
    return this.#inTurn(async () => {
      const { retry_at_ms: retryAtMs } = this.state;
      if (retryAtMs !== null && clock() < retryAtMs) return;
      await this.#try(clock, async () => {
        await this.#clear(clock);
        await this.#send(clock);
      });
    });
  }

  /**
   * Clears the store now.
   * @throws {StoreError}; the store is then cleared before the next rows are sent
   */
  clear(clock: Clock): Promise<ClearedRows> {
    return this.#inTurn(async () => {
      let rows: ClearedRows = { logs: 0, metrics: 0 };
      const failure = await this.#try(clock, async () => {
        rows = await this.#clear(clock);
      });
      if (failure !== null) throw failure;
      return rows;
    });
  }

  async #send(clock: Clock): Promise<void> {
    let setAside = 0;
    // A request to clear waits for this loop.
    for (let sent = 0; sent < BATCHES_PER_FLUSH && !this.isClearing; sent++) {
      const batch = this.#freeze();
      this.#moreDueMs = batch === null ? null : clock() + CONTINUE_MS;
      if (batch === null) break;
      if (this.#store.kinds?.includes(batch.kind) === false) {
        this.#put({ batch: null, cursor: batch.next });
        continue;
      }
      await this.#check();
      try {
        let refused: Refused | null = null;
        const refuse = (rows: number, message: string) => {
          refused = { rows, message };
        };
        if (batch.rows.length > 0) await this.#store.insert(batch, refuse);
        this.#delivered(batch, clock(), refused);
      } catch (error) {
        if (
          !(error instanceof StoreError) ||
          !(error.failure === "content" || error.failure === "too_large")
        )
          throw error;
        // The fault may be in the tables. Rows are given up only if the tables are correct.
        this.#isChecked = false;
        await this.#check();
        if (batch.items === 1 && ++setAside > SET_ASIDE_PER_FLUSH) throw error;
        this.#refused(batch, error, clock());
      }
    }
    await this.#deleteOld(clock());
  }

  /** Returns the batch that was being sent, or a new one; null if no records wait. */
  #freeze(): NextBatch | null {
    const { state } = this;
    const bytesOf = (row: AnyRow) => this.#store.bytesOf(row);
    const next = nextBatch(this.#outbox, state, this.#mayHaveSentEntry, bytesOf);
    if (next === null || next.origin === "stored") return next;
    const { id, kind, items, origin } = next;
    if (origin === "new") this.#put({ batch: { id, kind, items } });
    else {
      this.#mayHaveSentEntry = true;
      this.#states.putInMemory(this.name, { ...state, batch: { id, kind, items } });
    }
    return next;
  }

  #delivered(batch: NextBatch, nowMs: number, refused: Refused | null): void {
    const { state } = this;
    const success = { failures: 0, retry_at_ms: null, last_success_ms: nowMs };
    // The cursor does not move if the batch was cleared or dropped while it was being sent.
    if (state.batch?.id !== batch.id) return this.#put(success);
    const delivered = state.delivered + batch.items - (refused?.rows ?? 0);
    const next = {
      ...success,
      batch: null,
      cursor: batch.next,
      delivered,
      ...(refused === null ? {} : setAsideOf(state, refused, nowMs)),
    };
    const entry = typeof batch.origin === "object" ? batch.origin.entry : null;
    const isRare = nowMs - this.#deliveredMs > RARE_MS;
    this.#deliveredMs = nowMs;
    if (entry === null || !this.#outbox.isInTail(entry) || state.failures > 0 || isRare)
      return this.#put(next);
    this.#mayHaveSentEntry = false;
    // A delivery that was repeated is stored at once: otherwise each start would repeat it.
    const sinceMs = entry < state.alone_before ? 0 : nowMs;
    this.#states.deliver(this.name, { ...state, ...next }, sinceMs);
    this.#outbox.deleteBefore(this.#passed());
  }

  /**
   * Handles a batch of which nothing was stored. Halves it until the faulty row is alone, and sets
   * that aside.
   */
  #refused(batch: NextBatch, { message }: StoreError, nowMs: number): void {
    const { state } = this;
    if (state.batch?.id !== batch.id) return;
    const last_error = { at_ms: nowMs, message };
    if (batch.items > 1) {
      this.#put({
        last_error,
        batch: { id: crypto.randomUUID(), kind: batch.kind, items: Math.ceil(batch.items / 2) },
      });
      return;
    }
    const [row] = batch.rows;
    const subject = row === undefined ? "" : `${subjectOf(row)}: `;
    const setAside = setAsideOf(state, { rows: 1, message: `${subject}${message}` }, nowMs);
    this.#put({ last_error, batch: null, cursor: batch.next, ...setAside });
  }

  async #clear(clock: Clock): Promise<ClearedRows> {
    if (!this.isClearing) return { logs: 0, metrics: 0 };
    const { clearing } = this.state;
    const rows = (await this.#store.clear?.(clearing)) ?? { logs: 0, metrics: 0 };
    // Parts that were cleared meanwhile are still to be deleted.
    const isStillDue = (part: keyof Clearing) => this.state.clearing[part] && !clearing[part];
    this.#put({
      clearing: { logs: isStillDue("logs"), metrics: isStillDue("metrics") },
      failures: 0,
      retry_at_ms: null,
      last_success_ms: clock(),
    });
    return rows;
  }

  async #deleteOld(nowMs: number): Promise<void> {
    if (this.#moreDueMs !== null || nowMs - this.#deletedOldMs < DELETE_OLD_EVERY_MS) return;
    this.#deletedOldMs = nowMs;
    if (this.#isChecked) await this.#store.deleteOld?.();
  }

  async #check(): Promise<void> {
    if (this.#isChecked) return;
    await this.#store.check();
    this.#isChecked = true;
  }

  /** Runs the work and records a failure. @returns the failure; null on success */
  async #try(clock: Clock, work: () => Promise<void>): Promise<StoreError | null> {
    try {
      await work();
      return null;
    } catch (error) {
      const failure = error instanceof StoreError ? error : internalFault(error);
      if (failure.failure === "schema") this.#isChecked = false;
      const nowMs = clock();
      const failures = this.state.failures + 1;
      const retry_at_ms = nowMs + retryDelayMs(failures, this.#random(), failure.retryAfterMs);
      this.#put({ failures, retry_at_ms, last_error: { at_ms: nowMs, message: failure.message } });
      return failure;
    }
  }

  #put(changed: Partial<DeliveryState>): void {
    const next = { ...this.state, ...changed };
    this.#storage.transactionSync(() => {
      this.#states.put(this.name, next);
      if (changed.cursor === undefined) return;
      this.#mayHaveSentEntry = false;
      this.#outbox.deleteBefore(this.#passed());
    });
  }

  /** Returns the position before which all stores have everything. */
  #passed(): Cursor {
    const configured = this.#states.all().filter(([, { is_configured }]) => is_configured);
    return { seq: Math.min(...configured.map(([, { cursor }]) => cursor.seq)), offset: 0 };
  }

  /** Runs work after all earlier operations on the store. */
  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => {});
    return result;
  }
}

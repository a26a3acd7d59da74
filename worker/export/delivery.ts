/**
 * A sink: brings one store what waits in the outbox, once.
 *
 * A batch is named and kept in storage before it is sent. Until the store confirms, the same rows
 * are sent again under the same name, so it does not matter whether the store, its answer or this
 * object was lost. Nothing here is in a transaction while it waits for the store: intake goes on.
 */

import type { StoreName } from "../../protocol/stores.ts";
import { retryDelayMs } from "./backoff.ts";
import { type DeliveryState, type DeliveryStates, newDeliveryState } from "./delivery-states.ts";
import {
  type Batch,
  type ClearedRows,
  type Clearing,
  type ExternalStore,
  StoreError,
} from "./external-store.ts";
import type { Outbox, Taken } from "./outbox.ts";

const BATCH_ITEMS_MAX = 5_000;
/** Neon takes 10 MiB. Two sinks, the rows and their text stay well within the memory of an object. */
const BATCH_BYTES_MAX = 8_000_000;
/** One flush sends at most so many, then lets housekeeping run. */
const BATCHES_PER_FLUSH = 20;
/** Rows that may be set aside one after the other: then the store is asked again later, in case the fault is its own. */
const SET_ASIDE_PER_FLUSH = 20;
const DELETE_OLD_EVERY_MS = 3_600_000;

export type Clock = () => number;

export class StoreDelivery {
  readonly #storage: DurableObjectStorage;
  readonly #store: ExternalStore;
  readonly #outbox: Outbox;
  readonly #states: DeliveryStates;
  readonly #random: () => number;
  /** What is done with the store, one thing after the other. */
  #last: Promise<unknown> = Promise.resolve();
  #isChecked = false;
  #hasMore = false;
  #deletedOldMs = 0;

  constructor(
    storage: DurableObjectStorage,
    store: ExternalStore,
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

  get name(): StoreName {
    return this.#store.name;
  }

  get state(): DeliveryState {
    return this.#states.get(this.name) ?? newDeliveryState(this.#outbox.end());
  }

  /** Whether the store holds what is to be deleted. */
  get isClearing(): boolean {
    const { logs, metrics } = this.state.clearing;
    return logs || metrics;
  }

  backlog(): number {
    return this.#outbox.count(this.state.cursor);
  }

  /** When a flush has something to do that it could not do before, unix ms; null when it waits for nothing. */
  dueMs(): number | null {
    return this.state.retry_at_ms ?? (this.#hasMore ? 0 : null);
  }

  /** Sends what waits, unless it is too early for that. Never rejects for the store's sake. */
  flush(clock: Clock): Promise<void> {
    return this.#afterOthers(async () => {
      const { retry_at_ms: retryAtMs } = this.state;
      if (retryAtMs !== null && clock() < retryAtMs) return;
      await this.#try(clock, async () => {
        await this.#clear(clock);
        await this.#send(clock);
      });
    });
  }

  /** Deletes in the store what {@link clearing} says, now. @throws {StoreError}; then it is done before the next rows are sent */
  clear(clock: Clock): Promise<ClearedRows> {
    return this.#afterOthers(async () => {
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
    // Whoever clears waits for this.
    for (let sent = 0; sent < BATCHES_PER_FLUSH && !this.isClearing; sent++) {
      const batch = this.#freeze();
      this.#hasMore = batch !== null;
      if (batch === null) break;
      await this.#check();
      try {
        if (batch.rows.length > 0) await this.#store.insert(batch);
        this.#delivered(batch, clock());
      } catch (error) {
        if (
          !(error instanceof StoreError) ||
          !(error.failure === "content" || error.failure === "too_large")
        )
          throw error;
        // The fault may be the tables'. Rows are given up only when these are as they must be.
        this.#isChecked = false;
        await this.#check();
        if (batch.items === 1 && ++setAside > SET_ASIDE_PER_FLUSH) throw error;
        this.#refused(batch, error, clock());
      }
    }
    await this.#deleteOld(clock());
  }

  /** The batch that was being sent, or a new one; null when nothing waits. */
  #freeze(): (Batch & Taken) | null {
    const { state } = this;
    const bytesOf = (row: Parameters<ExternalStore["bytesOf"]>[0]) => this.#store.bytesOf(row);
    if (state.batch !== null) {
      const again = this.#outbox.take(state.cursor, {
        items: state.batch.items,
        bytes: Number.POSITIVE_INFINITY,
        bytesOf,
      });
      if (again !== null) return { ...again, id: state.batch.id };
    }
    const taken = this.#outbox.take(state.cursor, {
      items: BATCH_ITEMS_MAX,
      bytes: BATCH_BYTES_MAX,
      bytesOf,
    });
    if (taken === null || taken.items === 0) return null;
    const id = crypto.randomUUID();
    this.#put({ batch: { id, kind: taken.kind, items: taken.items } });
    return { ...taken, id };
  }

  #delivered(batch: Batch & Taken, nowMs: number): void {
    const { state } = this;
    const success = { failures: 0, retry_at_ms: null, last_success_ms: nowMs };
    // What was cleared or dropped while it was sent is not where it was.
    if (state.batch?.id === batch.id)
      this.#put({
        ...success,
        batch: null,
        cursor: batch.next,
        delivered: state.delivered + batch.items,
      });
    else this.#put(success);
  }

  /** Nothing of the batch was stored. Half of it is tried next, until the row that is at fault is alone. */
  #refused(batch: Batch & Taken, { message }: StoreError, nowMs: number): void {
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
    const who =
      row === undefined
        ? ""
        : "request_id" in row
          ? `request ${row.request_id}: `
          : `a sample of ${row.box}: `;
    const last_set_aside = { at_ms: nowMs, message: `${who}${message}` };
    this.#put({
      last_error,
      batch: null,
      cursor: batch.next,
      set_aside: state.set_aside + 1,
      last_set_aside,
    });
  }

  async #clear(clock: Clock): Promise<ClearedRows> {
    if (!this.isClearing) return { logs: 0, metrics: 0 };
    const { clearing } = this.state;
    const rows = await this.#store.clear(clearing);
    // What was asked for meanwhile is yet to be done.
    const still = (what: keyof Clearing) => this.state.clearing[what] && !clearing[what];
    this.#put({
      clearing: { logs: still("logs"), metrics: still("metrics") },
      failures: 0,
      retry_at_ms: null,
      last_success_ms: clock(),
    });
    return rows;
  }

  async #deleteOld(nowMs: number): Promise<void> {
    if (this.#hasMore || nowMs - this.#deletedOldMs < DELETE_OLD_EVERY_MS) return;
    this.#deletedOldMs = nowMs;
    if (this.#isChecked) await this.#store.deleteOld();
  }

  async #check(): Promise<void> {
    if (this.#isChecked) return;
    await this.#store.check();
    this.#isChecked = true;
  }

  /** @returns why it failed; null when it did not. */
  async #try(clock: Clock, work: () => Promise<void>): Promise<StoreError | null> {
    try {
      await work();
      return null;
    } catch (error) {
      const failure = error instanceof StoreError ? error : faultOfOurs(error);
      if (failure.failure === "schema") this.#isChecked = false;
      const nowMs = clock();
      const failures = this.state.failures + 1;
      const retry_at_ms = nowMs + retryDelayMs(failures, this.#random());
      this.#put({ failures, retry_at_ms, last_error: { at_ms: nowMs, message: failure.message } });
      return failure;
    }
  }

  #put(changed: Partial<DeliveryState>): void {
    const next = { ...this.state, ...changed };
    this.#storage.transactionSync(() => {
      this.#states.put(this.name, next);
      if (changed.cursor === undefined) return;
      const cursors = this.#states.all().filter(([, { is_configured }]) => is_configured);
      this.#outbox.deleteBefore({
        seq: Math.min(...cursors.map(([, { cursor }]) => cursor.seq)),
        offset: 0,
      });
    });
  }

  #afterOthers<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => {});
    return result;
  }
}

/** An alarm that fails is given up by the platform after some tries: no fault of one sink may end all that alarms do. */
function faultOfOurs(error: unknown): StoreError {
  console.error(error);
  return new StoreError(
    "unavailable",
    "is not written to, by a fault of this program: its logs say more",
  );
}

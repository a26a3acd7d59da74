/**
 * The deliveries to all external stores and collectors of this edge, each at its own pace.
 *
 * They share one outbox. The records that it names are exempt from retention until they are
 * delivered, up to a bound. Beyond it the oldest records are dropped, counted and shown.
 */
import type { SinkHealth } from "../../protocol/api/fleet.ts";
import { StoreName } from "../../protocol/stores.ts";
import type { StoreReport } from "../answers/concerns.ts";
import type { StoreCleared } from "../answers/data.ts";
import { isoOf } from "../answers/figures.ts";
import { type Clock, StoreDelivery } from "./delivery.ts";
import { type DeliveryStates, newDeliveryState } from "./delivery-states.ts";
import { StoreError } from "./external-store.ts";
import type { Outbox } from "./outbox.ts";
import type { Clearing, Sink } from "./sink.ts";

/** At most this many records wait: eleven days of one request per second. */
export const OUTBOX_ITEMS_MAX = 1_000_000;
/**
 * Records are dropped when the object's database exceeds this size. The platform's limit is 10 GB.
 */
export const OUTBOX_STORAGE_BYTES_MAX = 6e9;
/** The share of the outbox that is dropped at a time. */
const DROPPED_SHARE = 0.1;

/** The kinds of rows that are cleared with the metrics. */
const METRIC_KINDS = ["gpu_samples", "system_samples", "energy_hours"] as const;

/** Waits until the other stores are flushed again. */
export type Pause = (signal: AbortSignal) => Promise<void>;

export type StoreDeliveriesParts = {
  stores: readonly Sink[];
  outbox: Outbox;
  states: DeliveryStates;
  random?: () => number;
};

export class StoreDeliveries {
  readonly #deliveries: readonly StoreDelivery[];
  readonly #storage: DurableObjectStorage;
  readonly #outbox: Outbox;
  readonly #states: DeliveryStates;

  constructor(
    storage: DurableObjectStorage,
    { stores, outbox, states, random = Math.random }: StoreDeliveriesParts,
  ) {
    this.#storage = storage;
    this.#outbox = outbox;
    this.#states = states;
    this.#deliveries = stores.map(
      (store) => new StoreDelivery(storage, store, outbox, states, random),
    );
    storage.transactionSync(() => this.#configure(stores));
  }

  /**
   * Matches the stored states with the configured stores.
   *
   * A new store starts with the oldest record that still exists. A store that was removed from the
   * settings holds nothing back. If it is configured again, the edge does not know which records it
   * missed. It gets all of them again if duplicates do no harm there, and otherwise only new ones.
   */
  #configure(stores: readonly Sink[]): void {
    const names = new Set<string>(stores.map(({ name }) => name));
    for (const [name, state] of this.#states.all())
      if (state.is_configured && !names.has(name))
        this.#states.put(name, { ...state, is_configured: false, batch: null });
    const seqs = this.#states.all().map(([, { cursor }]) => cursor.seq);
    if (names.size > 0) this.#outbox.open(Math.max(0, ...seqs), () => this.#states.store());
    else if (seqs.length > 0) this.#outbox.close();
    const others = this.#states.all().filter(([, { is_configured }]) => is_configured);
    const before = Math.min(...others.map(([, { cursor }]) => cursor.seq));
    const joining = stores.filter(({ name }) => this.#states.get(name)?.is_configured !== true);
    const getsAll = ({ name, countsOnce }: Sink) => countsOnce || this.#states.get(name) === null;
    const earliest = joining.some(getsAll) ? this.#outbox.addEarlier(before) : null;
    for (const store of joining) {
      const cursor = (getsAll(store) ? earliest : null) ?? this.#outbox.end();
      const known = this.#states.get(store.name) ?? newDeliveryState(cursor);
      this.#states.put(store.name, {
        ...known,
        is_configured: true,
        cursor,
        failures: 0,
        retry_at_ms: null,
      });
    }
    for (const delivery of this.#deliveries) delivery.begin();
  }

  get isNone(): boolean {
    return this.#deliveries.length === 0;
  }

  /** Returns when a store last took records, unix ms; -Infinity if none ever did. */
  lastSuccessMs(): number {
    return Math.max(
      Number.NEGATIVE_INFINITY,
      ...this.#deliveries.map(({ state }) => state.last_success_ms ?? Number.NEGATIVE_INFINITY),
    );
  }

  /** Sends the waiting records. A slow store does not hold up the others. */
  flush(clock: Clock, pause: Pause): Promise<void> {
    return this.#flush(this.#deliveries, clock, pause);
  }

  /** Sends the waiting records to the stores that failed or whose last flush left some, if they are due. */
  retry(clock: Clock, pause: Pause): Promise<void> {
    const isDue = (dueMs: number | null) => dueMs !== null && dueMs <= clock();
    const due = this.#deliveries.filter((delivery) => isDue(delivery.dueMs()));
    return this.#flush(due, clock, pause);
  }

  async #flush(deliveries: readonly StoreDelivery[], clock: Clock, pause: Pause): Promise<void> {
    let busy = deliveries.length;
    const isOver = new AbortController();
    await Promise.all(
      deliveries.map(async (delivery) => {
        await delivery.flush(clock);
        if (--busy === 0) isOver.abort();
        while (!isOver.signal.aborted) {
          await pause(isOver.signal).catch(() => {});
          if (!isOver.signal.aborted) await delivery.flush(clock);
        }
      }),
    );
    if ((this.checkpointDueMs() ?? Number.POSITIVE_INFINITY) <= clock()) this.checkpoint();
  }

  /** Stores the deliveries in memory. */
  checkpoint(): void {
    this.#storage.transactionSync(() => {
      this.#states.store();
      this.#outbox.forgetPassed();
    });
    this.#states.stored();
  }

  /** Returns when to call {@link checkpoint}, unix ms; null if storage has everything. */
  checkpointDueMs(): number | null {
    return this.#states.dueMs();
  }

  /** Returns when to call {@link retry}, unix ms; null if nothing failed and nothing was left. */
  retryDueMs(): number | null {
    const due = this.#deliveries.map((delivery) => delivery.dueMs()).filter((at) => at !== null);
    return due.length === 0 ? null : Math.min(...due);
  }

  /**
   * Returns when to flush for what waits in storage, unix ms; null if nothing does. Respects the backoff of
   * each store.
   * @param fromMs  not before this
   */
  waitingDueMs(fromMs: number): number | null {
    const due = this.#deliveries
      .filter((delivery) => delivery.isClearing || delivery.backlog() > 0)
      .map(({ state }) => Math.max(fromMs, state.retry_at_ms ?? 0));
    return due.length === 0 ? null : Math.min(...due);
  }

  /**
   * Returns when to flush for new records, unix ms. Respects the backoff of a store that failed.
   * @param fromMs  not before this
   */
  dueForNewMs(fromMs: number): number {
    return Math.min(
      ...this.#deliveries.map(({ state }) => Math.max(fromMs, state.retry_at_ms ?? 0)),
    );
  }

  /**
   * Removes cleared records from the outbox and schedules clearing the stores. Runs in the
   * transaction that clears the object.
   */
  beginClear({ logs, metrics }: Clearing): void {
    if (logs) this.#outbox.deleteAll("requests");
    for (const kind of metrics ? METRIC_KINDS : []) this.#outbox.deleteAll(kind);
    const keepers = this.#deliveries.filter(({ canClear }) => !canClear).map(({ name }) => name);
    for (const [name, state] of this.#states.all()) {
      const isCleared = !keepers.some((keeper) => keeper === name);
      const clearing = {
        logs: state.clearing.logs || (logs && isCleared),
        metrics: state.clearing.metrics || (metrics && isCleared),
      };
      const isGone =
        state.batch?.kind === "requests"
          ? logs
          : metrics && METRIC_KINDS.some((kind) => kind === state.batch?.kind);
      this.#states.put(name, { ...state, clearing, batch: isGone ? null : state.batch });
    }
  }

  /**
   * Clears the stores now. A store that cannot be reached is cleared before the next records are
   * written to it.
   */
  clear(clock: Clock): Promise<StoreCleared[]> {
    const stores = this.#deliveries.flatMap((delivery) => {
      const { success, data: store } = StoreName.safeParse(delivery.name);
      return success ? [{ store, delivery }] : [];
    });
    return Promise.all(
      stores.map(async ({ store, delivery }): Promise<StoreCleared> => {
        try {
          return { store, rows: await delivery.clear(clock), error: null };
        } catch (error) {
          if (!(error instanceof StoreError)) throw error;
          return { store, rows: null, error: error.message };
        }
      }),
    );
  }

  /**
   * Drops the oldest waiting records if the outbox exceeds a bound. Retention may then delete them.
   */
  bound(nowMs: number, { itemsMax, bytesMax }: { itemsMax: number; bytesMax: number }): void {
    if (this.isNone) return;
    const waiting = Math.max(...this.#deliveries.map((delivery) => delivery.backlog()));
    const tooMany = waiting - itemsMax;
    if (waiting === 0 || (tooMany <= 0 && this.#storage.sql.databaseSize <= bytesMax)) return;
    const cursor = this.#outbox.behind(Math.max(tooMany, Math.ceil(waiting * DROPPED_SHARE)));
    this.#storage.transactionSync(() => {
      for (const delivery of this.#deliveries) {
        const { state } = delivery;
        if (state.cursor.seq >= cursor.seq) continue;
        const dropped = state.dropped + delivery.backlog() - this.#outbox.count(cursor);
        this.#states.put(delivery.name, {
          ...state,
          cursor,
          batch: null,
          dropped,
          last_dropped_ms: nowMs,
        });
      }
      this.#outbox.deleteBefore(cursor);
      this.#outbox.forgetPassed();
    });
  }

  health(): SinkHealth[] {
    return this.reports().map(({ health }) => health);
  }

  /** Returns the health of each store, and when it last lost records. */
  reports(): StoreReport[] {
    return this.#deliveries.map((delivery) => {
      const { state } = delivery;
      const time = (ms: number | null) => (ms === null ? null : isoOf(ms));
      const health: SinkHealth = {
        sink: delivery.name,
        state: state.failures > 0 ? "failing" : "ok",
        backlog: delivery.backlog(),
        last_success: time(state.last_success_ms),
        last_error: state.last_error && {
          at: isoOf(state.last_error.at_ms),
          message: state.last_error.message,
        },
        next_attempt: time(state.retry_at_ms),
        delivered: state.delivered,
        dropped: state.dropped,
        set_aside: state.set_aside,
        clearing: delivery.isClearing,
      };
      return { health, lastDroppedMs: state.last_dropped_ms, lastRefused: state.last_set_aside };
    });
  }
}

/**
 * All sinks of this edge: none, one or two, each at its own pace.
 *
 * Also what they share: one outbox, which holds back the retention of what it names. It holds back
 * only so much. Beyond that the oldest are dropped, and that is counted and shown.
 */
import type { SinkHealth } from "../../protocol/api/fleet.ts";
import type { StoreReport } from "../answers/concerns.ts";
import type { StoreCleared } from "../answers/data.ts";
import { isoOf } from "../answers/figures.ts";
import { type Clock, StoreDelivery } from "./delivery.ts";
import { type DeliveryStates, newDeliveryState } from "./delivery-states.ts";
import { type Clearing, type ExternalStore, StoreError } from "./external-store.ts";
import type { Outbox } from "./outbox.ts";

/** Items that wait at most: eleven days of one request a second. */
export const OUTBOX_ITEMS_MAX = 1_000_000;
/** Of an object's 10 GB. */
export const OUTBOX_STORAGE_BYTES_MAX = 6e9;
/** How much goes when there is too much. */
const DROPPED_SHARE = 0.1;
/** When there is more to send. */
const CONTINUE_MS = 100;

export type StoreDeliveriesParts = {
  stores: readonly ExternalStore[];
  outbox: Outbox;
  states: DeliveryStates;
  random?: () => number;
};

export class StoreDeliveries {
  readonly #sinks: readonly StoreDelivery[];
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
    this.#sinks = stores.map((store) => new StoreDelivery(storage, store, outbox, states, random));
    storage.transactionSync(() => this.#configure(stores));
  }

  /**
   * A sink that is new starts with the oldest that there is. One that is gone holds nothing back. When it
   * comes again nobody knows what it got of the rest: it gets all of it again where that does no harm, and
   * what comes from then on where it does.
   */
  #configure(stores: readonly ExternalStore[]): void {
    const names = new Set<string>(stores.map(({ name }) => name));
    for (const [name, state] of this.#states.all())
      if (state.is_configured && !names.has(name))
        this.#states.put(name, { ...state, is_configured: false, batch: null });
    const seqs = this.#states.all().map(([, { cursor }]) => cursor.seq);
    if (names.size > 0) this.#outbox.open(Math.max(0, ...seqs));
    else if (seqs.length > 0) this.#outbox.deleteBefore(this.#outbox.end());
    const joining = stores.filter(({ name }) => this.#states.get(name)?.is_configured !== true);
    const getsAll = ({ name, countsOnce }: ExternalStore) =>
      countsOnce || this.#states.get(name) === null;
    const earliest = joining.some(getsAll) ? this.#outbox.addEarlier() : null;
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
  }

  get isNone(): boolean {
    return this.#sinks.length === 0;
  }

  hasBacklog(): boolean {
    return this.#sinks.some((sink) => sink.backlog() > 0 || sink.isClearing);
  }

  /** Sends what waits. A sink whose store is slow does not keep the others from going on at their pace. */
  async flush(clock: Clock, pause: (signal: AbortSignal) => Promise<void>): Promise<void> {
    let busy = this.#sinks.length;
    const isOver = new AbortController();
    await Promise.all(
      this.#sinks.map(async (sink) => {
        await sink.flush(clock);
        if (--busy === 0) isOver.abort();
        while (!isOver.signal.aborted) {
          await pause(isOver.signal).catch(() => {});
          if (!isOver.signal.aborted) await sink.flush(clock);
        }
      }),
    );
  }

  /** When to flush for what waits now, unix ms; null when nothing does. */
  dueMs(nowMs: number): number | null {
    const due = this.#sinks.map((sink) => sink.dueMs()).filter((at) => at !== null);
    return due.length === 0 ? null : Math.max(nowMs + CONTINUE_MS, Math.min(...due));
  }

  /** When to flush for what comes in now, unix ms: not before a store is asked again that failed. */
  dueForNewMs(nowMs: number, intervalMs: number): number {
    return Math.min(
      ...this.#sinks.map(({ state }) => Math.max(nowMs + intervalMs, state.retry_at_ms ?? 0)),
    );
  }

  /** Within the transaction that clears the object: what waited of it is sent no more, and the stores are to be cleared too. */
  beginClear({ logs, metrics }: Clearing): void {
    if (logs) this.#outbox.deleteAll("requests");
    for (const kind of metrics ? (["gpu_samples", "system_samples"] as const) : [])
      this.#outbox.deleteAll(kind);
    for (const [name, state] of this.#states.all()) {
      const clearing = {
        logs: state.clearing.logs || logs,
        metrics: state.clearing.metrics || metrics,
      };
      const isGone = state.batch?.kind === "requests" ? logs : metrics;
      this.#states.put(name, { ...state, clearing, batch: isGone ? null : state.batch });
    }
  }

  /** Clears the stores now. One that cannot be is cleared before anything new is written to it. */
  clear(clock: Clock): Promise<StoreCleared[]> {
    return Promise.all(
      this.#sinks.map(async (sink): Promise<StoreCleared> => {
        try {
          return { store: sink.name, rows: await sink.clear(clock), error: null };
        } catch (error) {
          if (!(error instanceof StoreError)) throw error;
          return { store: sink.name, rows: null, error: error.message };
        }
      }),
    );
  }

  /** Drops the oldest of what waits, when it is too much. Retention may then delete it. */
  bound(nowMs: number, { itemsMax, bytesMax }: { itemsMax: number; bytesMax: number }): void {
    if (this.isNone) return;
    const waiting = Math.max(...this.#sinks.map((sink) => sink.backlog()));
    const tooMany = waiting - itemsMax;
    if (waiting === 0 || (tooMany <= 0 && this.#storage.sql.databaseSize <= bytesMax)) return;
    const cursor = this.#outbox.behind(Math.max(tooMany, Math.ceil(waiting * DROPPED_SHARE)));
    this.#storage.transactionSync(() => {
      for (const sink of this.#sinks) {
        const { state } = sink;
        if (state.cursor.seq >= cursor.seq) continue;
        const dropped = state.dropped + sink.backlog() - this.#outbox.count(cursor);
        this.#states.put(sink.name, {
          ...state,
          cursor,
          batch: null,
          dropped,
          last_dropped_ms: nowMs,
        });
      }
      this.#outbox.deleteBefore(cursor);
    });
  }

  health(): SinkHealth[] {
    return this.reports().map(({ health }) => health);
  }

  /** Each store's health, and when it last lost records. */
  reports(): StoreReport[] {
    return this.#sinks.map((sink) => {
      const { state } = sink;
      const time = (ms: number | null) => (ms === null ? null : isoOf(ms));
      const health: SinkHealth = {
        sink: sink.name,
        state: state.failures > 0 ? "failing" : "ok",
        backlog: sink.backlog(),
        last_success: time(state.last_success_ms),
        last_error: state.last_error && {
          at: isoOf(state.last_error.at_ms),
          message: state.last_error.message,
        },
        next_attempt: time(state.retry_at_ms),
        delivered: state.delivered,
        dropped: state.dropped,
        set_aside: state.set_aside,
        clearing: sink.isClearing,
      };
      return { health, lastDroppedMs: state.last_dropped_ms, lastRefused: state.last_set_aside };
    });
  }
}

/**
 * The Aggregator's alarm: when housekeeping, exports and the repository's copy are due.
 *
 * A Durable Object has one alarm, and setting it is billed as a row write. It is therefore set only
 * when the new time is earlier than the one already set.
 */
import { OUTBOX_ITEMS_MAX, OUTBOX_STORAGE_BYTES_MAX } from "../export/deliveries.ts";
import type { Settings } from "../settings.ts";
import { ALARM_AT_LEAST_EVERY_MS, ALARM_EVERY_MS, keepHouse } from "./housekeeping.ts";
import type { AggregatorStores } from "./stores.ts";

/**
 * New ledger rows that bring the next housekeeping forward: age alone does not bound their number.
 */
const ROWS_PER_HOUSEKEEPING = 20_000;

export class Wakes {
  readonly #storage: DurableObjectStorage;
  readonly #stores: AggregatorStores;
  readonly #exportIntervalMs: number;
  readonly #meanwhile: (promise: Promise<unknown>) => void;
  #alarmAtMs: number | null = null;
  #rowsSinceHousekeeping = 0;
  /** When housekeeping is due, unix ms. Unknown after a restart; the next alarm finds out. */
  #housekeepingDueMs = 0;

  /** When the last flush began, unix ms. */
  #flushedMs = Number.NEGATIVE_INFINITY;

  /** The longest wait of new data for housekeeping. */
  readonly #keptWithinMs: number;

  constructor(
    ctx: DurableObjectState,
    stores: AggregatorStores,
    { retention, stores: { exportIntervalMs } }: Pick<Settings, "retention" | "stores">,
  ) {
    const { textsMs, samplesMs } = retention;
    const shortestMs = Math.min(ALARM_AT_LEAST_EVERY_MS, textsMs ?? samplesMs, samplesMs);
    this.#keptWithinMs = Math.max(ALARM_EVERY_MS, shortestMs);
    this.#storage = ctx.storage;
    this.#stores = stores;
    this.#exportIntervalMs = exportIntervalMs;
    this.#meanwhile = (promise) => ctx.waitUntil(promise);
    stores.alerts.onDue = (atMs) => this.#meanwhile(this.#wakeAt(atMs));
  }

  /** Reads the alarm that is set, and sets one for work left over from before the restart. */
  async resume(nowMs: number): Promise<void> {
    const { deliveries, sharedRepository } = this.#stores;
    this.#alarmAtMs = await this.#storage.getAlarm();
    await this.eraseSoon(nowMs);
    await this.#wakeForHeld();
    if (deliveries.hasBacklog() || (sharedRepository?.dueMs() ?? null) !== null)
      await this.#wakeAt(nowMs + this.#exportIntervalMs);
    await this.#wakeForAlerts();
  }

  /** Does what is due, and sets the next alarm. */
  async alarm(): Promise<void> {
    const { deliveries, erasure } = this.#stores;
    this.#alarmAtMs = null;
    if (this.#housekeepingDueMs <= Date.now()) this.#keepHouse(Date.now());
    if (erasure.isDue) await erasure.run();
    // Beside the rest: a receiver of messages may hang.
    this.#meanwhile(this.#alert());
    if (!deliveries.isNone) await this.#flush();
    if (this.#housekeepingDueMs < Number.POSITIVE_INFINITY)
      await this.#wakeAt(this.#housekeepingDueMs);
  }

  async #alert(): Promise<void> {
    await this.#stores.alerts.run().catch((error: unknown) => console.error(error));
    await this.#wakeForAlerts();
  }

  /** Schedules the next judgement of concerns, or attempt to send a message. */
  async #wakeForAlerts(): Promise<void> {
    const dueMs = this.#stores.alerts.dueMs();
    if (dueMs !== null) await this.#wakeAt(dueMs);
  }

  /** Schedules the erasure of texts if one is due. */
  async eraseSoon(nowMs: number): Promise<void> {
    if (this.#stores.erasure.isDue) await this.#wakeAt(nowMs);
  }

  /** Schedules housekeeping for new ledger rows. */
  async onRows(count: number, nowMs: number): Promise<void> {
    this.#rowsSinceHousekeeping += count;
    if (this.#rowsSinceHousekeeping >= ROWS_PER_HOUSEKEEPING) {
      this.#rowsSinceHousekeeping = 0;
      await this.#keepHouseBy(nowMs);
    } else if (count > 0) await this.onNewData(nowMs);
  }

  /** Schedules housekeeping for data whose retention ends later. */
  onNewData(nowMs: number): Promise<void> {
    return this.#keepHouseBy(nowMs + this.#keptWithinMs);
  }

  async #flush(): Promise<void> {
    const { deliveries, sharedRepository, held } = this.#stores;
    this.#flushedMs = Date.now();
    held.releaseDue(this.#flushedMs);
    await Promise.all([
      deliveries.flush(Date.now, (signal) => scheduler.wait(this.#exportIntervalMs, { signal })),
      sharedRepository?.keepUp(Date.now()),
    ]);
    await this.flushWhenDue(Date.now());
    await this.#wakeForHeld();
  }

  /**
   * Runs `take`, and exports what it added to the outbox: at once, or by an alarm if the last export is
   * too recent. An alarm is billed.
   */
  async flushingSoon<Result>(nowMs: number, take: () => Result): Promise<Result> {
    const { outbox, deliveries } = this.#stores;
    const { seq } = outbox.end();
    const result = take();
    if (outbox.end().seq !== seq) {
      const fromMs = Math.max(nowMs, this.#flushedMs + this.#exportIntervalMs);
      const dueMs = deliveries.dueForNewMs(fromMs);
      if (dueMs > nowMs) await this.#wakeAt(dueMs);
      else this.#meanwhile(this.#flushNow());
    }
    await this.#wakeForHeld();
    return result;
  }

  /** Exports beside the current call. A fault in it is tried again by the alarm. */
  async #flushNow(): Promise<void> {
    try {
      await this.#flush();
    } catch (error) {
      console.error(error);
      await this.#wakeAt(Date.now() + this.#exportIntervalMs);
    }
  }

  /** Schedules an export for the next request that is held back. */
  async #wakeForHeld(): Promise<void> {
    const dueMs = this.#stores.deliveries.isNone ? null : this.#stores.held.dueMs();
    if (dueMs !== null) await this.#wakeAt(dueMs);
  }

  /** Schedules an export of what is still unsent. */
  async flushWhenDue(nowMs: number): Promise<void> {
    const { deliveries, sharedRepository } = this.#stores;
    const due = [deliveries.dueMs(nowMs), sharedRepository?.dueMs() ?? null].filter(
      (at) => at !== null,
    );
    if (due.length > 0) await this.#wakeAt(Math.max(nowMs, Math.min(...due)));
  }

  #keepHouse(nowMs: number): void {
    this.#rowsSinceHousekeeping = 0;
    this.#stores.deliveries.bound(nowMs, {
      itemsMax: OUTBOX_ITEMS_MAX,
      bytesMax: OUTBOX_STORAGE_BYTES_MAX,
    });
    const { deliveries, intake, moves, registry } = this.#stores;
    // Without a pause between them, so the platform writes both or neither.
    intake.add(moves.takeOverdue(nowMs), registry.boxes(), nowMs);
    deliveries.checkpoint();
    intake.checkpoint(nowMs);
    this.#housekeepingDueMs =
      keepHouse(this.#storage, this.#stores, nowMs) ?? Number.POSITIVE_INFINITY;
  }

  async #keepHouseBy(atMs: number): Promise<void> {
    this.#housekeepingDueMs = Math.min(this.#housekeepingDueMs, atMs);
    await this.#wakeAt(atMs);
  }

  async #wakeAt(atMs: number): Promise<void> {
    if (this.#alarmAtMs !== null && this.#alarmAtMs <= atMs) return;
    this.#alarmAtMs = atMs;
    await this.#storage.setAlarm(atMs);
  }
}

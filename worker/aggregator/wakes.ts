/**
 * The Aggregator's alarm: does each duty when it is due, and nothing else.
 *
 * A Durable Object has one alarm, and setting it is billed as a row write. It is therefore set only
 * when the new time is earlier than the one already set. External stores that sleep while nobody writes
 * to them are billed by the wake-up, so no other duty touches them.
 *
 * Due times survive a restart: they follow from storage, or are kept there.
 */
import { OUTBOX_ITEMS_MAX, OUTBOX_STORAGE_BYTES_MAX } from "../export/deliveries.ts";
import type { Settings } from "../settings.ts";
import { deleteMeta, readMeta, writeMeta } from "../storage/meta.ts";
import { type DueMs, Duties } from "./duties.ts";
import { ALARM_AT_LEAST_EVERY_MS, ALARM_EVERY_MS, keepHouse } from "./housekeeping.ts";
import type { AggregatorStores } from "./stores.ts";

/**
 * New ledger rows that bring the next housekeeping forward: age alone does not bound their number.
 */
const ROWS_PER_HOUSEKEEPING = 20_000;

const HOUSEKEEPING_DUE_MS = "housekeeping_due_ms";

/** In this order: housekeeping leaves texts to erase, and a judgement leaves messages to send. */
const LOCAL_DUTIES = [
  "housekeeping",
  "erasure",
  "judgement",
  "summaries",
  "held",
  "checkpoint",
] as const;
/** These use external stores, and wait for each other's answers no more than for their own. */
const STORE_DUTIES = ["retries", "export", "repository"] as const;
const ALERT_DUTIES = ["judgement", "summaries", "messages"] as const;
const DUTIES = [...LOCAL_DUTIES, ...STORE_DUTIES, "messages"] as const;
type Duty = (typeof DUTIES)[number];

export class Wakes {
  readonly #storage: DurableObjectStorage;
  readonly #stores: AggregatorStores;
  readonly #exportIntervalMs: number;
  readonly #meanwhile: (promise: Promise<unknown>) => void;
  readonly #duties: Duties<Duty>;
  readonly #work: Readonly<Record<Duty, (nowMs: number) => unknown>>;
  #alarmAtMs: number | null = null;
  #rowsSinceHousekeeping = 0;
  /** When housekeeping is due, unix ms. 0 if unknown: the next alarm finds out. */
  #housekeepingDueMs: number;
  /** When records that wait are to be exported, unix ms; null if none wait. */
  #exportDueMs: number | null;
  /** When the last export began, or when its records arrived if that was before a restart. */
  #exportedMs: number;

  /** The longest wait of new data for housekeeping. */
  readonly #keptWithinMs: number;

  constructor(
    ctx: DurableObjectState,
    stores: AggregatorStores,
    { retention, stores: { exportIntervalMs } }: Pick<Settings, "retention" | "stores">,
    nowMs: number,
  ) {
    const { textsMs, samplesMs } = retention;
    const shortestMs = Math.min(ALARM_AT_LEAST_EVERY_MS, textsMs ?? samplesMs, samplesMs);
    this.#keptWithinMs = Math.max(ALARM_EVERY_MS, shortestMs);
    this.#storage = ctx.storage;
    this.#stores = stores;
    this.#exportIntervalMs = exportIntervalMs;
    this.#meanwhile = (promise) => ctx.waitUntil(promise);
    const keptMs = readMeta(ctx.storage.sql, HOUSEKEEPING_DUE_MS) ?? 0;
    // The clock may have been wrong.
    this.#housekeepingDueMs = keptMs > nowMs + ALARM_AT_LEAST_EVERY_MS ? 0 : keptMs;
    this.#exportedMs = Math.min(nowMs, stores.deliveries.lastSuccessMs());
    this.#exportDueMs = stores.deliveries.waitingDueMs(this.#nextExportMs(nowMs));
    this.#duties = new Duties(this.#dueTimes());
    this.#work = this.#works();
    stores.alerts.onChanged = () => this.#meanwhile(this.#wakeFor(ALERT_DUTIES));
  }

  #dueTimes(): Record<Duty, DueMs> {
    const { deliveries, sharedRepository, held, alerts, erasure, notifier } = this.#stores;
    return {
      housekeeping: () =>
        this.#housekeepingDueMs === Number.POSITIVE_INFINITY ? null : this.#housekeepingDueMs,
      erasure: () => (erasure.isDue ? 0 : null),
      judgement: () => alerts.dueMs(),
      summaries: () => notifier.summaryDueMs(Date.now()),
      messages: () => notifier.dueMs(),
      held: () => (deliveries.isNone ? null : held.dueMs()),
      checkpoint: () => deliveries.checkpointDueMs(),
      retries: () => deliveries.retryDueMs(),
      export: () => this.#exportDueMs,
      repository: () => {
        const dueMs = sharedRepository?.dueMs() ?? null;
        return dueMs === null ? null : this.#nextExportMs(dueMs);
      },
    };
  }

  #works(): Record<Duty, (nowMs: number) => unknown> {
    const { deliveries, sharedRepository, held, alerts, erasure, notifier } = this.#stores;
    return {
      housekeeping: (nowMs) => this.#keepHouse(nowMs),
      erasure: () => erasure.run(),
      judgement: (nowMs) => alerts.judge(nowMs),
      summaries: (nowMs) => alerts.summarize(nowMs),
      messages: () => notifier.sendDue(),
      held: (nowMs) => this.flushingSoon(nowMs, () => held.releaseDue(nowMs)),
      checkpoint: () => deliveries.checkpoint(),
      retries: () => deliveries.retry(Date.now, this.#pause),
      export: (nowMs) => this.#export(nowMs),
      repository: (nowMs) => sharedRepository?.keepUp(nowMs),
    };
  }

  /** Reads the alarm that is set, and sets one for work left over from before the restart. */
  async resume(): Promise<void> {
    this.#alarmAtMs = await this.#storage.getAlarm();
    const isKnown = this.#housekeepingDueMs > 0;
    await this.#wakeFor(DUTIES.filter((name) => isKnown || name !== "housekeeping"));
  }

  /** Does what is due, and sets the next alarm. */
  async alarm(): Promise<void> {
    this.#alarmAtMs = null;
    const isDue = (name: Duty) => this.#duties.isDue(name, Date.now());
    for (const name of LOCAL_DUTIES) if (isDue(name)) await this.#do(name);
    // Beside the rest: a receiver of messages may hang.
    if (isDue("messages"))
      this.#meanwhile(this.#do("messages").then(() => this.#wakeFor(["messages"])));
    await Promise.all(STORE_DUTIES.filter(isDue).map((name) => this.#do(name)));
    await this.#wakeFor(DUTIES);
  }

  /** Does a duty. A fault in it is tried again, and ends no other: the platform gives up on alarms that fail. */
  async #do(name: Duty): Promise<void> {
    try {
      await this.#work[name](Date.now());
      this.#duties.succeeded(name);
    } catch (error) {
      console.error(error);
      this.#duties.failed(name, Date.now());
    }
  }

  /** Schedules the erasure of texts if one is due. */
  async eraseSoon(): Promise<void> {
    await this.#wakeFor(["erasure"]);
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

  /** Returns the earliest time of another export that is not before `fromMs`. */
  #nextExportMs(fromMs: number): number {
    return Math.max(fromMs, this.#exportedMs + this.#exportIntervalMs);
  }

  readonly #pause = (signal: AbortSignal) => scheduler.wait(this.#exportIntervalMs, { signal });

  async #export(nowMs: number): Promise<void> {
    const { deliveries, sharedRepository } = this.#stores;
    this.#exportDueMs = null;
    this.#exportedMs = nowMs;
    try {
      await Promise.all([
        deliveries.flush(Date.now, this.#pause),
        sharedRepository?.keepUp(Date.now()),
      ]);
    } catch (error) {
      this.#exportDueMs = nowMs;
      throw error;
    }
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
      const dueMs = deliveries.dueForNewMs(this.#nextExportMs(nowMs));
      if (dueMs > nowMs) {
        this.#exportDueMs = Math.min(this.#exportDueMs ?? dueMs, dueMs);
        await this.#wakeFor(["export"]);
      } else this.#meanwhile(this.#do("export").then(() => this.flushWhenDue()));
    }
    await this.#wakeFor(["held"]);
    return result;
  }

  /** Schedules an export of what is still unsent. */
  async flushWhenDue(): Promise<void> {
    await this.#wakeFor(["export", "retries", "checkpoint", "repository"]);
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
    this.#setHousekeeping(keepHouse(this.#storage, this.#stores, nowMs));
  }

  async #keepHouseBy(atMs: number): Promise<void> {
    if (this.#housekeepingDueMs > atMs) this.#setHousekeeping(atMs);
    await this.#wakeAt(atMs);
  }

  /** @param atMs  null if nothing stored will ever expire */
  #setHousekeeping(atMs: number | null): void {
    this.#housekeepingDueMs = atMs ?? Number.POSITIVE_INFINITY;
    if (atMs === null) deleteMeta(this.#storage.sql, HOUSEKEEPING_DUE_MS);
    else writeMeta(this.#storage.sql, HOUSEKEEPING_DUE_MS, atMs);
  }

  /** Has the alarm run when the first of these duties is due. */
  async #wakeFor(names: readonly Duty[]): Promise<void> {
    const atMs = this.#duties.nextMs(names);
    if (atMs !== null) await this.#wakeAt(Math.max(atMs, Date.now()));
  }

  async #wakeAt(atMs: number): Promise<void> {
    if (this.#alarmAtMs !== null && this.#alarmAtMs <= atMs) return;
    this.#alarmAtMs = atMs;
    await this.#storage.setAlarm(atMs);
  }
}

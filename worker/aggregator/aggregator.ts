/**
 * The Aggregator: one Durable Object that knows what all boxes did.
 *
 * Off the byte path: it sees one record per request, in batches, and answers the pages. A thin shell
 * around the stores (SQLite, its only truth) and the pure files that shape the answers. What it
 * keeps in memory is rebuilt from storage when it wakes.
 */
import { DurableObject } from "cloudflare:workers";
import type { ConfigPatch } from "../../protocol/api/config.ts";
import type { Clearable, Cleared, DataSummary } from "../../protocol/api/data.ts";
import type { Boxes, Gpu, SinkHealth } from "../../protocol/api/fleet.ts";
import type { Live as LivePage } from "../../protocol/api/live.ts";
import type {
  RepositoryEntry,
  RepositoryModels,
  RepositoryQuery,
  RepositorySync,
} from "../../protocol/api/repository.ts";
import type {
  CurrentStats,
  HistoryPoint,
  Logs,
  LogsPage,
  Models,
} from "../../protocol/api/stats.ts";
import type { GpuHistory, System, SystemPoint } from "../../protocol/api/system.ts";
import type { Readings } from "../../protocol/inventory.ts";
import type { Hello } from "../../protocol/messages.ts";
import type { RequestRecord } from "../../protocol/records.ts";
import { boxesState } from "../answers/boxes.ts";
import { cleared, dataSummary } from "../answers/data.ts";
import { gpuHistoryOf } from "../answers/gpu-history.ts";
import { gpuState } from "../answers/gpus.ts";
import { cellsOf, endOf, historyOf, type Span } from "../answers/history.ts";
import { currentStats, modelStats, recentOf } from "../answers/stats.ts";
import { systemState } from "../answers/system.ts";
import { systemHistoryOf } from "../answers/system-history.ts";
import { shortName } from "../counting/model-key.ts";
import type { Bindings } from "../env.ts";
import {
  OUTBOX_ITEMS_MAX,
  OUTBOX_STORAGE_BYTES_MAX,
  StoreDeliveries,
} from "../export/deliveries.ts";
import { DeliveryStates } from "../export/delivery-states.ts";
import { externalStoresOf } from "../export/external-stores.ts";
import { Outbox } from "../export/outbox.ts";
import { scrape } from "../exposition/scrape.ts";
import { render } from "../exposition/text.ts";
import { type BoxStatuses, type RegisteredBox, upNames } from "../registered-box.ts";
import { RepositoryCopy } from "../repository/copy.ts";
import { LocalRepository } from "../repository/local.ts";
import { ModelRepository, type RepositoryResult } from "../repository/model-repository.ts";
import { PostgresRepository } from "../repository/postgres.ts";
import { SharedRepository } from "../repository/shared.ts";
import type { ModelEdit } from "../repository/stored.ts";
import { inForce, type RunTimeSettings, settingsOf } from "../settings.ts";
import { VERSION } from "../version.ts";
import { type CellFilter, CellStore, HOUR_SECONDS, MINUTE_SECONDS } from "./cells.ts";
import { Epochs } from "./epochs.ts";
import { Forgotten } from "./forgotten.ts";
import { ALARM_AT_LEAST_EVERY_MS, keepHouse } from "./housekeeping.ts";
import { Intake } from "./intake.ts";
import { Ledger, timeOf } from "./ledger.ts";
import { Registry } from "./registry.ts";
import { RunTimeSettingsStore } from "./run-time-settings.ts";
import { type BoxSamples, SampleStore } from "./samples.ts";
import { migrate } from "./schema.ts";

/** What is wrong now shows in so many minutes, the one that is not over among them. */
const RECENT_MINUTES = 5;

/** So many new ledger rows bring the next housekeeping forward: age alone does not bound their number. */
const ROWS_PER_HOUSEKEEPING = 20_000;

/** The boxes, and how calls are served now. */
export type Fleet = {
  boxes: RegisteredBox[];
  settings: RunTimeSettings;
  /** The default model of the repository, whether or not a box has it. */
  defaultModel: string | null;
};

export class Aggregator extends DurableObject<Bindings> {
  readonly #createdAtMs: number;
  readonly #cells: CellStore;
  readonly #ledger: Ledger;
  readonly #samples: SampleStore;
  readonly #outbox: Outbox;
  readonly #sinkStates: DeliveryStates;
  readonly #sinks: StoreDeliveries;
  readonly #registry: Registry;
  readonly #epochs: Epochs;
  readonly #settings: RunTimeSettingsStore;
  readonly #localRepository: LocalRepository;
  /** Where Postgres holds the repository; null where this object does. */
  readonly #sharedRepository: SharedRepository | null;
  readonly #repository: ModelRepository;
  readonly #intake: Intake;
  #alarmAtMs: number | null = null;
  #rowsSinceHousekeeping = 0;
  /** When housekeeping is due, unix ms. What an object that just woke does not know, it finds out at its next alarm. */
  #housekeepingDueMs = 0;

  constructor(ctx: DurableObjectState, env: Bindings) {
    super(ctx, env);
    const { storage } = ctx;
    const nowMs = Date.now();
    this.#createdAtMs = migrate(storage, nowMs);
    this.#cells = new CellStore(storage.sql);
    this.#ledger = new Ledger(storage.sql, new Forgotten(storage.sql));
    this.#samples = new SampleStore(storage.sql);
    this.#outbox = new Outbox(storage.sql, this.#ledger, this.#samples);
    this.#sinkStates = new DeliveryStates(storage.sql);
    this.#sinks = new StoreDeliveries(storage, {
      stores: externalStoresOf(settingsOf(env).stores),
      outbox: this.#outbox,
      states: this.#sinkStates,
    });
    this.#registry = new Registry(storage, this.#samples, this.#outbox);
    this.#epochs = new Epochs(storage.sql);
    this.#settings = new RunTimeSettingsStore(storage.sql);
    const repository = new LocalRepository(storage);
    this.#intake = new Intake(
      storage,
      {
        ledger: this.#ledger,
        cells: this.#cells,
        epochs: this.#epochs,
        repository,
        outbox: this.#outbox,
      },
      nowMs,
    );
    const { postgres } = settingsOf(env).stores;
    this.#localRepository = repository;
    this.#sharedRepository =
      postgres === null
        ? null
        : new SharedRepository(new RepositoryCopy(storage), new PostgresRepository(postgres));
    this.#repository = new ModelRepository(this.#sharedRepository ?? repository, () => ({
      boxes: this.#registry.boxes(),
      lifetime: this.#intake.lifetime(),
      nowMs: Date.now(),
    }));
    ctx.blockConcurrencyWhile(async () => {
      this.#alarmAtMs = await storage.getAlarm();
      if (this.#sinks.hasBacklog() || (this.#sharedRepository?.dueMs() ?? null) !== null)
        await this.#wakeAt(nowMs + this.#exportIntervalMs);
    });
  }

  /**
   * Counts finished requests. Those that were counted before are left out.
   * When it returns, they are durable.
   * @throws when storage fails; nothing of the batch is counted then.
   */
  async ingest(records: RequestRecord[]): Promise<{ counted: number }> {
    const nowMs = Date.now();
    const { enableInstrumentation, logContent } = inForce(
      settingsOf(this.env),
      this.#settings.get(),
    );
    if (!enableInstrumentation) return { counted: 0 };
    // Also those of calls that were accepted before text was switched off, and of local ones that no edge had told their agent about.
    const kept =
      logContent === "on"
        ? records
        : records.map((record) => ({ ...record, prompt: null, response: null }));
    const counted = await this.#flushingSoon(nowMs, () =>
      this.#intake.add(kept, this.#registry.boxes(), nowMs),
    );
    this.#rowsSinceHousekeeping += counted;
    if (this.#rowsSinceHousekeeping >= ROWS_PER_HOUSEKEEPING) {
      this.#rowsSinceHousekeeping = 0;
      await this.#keepHouseBy(nowMs);
    } else if (counted > 0) await this.#keepHouseBy(nowMs + ALARM_AT_LEAST_EVERY_MS);
    return { counted };
  }

  /** The agent of a box said hello. */
  connected(hello: Hello): void {
    this.#registry.connected(hello, Date.now());
  }

  /** A box takes no new streams. */
  draining(box: string): void {
    this.#registry.draining(box, Date.now());
  }

  /** The tunnel of a box is down since `atMs`. */
  gone(box: string, atMs: number = Date.now()): void {
    this.#registry.gone(box, atMs);
  }

  forgetBox(box: string): void {
    this.#registry.forget(box);
  }

  /** What a box says of its models, its GPUs and its machine. */
  async read(box: string, readings: Readings): Promise<void> {
    const nowMs = Date.now();
    await this.#flushingSoon(nowMs, () => this.#registry.read(box, readings, nowMs));
    if (readings.gpu.samples.length + readings.system.length > 0)
      await this.#keepHouseBy(nowMs + ALARM_AT_LEAST_EVERY_MS);
  }

  registry(): RegisteredBox[] {
    return this.#registry.boxes();
  }

  /** What a Worker needs to serve calls. */
  fleet(): Fleet {
    return {
      boxes: this.#registry.boxes(),
      settings: this.#settings.get(),
      defaultModel: this.#localRepository.defaultModel(),
    };
  }

  repositoryList(query: RepositoryQuery): Promise<RepositoryModels> {
    return this.#waking(this.#repository.list(query));
  }

  repositoryFind(name: string): Promise<RepositoryResult<RepositoryEntry>> {
    return this.#waking(this.#repository.find(name));
  }

  repositoryPut(name: string, said: ModelEdit): Promise<RepositoryResult<RepositoryEntry>> {
    return this.#waking(this.#repository.put(name, said));
  }

  repositoryChange(name: string, said: ModelEdit): Promise<RepositoryResult<RepositoryEntry>> {
    return this.#waking(this.#repository.change(name, said));
  }

  repositoryToggleFavorite(name: string): Promise<RepositoryResult<RepositoryEntry>> {
    return this.#waking(this.#repository.toggleFavorite(name));
  }

  /** @returns the name of what is gone. */
  repositoryRemove(name: string): Promise<RepositoryResult<string>> {
    return this.#waking(this.#repository.remove(name));
  }

  repositorySync(): Promise<RepositoryResult<RepositorySync>> {
    return this.#waking(this.#repository.sync());
  }

  current(live: BoxStatuses): CurrentStats {
    const nowMs = Date.now();
    const now = Math.floor(nowMs / 1_000);
    const from = now - (now % MINUTE_SECONDS) - HOUR_SECONDS;
    return currentStats({
      nowMs,
      sinceMs: this.#createdAtMs,
      lifetime: this.#intake.lifetime(),
      lastHour: [...this.#cells.rollups(from, now + 1)],
      tokensPerSecond: this.#intake.tokensPerSecond(nowMs),
      boxes: this.#registry.boxes(),
      live,
    });
  }

  /** The buckets of a span, empty ones too. */
  history(span: Span, { model, box }: CellFilter): HistoryPoint[] {
    const nowMs = Date.now();
    if (span.granularity < MINUTE_SECONDS) {
      const fromMs = Math.max(span.from * 1_000, this.#epochs.clearedMs("metrics") ?? 0);
      return historyOf(
        span,
        nowMs,
        cellsOf(this.#ledger.finishedIn(fromMs, endOf(span) * 1_000, { model, box })),
      );
    }
    const filter = { model: model === undefined ? undefined : shortName(model), box };
    return historyOf(span, nowMs, this.#cells.rollups(span.from, endOf(span), filter));
  }

  /** One page of the ledger. Where there is a store, what is older than the ledger is whole goes on there. */
  logs(page: LogsPage): Logs {
    return this.#ledger.page(page, this.#olderId());
  }

  /** What somebody must know who reads logs that are older than the ledger's, from a store; null when there are none. */
  olderLogs(): { clearedMs: number | null } | null {
    return this.#olderId() === null ? null : { clearedMs: this.#epochs.clearedMs("logs") };
  }

  /** When metrics were cleared last, unix ms; null when they never were. */
  metricsClearedMs(): number | null {
    return this.#epochs.clearedMs("metrics");
  }

  models(): Models {
    return modelStats(this.#intake.lifetime(), this.#registry.boxes());
  }

  /** @param box only this one; all when left out. */
  gpu(box?: string): Gpu {
    return gpuState(this.#boxes(box), Date.now());
  }

  /** @param box only this one; all when left out. */
  boxes(live: BoxStatuses, box?: string): Boxes {
    return boxesState(this.#boxes(box), live, Date.now());
  }

  /** What a page shows of now. */
  now(live: BoxStatuses): Pick<LivePage, "stats" | "recent" | "boxes"> {
    const now = Math.floor(Date.now() / 1_000);
    const from = now - (now % MINUTE_SECONDS) - (RECENT_MINUTES - 1) * MINUTE_SECONDS;
    const recent = recentOf(RECENT_MINUTES, [...this.#cells.rollups(from, now + 1)]);
    const boxes = this.boxes(live).boxes.map(({ models: _, ...box }) => box);
    return { stats: this.current(live), recent, boxes };
  }

  /** @param box only this one; all when left out. */
  system(live: BoxStatuses, box?: string): System {
    return systemState(this.#boxes(box), upNames(live), Date.now());
  }

  /** The buckets of a span, empty ones too. Samples that are in no batch yet are in it. */
  systemHistory(span: Span, box?: string): SystemPoint[] {
    return systemHistoryOf(span, this.#samplesSince(span.from * 1_000, box));
  }

  /** The same buckets, of each GPU. */
  gpuHistory(span: Span, box?: string): Omit<GpuHistory, "time_range" | "store"> {
    return gpuHistoryOf(span, this.#samplesSince(span.from * 1_000, box));
  }

  exposition(live: BoxStatuses, openMetrics: boolean): string {
    const lifetime = this.#intake.lifetime();
    const sinks = this.#sinks.health();
    return render(
      scrape({
        nowMs: Date.now(),
        version: VERSION,
        lifetime,
        boxes: this.#registry.boxes(),
        live,
        sinks,
      }),
      openMetrics,
    );
  }

  /** What was changed at run time. */
  settings(): RunTimeSettings {
    return this.#settings.get();
  }

  patchSettings(patch: ConfigPatch): RunTimeSettings {
    return this.#settings.patch(patch, Date.now());
  }

  dataSummary(): DataSummary {
    const parts = {
      logs: this.#ledger.summary(),
      metrics: this.#cells.summary(),
      sizeBytes: this.ctx.storage.sql.databaseSize,
    };
    return dataSummary({
      ...parts,
      metricsClearedMs: this.#epochs.clearedMs("metrics"),
      logsClearedMs: this.#epochs.clearedMs("logs"),
    });
  }

  /** Deletes what is asked for, for good: here at once, and in the stores as soon as they can be reached. */
  async clear(type: Cleared["type"]): Promise<Cleared> {
    const nowMs = Date.now();
    const what: Clearable[] = type === "all" ? ["logs", "metrics"] : [type];
    const hasMetrics = what.includes("metrics");
    let deleted: Record<Clearable, number>;
    try {
      deleted = this.ctx.storage.transactionSync(() => {
        this.#sinks.beginClear({ logs: what.includes("logs"), metrics: hasMetrics });
        if (hasMetrics) this.#samples.clear();
        return this.#intake.clear(what, nowMs);
      });
    } catch (error) {
      this.#sinkStates.read();
      throw error;
    }
    if (hasMetrics) this.#registry.forgetPending();
    const stores = await this.#sinks.clear(Date.now);
    await this.#flushWhenDue(Date.now());
    return cleared(type, nowMs, deleted, stores);
  }

  /** How the stores are, and what is wrong with that in words. */
  sinks(): { sinks: SinkHealth[]; problems: string[] } {
    const ofRepository = this.#sharedRepository?.problem() ?? null;
    return {
      sinks: this.#sinks.health(),
      problems: [
        ...this.#sinks.problems(Date.now()),
        ...(ofRepository === null ? [] : [ofRepository]),
      ],
    };
  }

  /** When this object's storage was made, unix ms: since then it counts. */
  since(): number {
    return this.#createdAtMs;
  }

  override async alarm(): Promise<void> {
    this.#alarmAtMs = null;
    if (this.#housekeepingDueMs <= Date.now()) this.#keepHouse(Date.now());
    if (!this.#sinks.isNone) {
      await Promise.all([
        this.#sinks.flush(Date.now, (signal) => scheduler.wait(this.#exportIntervalMs, { signal })),
        this.#sharedRepository?.keepUp(Date.now()),
      ]);
      await this.#flushWhenDue(Date.now());
    }
    if (this.#housekeepingDueMs < Number.POSITIVE_INFINITY)
      await this.#wakeAt(this.#housekeepingDueMs);
  }

  #keepHouse(nowMs: number): void {
    this.#rowsSinceHousekeeping = 0;
    this.#sinks.bound(nowMs, { itemsMax: OUTBOX_ITEMS_MAX, bytesMax: OUTBOX_STORAGE_BYTES_MAX });
    const stores = {
      ledger: this.#ledger,
      cells: this.#cells,
      samples: this.#samples,
      outbox: this.#outbox,
    };
    this.#housekeepingDueMs =
      keepHouse(this.ctx.storage, stores, nowMs) ?? Number.POSITIVE_INFINITY;
  }

  async #keepHouseBy(atMs: number): Promise<void> {
    this.#housekeepingDueMs = Math.min(this.#housekeepingDueMs, atMs);
    await this.#wakeAt(atMs);
  }

  /** Wakes for what `take` leaves to be sent. */
  async #flushingSoon<Result>(nowMs: number, take: () => Result): Promise<Result> {
    const { seq } = this.#outbox.end();
    const result = take();
    if (this.#outbox.end().seq !== seq)
      await this.#wakeAt(this.#sinks.dueForNewMs(nowMs, this.#exportIntervalMs));
    return result;
  }

  /** Wakes for what the model repository has yet to tell, or could not. */
  async #waking<Answer>(answer: Promise<Answer>): Promise<Answer> {
    const told = await answer;
    await this.#flushWhenDue(Date.now());
    return told;
  }

  /** Wakes for what is left to be sent. */
  async #flushWhenDue(nowMs: number): Promise<void> {
    const due = [this.#sinks.dueMs(nowMs), this.#sharedRepository?.dueMs() ?? null].filter(
      (at) => at !== null,
    );
    if (due.length > 0) await this.#wakeAt(Math.max(nowMs, Math.min(...due)));
  }

  get #exportIntervalMs(): number {
    return settingsOf(this.env).stores.exportIntervalMs;
  }

  /** The newest request that may be in a store alone: what was cleared is nowhere. */
  #olderId(): string | null {
    const id = this.#sinks.isNone ? null : this.#ledger.forgottenTo();
    return id !== null && timeOf(id) > (this.#epochs.clearedMs("logs") ?? 0) ? id : null;
  }

  *#samplesSince(fromMs: number, box: string | undefined): Generator<BoxSamples> {
    yield* this.#samples.since(fromMs, box);
    yield* this.#registry.pending(box);
  }

  #boxes(only: string | undefined): RegisteredBox[] {
    return this.#registry.boxes().filter(({ name }) => only === undefined || name === only);
  }

  /** Sets the alarm, unless it comes by then anyway: setting one is billed. */
  async #wakeAt(atMs: number): Promise<void> {
    if (this.#alarmAtMs !== null && this.#alarmAtMs <= atMs) return;
    this.#alarmAtMs = atMs;
    await this.ctx.storage.setAlarm(atMs);
  }
}

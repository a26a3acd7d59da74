/**
 * The Aggregator: one Durable Object that knows what all boxes did.
 *
 * Off the byte path: it sees one record per request, in batches, and answers the pages. A thin shell
 * around the stores (SQLite, its only truth) and the pure files that shape the answers. What it
 * keeps in memory is rebuilt from storage when it wakes.
 */
import { DurableObject } from "cloudflare:workers";
import type { ConfigPatch } from "../protocol/api/config.ts";
import type { Cleared, DataSummary } from "../protocol/api/data.ts";
import type { Gpu } from "../protocol/api/fleet.ts";
import type { CurrentStats, HistoryPoint, Logs, Models } from "../protocol/api/stats.ts";
import type { Readings } from "../protocol/inventory.ts";
import type { Hello } from "../protocol/messages.ts";
import type { RequestRecord } from "../protocol/records.ts";
import type { Bindings } from "./bindings.ts";
import { cleared, dataSummary } from "./data.ts";
import { render } from "./exposition.ts";
import type { Fleet } from "./fleet.ts";
import { cellsOf, endOf, historyOf, type Span } from "./history.ts";
import { shortName } from "./model-key.ts";
import type { Live, RegisteredBox } from "./registered.ts";
import { scrape } from "./scrape.ts";
import { inForce, settingsOf } from "./settings.ts";
import { currentStats, gpuState, modelStats } from "./stats.ts";
import { type CellFilter, CellStore, HOUR_SECONDS, MINUTE_SECONDS } from "./store/cells.ts";
import { type Clearable, Epochs } from "./store/epochs.ts";
import { Forgotten } from "./store/forgotten.ts";
import { GpuStore } from "./store/gpu.ts";
import { ALARM_AT_LEAST_EVERY_MS, keepHouse } from "./store/housekeeping.ts";
import { Intake } from "./store/intake.ts";
import { Ledger, type LedgerPage } from "./store/ledger.ts";
import { Registry } from "./store/registry.ts";
import { type RunTimeSettings, RunTimeSettingsStore } from "./store/run-time-settings.ts";
import { migrate } from "./store/schema.ts";
import { VERSION } from "./version.ts";

export type { Live, LiveBox, RegisteredBox } from "./registered.ts";

/** So many new ledger rows bring the next housekeeping forward: age alone does not bound their number. */
const ROWS_PER_HOUSEKEEPING = 20_000;

export class Aggregator extends DurableObject<Bindings> {
  readonly #createdAtMs: number;
  readonly #cells: CellStore;
  readonly #ledger: Ledger;
  readonly #gpu: GpuStore;
  readonly #registry: Registry;
  readonly #epochs: Epochs;
  readonly #settings: RunTimeSettingsStore;
  readonly #intake: Intake;
  #alarmAtMs: number | null = null;
  #rowsSinceHousekeeping = 0;

  constructor(ctx: DurableObjectState, env: Bindings) {
    super(ctx, env);
    const { storage } = ctx;
    const nowMs = Date.now();
    this.#createdAtMs = migrate(storage, nowMs);
    this.#cells = new CellStore(storage.sql);
    this.#ledger = new Ledger(storage.sql, new Forgotten(storage.sql));
    this.#gpu = new GpuStore(storage.sql);
    this.#registry = new Registry(storage, this.#gpu);
    this.#epochs = new Epochs(storage.sql);
    this.#settings = new RunTimeSettingsStore(storage.sql);
    this.#intake = new Intake(storage, { ledger: this.#ledger, cells: this.#cells, epochs: this.#epochs }, nowMs);
    ctx.blockConcurrencyWhile(async () => {
      this.#alarmAtMs = await storage.getAlarm();
    });
  }

  /**
   * Counts finished requests. Those that were counted before are left out.
   * When it returns, they are durable.
   * @throws when storage fails; nothing of the batch is counted then.
   */
  async ingest(records: RequestRecord[]): Promise<{ counted: number }> {
    const nowMs = Date.now();
    const { enableInstrumentation, logContent } = inForce(settingsOf(this.env), this.#settings.get());
    if (!enableInstrumentation) return { counted: 0 };
    // Also those of calls that were accepted before text was switched off.
    const kept = logContent === "on" ? records : records.map((record) => ({ ...record, prompt: null, response: null }));
    const counted = this.#intake.add(kept, this.#registry.boxes(), nowMs);
    this.#rowsSinceHousekeeping += counted;
    if (this.#rowsSinceHousekeeping >= ROWS_PER_HOUSEKEEPING) {
      this.#rowsSinceHousekeeping = 0;
      await this.#wakeAt(nowMs);
    } else if (counted > 0) await this.#wakeAt(nowMs + ALARM_AT_LEAST_EVERY_MS);
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

  /** What a box says of its models and GPUs. */
  async read(box: string, readings: Readings): Promise<void> {
    const nowMs = Date.now();
    this.#registry.read(box, readings, nowMs);
    if (readings.gpu.samples.length > 0) await this.#wakeAt(nowMs + ALARM_AT_LEAST_EVERY_MS);
  }

  registry(): RegisteredBox[] {
    return this.#registry.boxes();
  }

  /** What a Worker needs to serve calls. */
  fleet(): Fleet {
    return { boxes: this.#registry.boxes(), settings: this.#settings.get() };
  }

  current(live: Live): CurrentStats {
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
      return historyOf(span, nowMs, cellsOf(this.#ledger.finishedIn(fromMs, endOf(span) * 1_000, { model, box })));
    }
    const filter = { model: model === undefined ? undefined : shortName(model), box };
    return historyOf(span, nowMs, this.#cells.rollups(span.from, endOf(span), filter));
  }

  logs(page: LedgerPage): Logs {
    return this.#ledger.page(page);
  }

  models(): Models {
    return modelStats(this.#intake.lifetime(), this.#registry.boxes());
  }

  /** @param box only this one; all when left out. */
  gpu(box?: string): Gpu {
    const boxes = this.#registry.boxes().filter(({ name }) => box === undefined || name === box);
    return gpuState(boxes, Date.now());
  }

  exposition(live: Live, openMetrics: boolean): string {
    const lifetime = this.#intake.lifetime();
    return render(scrape({ nowMs: Date.now(), version: VERSION, lifetime, boxes: this.#registry.boxes(), live }), openMetrics);
  }

  /** What was changed at run time. */
  settings(): RunTimeSettings {
    return this.#settings.get();
  }

  patchSettings(patch: ConfigPatch): RunTimeSettings {
    return this.#settings.patch(patch, Date.now());
  }

  dataSummary(): DataSummary {
    const parts = { logs: this.#ledger.summary(), metrics: this.#cells.summary(), sizeBytes: this.ctx.storage.sql.databaseSize };
    return dataSummary({ ...parts, metricsClearedMs: this.#epochs.clearedMs("metrics"), logsClearedMs: this.#epochs.clearedMs("logs") });
  }

  /** Deletes what is asked for, for good. */
  clear(type: Cleared["type"]): Cleared {
    const nowMs = Date.now();
    const what: Clearable[] = type === "all" ? ["logs", "metrics"] : [type];
    const deleted = this.#intake.clear(what, nowMs);
    if (what.includes("metrics")) {
      this.#gpu.clear();
      this.#registry.forgetPending();
    }
    return cleared(type, nowMs, deleted);
  }

  /** When this object's storage was made, unix ms: since then it counts. */
  since(): number {
    return this.#createdAtMs;
  }

  override async alarm(): Promise<void> {
    this.#alarmAtMs = null;
    this.#rowsSinceHousekeeping = 0;
    const next = keepHouse(this.ctx.storage, { ledger: this.#ledger, cells: this.#cells, gpu: this.#gpu }, Date.now());
    if (next !== null) await this.#wakeAt(next);
  }

  /** Sets the alarm, unless it comes by then anyway: setting one is billed. */
  async #wakeAt(atMs: number): Promise<void> {
    if (this.#alarmAtMs !== null && this.#alarmAtMs <= atMs) return;
    this.#alarmAtMs = atMs;
    await this.ctx.storage.setAlarm(atMs);
  }
}

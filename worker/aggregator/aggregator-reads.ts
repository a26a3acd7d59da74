/** The answers of the Aggregator. Nothing here changes what it keeps. */
import { DurableObject } from "cloudflare:workers";
import type { AuditPage } from "../../protocol/api/audit.ts";
import type { Bench } from "../../protocol/api/bench.ts";
import type { Costs, CostsQuery } from "../../protocol/api/costs.ts";
import type { DataSummary } from "../../protocol/api/data.ts";
import type { Events, EventsQuery } from "../../protocol/api/events.ts";
import type { PeriodExplanation } from "../../protocol/api/explanation.ts";
import type { Boxes, Gpu } from "../../protocol/api/fleet.ts";
import type { LogFacets, LogFacetsQuery } from "../../protocol/api/log-facets.ts";
import type { Logs, LogsPage } from "../../protocol/api/logs.ts";
import type { Plan, PlanQuery } from "../../protocol/api/planning.ts";
import type { CurrentStats, HistoryPoint, Models } from "../../protocol/api/stats.ts";
import type { GpuHistory, System, SystemPoint } from "../../protocol/api/system.ts";
import type { TariffState } from "../../protocol/api/tariff.ts";
import type { ThresholdsState } from "../../protocol/api/thresholds.ts";
import type { Counted } from "../answers/activity.ts";
import type { Around } from "../answers/explanation.ts";
import type { Span } from "../answers/history.ts";
import { thresholdsState } from "../answers/thresholds.ts";
import type { Bindings } from "../env.ts";
import type { CallUse } from "../keys/call-use.ts";
import type { RegisteredBox } from "../registered-box.ts";
import { inForce, type RunTimeSettings, type Settings, settingsOf } from "../settings.ts";
import { type ActivityWish, activityOf } from "./activity-view.ts";
import { aroundRequest, type Explained } from "./around-request.ts";
import type { AuditFilter } from "./audit-notes.ts";
import type { CellFilter, KeyFilter } from "./cells.ts";
import { costsOf } from "./costs-view.ts";
import { currentFleet, type Fleet } from "./fleet.ts";
import { KeyNews } from "./key-news.ts";
import { KeyViews, type UsedKeys, usedKeysOf, type WatchedOfKey } from "./key-views.ts";
import { explainPeriod, type PeriodWish } from "./period-view.ts";
import { type AggregatorStores, openStores } from "./stores.ts";
import type { Watched } from "./views.ts";
import { Wakes } from "./wakes.ts";

export class AggregatorReads extends DurableObject<Bindings> {
  protected readonly stores: AggregatorStores;
  protected readonly wakes: Wakes;
  protected readonly news: KeyNews;
  /** The settings that the owner can change while this runs. A field: nobody calls it from outside. */
  protected readonly inForce = (): Pick<Settings, "enableInstrumentation" | "logContent"> =>
    inForce(settingsOf(this.env), this.stores.settings.get());
  readonly #views: KeyViews;

  constructor(ctx: DurableObjectState, env: Bindings) {
    super(ctx, env);
    const nowMs = Date.now();
    this.stores = openStores(ctx.storage, settingsOf(env), nowMs);
    this.#views = new KeyViews(this.stores);
    this.wakes = new Wakes(ctx, this.stores, settingsOf(env), nowMs);
    ctx.blockConcurrencyWhile(() => this.wakes.resume());
    this.news = new KeyNews(ctx, env, this.stores);
  }

  around(entry: Explained): Around {
    return aroundRequest(this.stores, entry);
  }

  usesOf(ids: readonly string[]): Record<string, CallUse> {
    return this.news.uses.of(ids);
  }

  plan(query: PlanQuery): Plan | null {
    return this.#views.plan(query);
  }

  registry(): RegisteredBox[] {
    return this.stores.registry.boxes();
  }

  boxNames(): string[] {
    return this.stores.registry.boxes().map(({ name }) => name);
  }

  fleet(knownKeys: number | null = null): Fleet {
    return currentFleet(this.stores, knownKeys, Date.now());
  }

  audit(filter: AuditFilter): AuditPage {
    return this.stores.audit.page(filter, Date.now());
  }

  usedKeys(): UsedKeys {
    return usedKeysOf(this.stores);
  }

  current(key?: string): Promise<CurrentStats> {
    return this.#views.currentOf(key);
  }

  history(span: Span, filter: KeyFilter): Promise<HistoryPoint[]> {
    return this.#views.historyOf(span, filter);
  }

  activity(span: Span, wish: ActivityWish): Promise<Counted> {
    return activityOf(this.stores, span, wish);
  }

  explainPeriod(wish: PeriodWish): Promise<PeriodExplanation> {
    return explainPeriod(this.stores, wish, Date.now());
  }

  logs(page: LogsPage): Promise<Logs> {
    return this.#views.logs(page);
  }

  facets(query: LogFacetsQuery): Promise<LogFacets> {
    return this.#views.facets(query);
  }

  olderLogs(): { clearedMs: number | null } | null {
    return this.#views.olderLogs();
  }

  metricsClearedMs(): number | null {
    return this.stores.epochs.clearedMs("metrics");
  }

  countedSince(): number {
    return Math.max(this.stores.createdAtMs, this.metricsClearedMs() ?? 0);
  }

  models(key?: string): Models {
    return this.#views.modelsOf(key);
  }

  bench(filter: CellFilter, limit: number): Bench {
    return this.stores.benchRuns.newest(filter, limit);
  }

  gpu(box?: string): Gpu {
    return this.#views.gpu(box);
  }

  boxes(box?: string): Boxes {
    return this.#views.boxes(box);
  }

  /** The present, in one call: the page reads it every few seconds. */
  watched(): Watched {
    return { ...this.#views.watched(), observed: this.observed() };
  }

  watchedOfKey(key: string): Promise<WatchedOfKey> {
    return this.#views.watchedOf(key);
  }

  system(box?: string): System {
    return this.#views.system(box);
  }

  systemHistory(span: Span, box?: string): Promise<SystemPoint[]> {
    return this.#views.systemHistory(span, box);
  }

  gpuHistory(span: Span, box?: string): Promise<Omit<GpuHistory, "time_range" | "store">> {
    return this.#views.gpuHistory(span, box);
  }

  /** Shows the newest readings. Makes no agent send fresh ones: a scrape is no person. */
  exposition(openMetrics: boolean): string {
    return this.#views.exposition(openMetrics);
  }

  settings(): RunTimeSettings {
    return this.stores.settings.get();
  }

  costs(query: CostsQuery): Promise<Costs | { invalid: string }> {
    return costsOf(this.stores, query);
  }

  thresholds(): ThresholdsState {
    return thresholdsState(this.stores.thresholds.all());
  }

  tariff(): TariffState {
    return this.#views.tariff();
  }

  dataSummary(): DataSummary {
    return this.#views.dataSummary(this.ctx.storage.sql.databaseSize);
  }

  events(query: EventsQuery): Events {
    return this.stores.events.list(query, Date.now());
  }

  observed(): Watched["observed"] {
    return { isRecording: this.inForce().enableInstrumentation, ...this.#views.observed() };
  }
}

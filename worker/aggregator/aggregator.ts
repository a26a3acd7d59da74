/**
 * The Aggregator: one Durable Object that knows what all boxes did. SQLite is its only truth.
 *
 * It is off the byte path: it receives one record per request, in batches, and answers the page, the API
 * and Prometheus. `stores.ts` holds what it keeps, `views.ts` what it answers, `wakes.ts` its alarm.
 */
import { DurableObject } from "cloudflare:workers";
import type { AuditPage } from "../../protocol/api/audit.ts";
import type { ConfigPatch } from "../../protocol/api/config.ts";
import type { Events, EventsQuery } from "../../protocol/api/events.ts";
import type { Logs, LogsPage } from "../../protocol/api/logs.ts";
import type * as Api from "../../protocol/api/repository.ts";
import type { Hello } from "../../protocol/messages.ts";
import type { ReportedRecord, RequestRecord } from "../../protocol/records.ts";
import type { Span } from "../answers/history.ts";
import type { Bindings } from "../env.ts";
import type { RegisteredBox } from "../registered-box.ts";
import type { RepositoryResult } from "../repository/model-repository.ts";
import type { ModelEdit } from "../repository/stored.ts";
import { inForce, type RunTimeSettings, type Settings, settingsOf } from "../settings.ts";
import { type AuditFilter, type AuditNote, noteAudit } from "./audit-notes.ts";
import { takeGone, takeReadings } from "./box-reports.ts";
import type { CellFilter, KeyFilter } from "./cells.ts";
import { changePins, type PinsChange, type PinsChanged } from "./changing-pins.ts";
import { type TargetsAnswer, type TargetsWish, withTargets } from "./changing-targets.ts";
import { changeTariff } from "./changing-tariff.ts";
import { clearData } from "./clearing.ts";
import { type BoxSettings, connectedBox } from "./connected-box.ts";
import { costsOf } from "./costs-view.ts";
import { currentFleet, type Fleet } from "./fleet.ts";
import { completeRecord, ingestRecords, takeReport } from "./ingesting.ts";
import type { JoiningChange, JoiningChanged } from "./joined-boxes.ts";
import { KeyNews } from "./key-news.ts";
import { KeyViews, type UsedKeys, usedKeysOf, type WatchedOfKey } from "./key-views.ts";
import { type Listed, type ListWish, listed } from "./listing.ts";
import { type AggregatorStores, openStores } from "./stores.ts";
import type { Watched } from "./views.ts";
import { Wakes } from "./wakes.ts";

export class Aggregator extends DurableObject<Bindings> {
  readonly #stores: AggregatorStores;
  readonly #views: KeyViews;
  readonly #wakes: Wakes;
  readonly #news: KeyNews;

  constructor(ctx: DurableObjectState, env: Bindings) {
    super(ctx, env);
    const nowMs = Date.now();
    this.#stores = openStores(ctx.storage, settingsOf(env), nowMs);
    this.#views = new KeyViews(this.#stores);
    this.#wakes = new Wakes(ctx, this.#stores, settingsOf(env).stores.exportIntervalMs);
    ctx.blockConcurrencyWhile(() => this.#wakes.resume(nowMs));
    this.#news = new KeyNews(ctx, env, this.#stores);
  }

  override alarm(): Promise<void> {
    return this.#wakes.alarm();
  }

  ingest(records: RequestRecord[], isReported = false): Promise<{ counted: number }> {
    const parts = { stores: this.#stores, wakes: this.#wakes, uses: this.#news.uses };
    return ingestRecords(parts, this.#inForce(), records, isReported);
  }

  usesOf(ids: readonly string[]): ReturnType<KeyNews["uses"]["of"]> {
    return this.#news.uses.of(ids);
  }

  report(box: string, reported: ReportedRecord[], malformed: number): Promise<void> {
    const ingest = (records: RequestRecord[]) => this.ingest(records, true);
    return takeReport(this.#stores, ingest, { box, reported, malformed });
  }

  complete(record: RequestRecord): Promise<void> {
    return completeRecord(this.#stores, this.#wakes, record, (records) => this.ingest(records));
  }

  moved(id: string, moves: Parameters<AggregatorStores["moves"]["note"]>[1]): void {
    this.#stores.moves.note(id, moves, Date.now());
  }

  connected(hello: Hello): BoxSettings {
    return connectedBox(this.#stores, hello, this.#inForce());
  }

  changePins(change: PinsChange): PinsChanged {
    return changePins(this.#stores, change, this.#inForce(), Date.now());
  }

  draining(box: string): void {
    this.#stores.registry.draining(box, Date.now());
  }

  gone(box: string, atMs: number = Date.now()): void {
    takeGone(this.#stores, box, atMs);
  }

  forgetBox(box: string): void {
    this.#stores.forgetBox(box);
  }

  read(box: string, readings: Parameters<typeof takeReadings>[3]): Promise<void> {
    return takeReadings(this.#stores, this.#wakes, box, readings);
  }

  list(wish: ListWish): Promise<Listed> {
    return listed(this.#stores, wish, (record) => this.ingest([record]));
  }

  plan(query: Parameters<KeyViews["plan"]>[0]): ReturnType<KeyViews["plan"]> {
    return this.#views.plan(query);
  }

  registry(): RegisteredBox[] {
    return this.#stores.registry.boxes();
  }

  boxNames(): string[] {
    return this.#stores.registry.boxes().map(({ name }) => name);
  }

  fleet(knownKeys: number | null = null): Fleet {
    return currentFleet(this.#stores, knownKeys, Date.now());
  }

  changeKeys(change: Parameters<KeyNews["change"]>[0]): ReturnType<KeyNews["change"]> {
    return this.#news.change(change);
  }

  changeJoining(change: JoiningChange): JoiningChanged {
    return this.#stores.joined.change(change, Date.now());
  }

  noteAudit(note: AuditNote): Promise<void> {
    return noteAudit(this.#stores, this.#wakes, note);
  }

  audit(filter: AuditFilter): AuditPage {
    return this.#stores.audit.page(filter, Date.now());
  }

  usedKeys(): UsedKeys {
    return usedKeysOf(this.#stores);
  }

  repositoryList(query: Api.RepositoryQuery): Promise<Api.RepositoryModels> {
    return this.#flushingAfter(this.#stores.repository.list(query));
  }

  repositoryFind(name: string): Promise<RepositoryResult<Api.RepositoryEntry>> {
    return this.#flushingAfter(this.#stores.repository.find(name));
  }

  repositoryPut(name: string, edit: ModelEdit): Promise<RepositoryResult<Api.RepositoryEntry>> {
    return this.#flushingAfter(this.#stores.repository.put(name, edit));
  }

  repositoryChange(name: string, edit: ModelEdit): Promise<RepositoryResult<Api.RepositoryEntry>> {
    return this.#flushingAfter(this.#stores.repository.change(name, edit));
  }

  repositoryToggleFavorite(name: string): Promise<RepositoryResult<Api.RepositoryEntry>> {
    return this.#flushingAfter(this.#stores.repository.toggleFavorite(name));
  }

  repositoryRemove(name: string): Promise<RepositoryResult<string>> {
    return this.#flushingAfter(this.#stores.repository.remove(name));
  }

  repositorySync(): Promise<RepositoryResult<Api.RepositorySync>> {
    return this.#flushingAfter(this.#stores.repository.sync());
  }

  current(key?: string): ReturnType<KeyViews["currentOf"]> {
    return this.#views.currentOf(key);
  }

  history(span: Span, filter: KeyFilter): ReturnType<KeyViews["historyOf"]> {
    return this.#views.historyOf(span, filter);
  }

  logs(page: LogsPage): Promise<Logs> {
    return this.#views.logs(page);
  }

  olderLogs(): { clearedMs: number | null } | null {
    return this.#views.olderLogs();
  }

  metricsClearedMs(): number | null {
    return this.#stores.epochs.clearedMs("metrics");
  }

  countedSince(): number {
    return Math.max(this.#stores.createdAtMs, this.metricsClearedMs() ?? 0);
  }

  models(key?: string): ReturnType<KeyViews["modelsOf"]> {
    return this.#views.modelsOf(key);
  }

  addBench(run: Parameters<AggregatorStores["benchRuns"]["add"]>[0]): void {
    this.#stores.benchRuns.add(run);
  }

  bench(filter: CellFilter, limit: number): ReturnType<AggregatorStores["benchRuns"]["newest"]> {
    return this.#stores.benchRuns.newest(filter, limit);
  }

  gpu(box?: string): ReturnType<KeyViews["gpu"]> {
    return this.#views.gpu(box);
  }

  boxes(box?: string): ReturnType<KeyViews["boxes"]> {
    return this.#views.boxes(box);
  }

  /** The present, in one call: the page reads it every few seconds. */
  watched(): Watched {
    return { ...this.#views.watched(), observed: this.observed() };
  }

  watchedOfKey(key: string): Promise<WatchedOfKey> {
    return this.#views.watchedOf(key);
  }

  system(box?: string): ReturnType<KeyViews["system"]> {
    return this.#views.system(box);
  }

  systemHistory(span: Span, box?: string): ReturnType<KeyViews["systemHistory"]> {
    return this.#views.systemHistory(span, box);
  }

  gpuHistory(span: Span, box?: string): ReturnType<KeyViews["gpuHistory"]> {
    return this.#views.gpuHistory(span, box);
  }

  /** Shows the newest readings. Makes no agent send fresh ones: a scrape is no person. */
  exposition(openMetrics: boolean): string {
    return this.#views.exposition(openMetrics);
  }

  settings(): RunTimeSettings {
    return this.#stores.settings.get();
  }

  patchSettings(patch: ConfigPatch): Promise<RunTimeSettings> {
    const changed = this.#stores.settings.patch(patch, Date.now());
    return this.#wakes.eraseSoon(Date.now()).then(() => changed);
  }

  costs(query: Parameters<typeof costsOf>[1]): ReturnType<typeof costsOf> {
    return costsOf(this.#stores, query);
  }

  tariff(): ReturnType<KeyViews["tariff"]> {
    return this.#views.tariff();
  }

  putTariff(
    tariff: Parameters<typeof changeTariff>[1],
    names: readonly string[],
  ): ReturnType<typeof changeTariff> {
    return changeTariff(this.#stores, tariff, names);
  }

  erase(): Promise<void> {
    return this.#stores.erasure.run();
  }

  dataSummary(): ReturnType<KeyViews["dataSummary"]> {
    return this.#views.dataSummary(this.ctx.storage.sql.databaseSize);
  }

  clear(type: Parameters<typeof clearData>[3]): ReturnType<typeof clearData> {
    return clearData(this.ctx.storage, this.#stores, this.#wakes, type);
  }

  events(query: EventsQuery): Events {
    return this.#stores.events.list(query, Date.now());
  }

  targets(wish: TargetsWish): Promise<TargetsAnswer> {
    return withTargets(this.#stores.notifier, wish);
  }

  observed(): Watched["observed"] {
    return { isRecording: this.#inForce().enableInstrumentation, ...this.#views.stores() };
  }

  #inForce(): Pick<Settings, "enableInstrumentation" | "logContent"> {
    return inForce(settingsOf(this.env), this.#stores.settings.get());
  }

  /** Schedules what a use of the model repository left unsent or failed to send. */
  #flushingAfter<Answer>(answering: Promise<Answer>): Promise<Answer> {
    return answering.finally(() => this.#wakes.flushWhenDue(Date.now()));
  }
}

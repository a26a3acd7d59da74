/**
 * The Aggregator: one Durable Object that knows what all boxes did. SQLite is its only truth.
 *
 * It is off the byte path: it receives one record per request, in batches, and answers the page, the API
 * and Prometheus. Here is what it takes in and does; `aggregator-reads.ts` is what it answers.
 */

import type { ConfigPatch } from "../../protocol/api/config.ts";
import type { Cleared } from "../../protocol/api/data.ts";
import type * as Api from "../../protocol/api/repository.ts";
import type { BenchRun } from "../../protocol/bench.ts";
import type { Readings } from "../../protocol/inventory.ts";
import type { Hello } from "../../protocol/messages.ts";
import type { Move } from "../../protocol/moves.ts";
import type { ReportedRecord, RequestRecord } from "../../protocol/records.ts";
import type { Tariff } from "../../protocol/tariff.ts";
import type { ThresholdRule } from "../../protocol/thresholds.ts";
import type { TariffRefusal } from "../answers/tariff.ts";
import type { RepositoryResult } from "../repository/model-repository.ts";
import type { ModelEdit } from "../repository/stored.ts";
import { servedAgent } from "../served-agent.ts";
import type { RunTimeSettings } from "../settings.ts";
import { AggregatorReads } from "./aggregator-reads.ts";
import { type AuditNote, noteAudit } from "./audit-notes.ts";
import { type AuditedWish, auditedChange, type ChangingCall } from "./audited-change.ts";
import { takeGone, takeReadings } from "./box-reports.ts";
import type { KeysChange, KeysChanged } from "./changing-keys.ts";
import { changePins, type PinsChange, type PinsChanged } from "./changing-pins.ts";
import { type TargetsAnswer, type TargetsWish, withTargets } from "./changing-targets.ts";
import { changeTariff } from "./changing-tariff.ts";
import { clearData } from "./clearing.ts";
import { type BoxSettings, connectedBox } from "./connected-box.ts";
import { completeRecord, ingestRecords, takeReport } from "./ingesting.ts";
import type { JoiningChange, JoiningChanged } from "./joined-boxes.ts";
import { type Listed, type ListWish, listed } from "./listing.ts";

export class Aggregator extends AggregatorReads {
  override alarm(): Promise<void> {
    return this.wakes.alarm();
  }

  ingest(records: RequestRecord[], isReported = false): Promise<{ counted: number }> {
    const parts = { stores: this.stores, wakes: this.wakes, uses: this.news.uses };
    return ingestRecords(parts, this.inForce(), records, isReported);
  }

  report(box: string, reported: ReportedRecord[], malformed: number): Promise<void> {
    const ingest = (records: RequestRecord[]) => this.ingest(records, true);
    return takeReport(this.stores, ingest, { box, reported, malformed });
  }

  complete(record: RequestRecord): Promise<void> {
    return completeRecord(this.stores, this.wakes, record, (records) => this.ingest(records));
  }

  moved(id: string, moves: readonly Move[]): void {
    this.stores.moves.note(id, moves, Date.now());
  }

  /** @param atMs  when its agent was welcomed, by the clock of its Box. An older Box omits it */
  connected(hello: Hello, atMs: number = Date.now()): BoxSettings {
    if (typeof hello.agent_sha256 === "string")
      this.ctx.waitUntil(this.stores.served.refresh(() => servedAgent(this.env)));
    return connectedBox(this.stores, { hello, atMs }, this.inForce());
  }

  changePins(change: PinsChange, call: ChangingCall = null): Promise<PinsChanged> {
    const make = () => changePins(this.stores, change, this.inForce(), Date.now());
    return this.#audited({ call, isRefused: ({ refusal }) => refusal !== null, make });
  }

  draining(box: string): void {
    this.stores.registry.draining(box, Date.now());
  }

  gone(box: string, atMs: number = Date.now()): void {
    takeGone(this.stores, box, atMs);
  }

  async forgetBox(box: string, call: ChangingCall = null): Promise<void> {
    await this.#audited({ call, make: () => this.stores.forgetBox(box) });
    // It may have been the only one from which anything arrives.
    this.stores.alerts.lookNow(Date.now());
  }

  read(box: string, readings: Readings): Promise<void> {
    return takeReadings(this.stores, this.wakes, box, readings);
  }

  list(wish: ListWish): Promise<Listed> {
    return listed(this.stores, wish, (record) => this.ingest([record]));
  }

  changeKeys(change: KeysChange, call: ChangingCall = null): Promise<KeysChanged> {
    const target = "newId" in change ? change.newId : null;
    const isRefused = ({ refusal }: KeysChanged) => refusal !== null;
    return this.news.change(change, (make) => this.#audited({ call, target, isRefused, make }));
  }

  changeJoining(change: JoiningChange, call: ChangingCall = null): Promise<JoiningChanged> {
    const target = change.act === "make" ? change.id : null;
    const isRefused = ({ refusal }: JoiningChanged) => refusal !== null;
    const make = () => this.stores.joined.change(change, Date.now());
    return this.#audited({ call, target, isRefused, make });
  }

  noteAudit(note: AuditNote): Promise<void> {
    return noteAudit(this.stores, this.wakes, note);
  }

  repositoryList(query: Api.RepositoryQuery): Promise<Api.RepositoryModels> {
    return this.#flushingAfter(this.stores.repository.list(query));
  }

  repositoryFind(name: string): Promise<RepositoryResult<Api.RepositoryEntry>> {
    return this.#flushingAfter(this.stores.repository.find(name));
  }

  repositoryPut(name: string, edit: ModelEdit): Promise<RepositoryResult<Api.RepositoryEntry>> {
    return this.#flushingAfter(this.stores.repository.put(name, edit));
  }

  repositoryChange(name: string, edit: ModelEdit): Promise<RepositoryResult<Api.RepositoryEntry>> {
    return this.#flushingAfter(this.stores.repository.change(name, edit));
  }

  repositoryToggleFavorite(name: string): Promise<RepositoryResult<Api.RepositoryEntry>> {
    return this.#flushingAfter(this.stores.repository.toggleFavorite(name));
  }

  repositoryRemove(name: string): Promise<RepositoryResult<string>> {
    return this.#flushingAfter(this.stores.repository.remove(name));
  }

  repositorySync(): Promise<RepositoryResult<Api.RepositorySync>> {
    return this.#flushingAfter(this.stores.repository.sync());
  }

  addBench(run: BenchRun): void {
    this.stores.benchRuns.add(run);
  }

  async patchSettings(patch: ConfigPatch, call: ChangingCall = null): Promise<RunTimeSettings> {
    const make = () => this.stores.settings.patch(patch, Date.now());
    const changed = await this.#audited({ call, make });
    await this.wakes.eraseSoon();
    return changed;
  }

  async putThresholds(rules: readonly ThresholdRule[], call: ChangingCall = null): Promise<void> {
    await this.#audited({ call, make: () => this.stores.thresholds.replace(rules) });
    this.stores.alerts.lookNow(Date.now());
  }

  putTariff(
    tariff: Tariff | null,
    names: readonly string[],
    call: ChangingCall = null,
  ): Promise<TariffRefusal | null> {
    const make = () => changeTariff(this.stores, tariff, names);
    return this.#audited({ call, isRefused: (refusal) => refusal !== null, make });
  }

  erase(): Promise<void> {
    return this.stores.erasure.run();
  }

  clear(type: Cleared["type"], call: ChangingCall = null): Promise<Cleared> {
    return clearData(this.ctx.storage, this.stores, this.wakes, { type, call });
  }

  targets(wish: TargetsWish, call: ChangingCall = null): Promise<TargetsAnswer> {
    const { notifier, alerts } = this.stores;
    return withTargets(notifier, wish, (change) => this.#audited({ call, ...change })).finally(() =>
      alerts.onChanged(),
    );
  }

  #audited<Result>(wish: AuditedWish<Result>): Promise<Result> {
    return auditedChange(this.ctx.storage, this.stores, this.wakes, wish);
  }

  /** Schedules what a use of the model repository left unsent or failed to send. */
  #flushingAfter<Answer>(answering: Promise<Answer>): Promise<Answer> {
    return answering.finally(() => this.wakes.flushWhenDue());
  }
}

/** The views: what the page, the API and Prometheus read, computed from the stores on demand. */
import type { DataSummary } from "../../protocol/api/data.ts";
import type { Boxes, Gpu } from "../../protocol/api/fleet.ts";
import type { Live as LivePage } from "../../protocol/api/live.ts";
import type { LogFacets, LogFacetsQuery } from "../../protocol/api/log-facets.ts";
import type { Logs, LogsPage } from "../../protocol/api/logs.ts";
import type { Plan, PlanQuery } from "../../protocol/api/planning.ts";
import type { CurrentStats, Models } from "../../protocol/api/stats.ts";
import type { GpuHistory, System, SystemPoint } from "../../protocol/api/system.ts";
import type { TariffState } from "../../protocol/api/tariff.ts";
import { withTag } from "../../protocol/inventory.ts";
import type { ThresholdCode } from "../../protocol/threshold-figures.ts";
import { timeOf } from "../../protocol/uuid-time.ts";
import { boxesState } from "../answers/boxes.ts";
import type { ObservedParts } from "../answers/concerns.ts";
import { dataSummary } from "../answers/data.ts";
import { isoOf } from "../answers/figures.ts";
import { GatheredGpuHistory } from "../answers/gpu-history.ts";
import { gpuState } from "../answers/gpus.ts";
import type { Span } from "../answers/history.ts";
import { planOf } from "../answers/plan.ts";
import { currentStats, modelStats, recentOf } from "../answers/stats.ts";
import { systemState } from "../answers/system.ts";
import { GatheredSystemHistory } from "../answers/system-history.ts";
import { tariffState } from "../answers/tariff.ts";
import { NO_MODEL } from "../counting/model-key.ts";
import { scrape } from "../exposition/scrape.ts";
import { render } from "../exposition/text.ts";
import { keyNameOf } from "../keys/names.ts";
import { type BoxStatuses, type RegisteredBox, statusOf, upNames } from "../registered-box.ts";
import { VERSION } from "../version.ts";
import { HOUR_SECONDS, MINUTE_SECONDS } from "./cells.ts";
import type { BoxSamples } from "./samples.ts";
import type { AggregatorStores } from "./stores.ts";

/** Window of the "recent" statistics, in minutes, including the current one. */
export const RECENT_MINUTES = 5;

/** The concerns that need figures of each model. */
const BY_MODEL: ReadonlySet<ThresholdCode> = new Set(["model_latency_high", "model_errors_high"]);

/** Returns the start of the first recent minute, unix seconds. */
export function recentFrom(nowMs: number): number {
  const now = Math.floor(nowMs / 1_000);
  return now - (now % MINUTE_SECONDS) - (RECENT_MINUTES - 1) * MINUTE_SECONDS;
}

/** Returns the largest model on the disk of a box; null if no size is known. */
function largestOf({
  name: box,
  readings,
}: RegisteredBox): ObservedParts["largest"][number] | null {
  let largest: ObservedParts["largest"][number] | null = null;
  for (const { name, size_bytes } of readings?.inventory.models ?? [])
    if (size_bytes !== null && size_bytes > (largest?.size_bytes ?? 0))
      largest = { box, name, size_bytes };
  return largest;
}

/** The present as the page shows it, and what else its health depends on. */
export type Watched = Pick<
  LivePage,
  "stats" | "recent" | "boxes" | "never_connected" | "in_flight"
> & {
  observed: ObservedParts;
  /** When this object's storage was created, unix ms: it has counted since then. */
  sinceMs: number;
};

export class Views {
  readonly #stores: AggregatorStores;

  constructor(stores: AggregatorStores) {
    this.#stores = stores;
  }

  current(): CurrentStats {
    const { createdAtMs, intake, cells, registry } = this.#stores;
    const nowMs = Date.now();
    const now = Math.floor(nowMs / 1_000);
    const from = now - (now % MINUTE_SECONDS) - HOUR_SECONDS;
    return currentStats({
      nowMs,
      sinceMs: createdAtMs,
      lifetime: intake.lifetime(),
      lastHour: [...cells.rollups(from, now + 1)],
      tokensPerSecond: intake.tokensPerSecond(nowMs),
      boxes: registry.boxes(),
      live: this.#statuses(nowMs),
    });
  }

  logs(page: LogsPage): Promise<Logs> {
    return this.#stores.ledger.page(page, this.#olderId());
  }

  async facets(query: LogFacetsQuery): Promise<LogFacets> {
    const { ledger, issuedKeys } = this.#stores;
    const { oldestMs, key, ...counts } = await ledger.reader.facets(query, Date.now());
    const nameOf = (id: string) => keyNameOf(id, (each) => issuedKeys.get(each));
    return {
      ...counts,
      oldest: oldestMs === null ? null : isoOf(oldestMs),
      key: key.map((each) => ({ ...each, name: nameOf(each.value) })),
    };
  }

  olderLogs(): { clearedMs: number | null } | null {
    return this.#olderId() === null ? null : { clearedMs: this.#stores.epochs.clearedMs("logs") };
  }

  models(): Models {
    const { intake, registry, tariffs } = this.#stores;
    return modelStats(intake.lifetime(), registry.boxes(), tariffs.currency());
  }

  gpu(box: string | undefined): Gpu {
    return gpuState(this.#boxes(box), Date.now());
  }

  boxes(box?: string): Boxes {
    const nowMs = Date.now();
    const { pins, memory, admissionOf, neverConnected, served } = this.#stores;
    return boxesState(this.#boxes(box), this.#statuses(nowMs), nowMs, {
      pinsOf: (name) => pins.of(name),
      measuredOf: (digest) => memory.of(digest),
      admissionOf,
      neverConnected: box === undefined ? neverConnected() : [],
      servedDigest: served.sha256,
    });
  }

  /** Returns null if no box has the model, and nothing is known about it. */
  plan({ model, context }: PlanQuery): Plan | null {
    const { registry, memory } = this.#stores;
    return planOf(
      registry.boxes(),
      model,
      context ?? null,
      (digest) => memory.of(digest),
      Date.now(),
    );
  }

  /** The present, in one call: the page reads it every few seconds. */
  watched(): Omit<Watched, "observed"> {
    const nowMs = Date.now();
    const now = Math.floor(nowMs / 1_000);
    const cells = this.#stores.cells.rollups(recentFrom(nowMs), now + 1);
    const recent = recentOf(RECENT_MINUTES, [...cells]);
    const listed = this.boxes();
    const boxes = listed.boxes.map(({ models: _, ...box }) => box);
    const { issuedKeys } = this.#stores;
    const open = this.#stores.listedRequests.of(upNames(this.#statuses(nowMs)), nowMs);
    const in_flight = open.map((request) => ({
      ...request,
      key_name: keyNameOf(request.key_id, (id) => issuedKeys.get(id)),
    }));
    return {
      stats: this.current(),
      recent,
      boxes,
      never_connected: listed.never_connected,
      in_flight,
      sinceMs: this.#stores.createdAtMs,
    };
  }

  tariff(): TariffState {
    const { tariffs, registry } = this.#stores;
    const names = registry.boxes().map(({ name }) => name);
    return tariffState(tariffs.all(), names, Date.now());
  }

  observed(): Omit<ObservedParts, "isRecording"> {
    const thresholds = this.#stores.thresholds.all();
    const { deliveries, sharedRepository, untrusted, registry, bypasses, recentCalls } =
      this.#stores;
    return {
      stores: deliveries.reports(),
      repositoryError: sharedRepository?.failure ?? null,
      untrusted: untrusted.all(),
      largest: registry.boxes().flatMap((box) => largestOf(box) ?? []),
      bypassed: bypasses.all(),
      damage: recentCalls.damage(Date.now()),
      thresholds,
      recentByModel: thresholds.some(({ code }) => BY_MODEL.has(code))
        ? this.#recentByModel(Date.now())
        : [],
    };
  }

  #recentByModel(nowMs: number): ObservedParts["recentByModel"] {
    const cells = this.#stores.cells.rollups(recentFrom(nowMs), Math.floor(nowMs / 1_000) + 1);
    const places = Map.groupBy(cells, ({ model, box }) => JSON.stringify([model, box]));
    return [...places.values()].flatMap((ofPlace) => {
      const [first] = ofPlace;
      if (first === undefined || first.box === "" || first.model === NO_MODEL) return [];
      const { box, model } = first;
      return { ...recentOf(RECENT_MINUTES, ofPlace), box, model: withTag(model) };
    });
  }

  system(box: string | undefined): System {
    const nowMs = Date.now();
    return systemState(this.#boxes(box), upNames(this.#statuses(nowMs)), nowMs);
  }

  async systemHistory(span: Span, box: string | undefined): Promise<SystemPoint[]> {
    const history = new GatheredSystemHistory(span);
    await this.#eachBatch(span.from * 1_000, box, (batch) => history.add(batch));
    return history.points();
  }

  async gpuHistory(
    span: Span,
    box: string | undefined,
  ): Promise<Omit<GpuHistory, "time_range" | "store">> {
    const history = new GatheredGpuHistory(span);
    await this.#eachBatch(span.from * 1_000, box, (batch) => history.add(batch));
    return history.columns();
  }

  /** Shows the newest readings. Makes no agent send fresh ones: a scrape is no person. */
  exposition(openMetrics: boolean): string {
    const nowMs = Date.now();
    const live = this.#statuses(nowMs);
    const lifetime = this.#stores.intake.lifetime();
    const sinks = this.#stores.deliveries.health();
    const boxes = this.#stores.registry.boxes();
    const untrusted = this.#stores.untrusted.all();
    return render(
      scrape({
        nowMs,
        version: VERSION,
        servedDigest: this.#stores.served.sha256,
        lifetime,
        boxes,
        live,
        sinks,
        untrusted,
        spent: this.#stores.registry.spent(),
        versions: this.#stores.tariffs.all(),
        keyCells: this.#stores.keyHours.allTime(),
        keys: this.#stores.issuedKeys.all(),
        concerns: this.#stores.alerts.now(nowMs),
      }),
      openMetrics,
    );
  }

  dataSummary(sizeBytes: number): DataSummary {
    const { ledger, cells, epochs, intake } = this.#stores;
    intake.checkpoint(Date.now());
    return dataSummary({
      logs: ledger.summary(),
      metrics: cells.summary(),
      sizeBytes,
      metricsClearedMs: epochs.clearedMs("metrics"),
      logsClearedMs: epochs.clearedMs("logs"),
    });
  }

  /**
   * Returns the newest request that may exist only in an external store, or null.
   * Requests from before the last clear are gone everywhere.
   */
  #olderId(): string | null {
    const { deliveries, ledger, epochs } = this.#stores;
    const id = deliveries.isNone ? null : ledger.forgottenTo();
    return id !== null && timeOf(id) > (epochs.clearedMs("logs") ?? 0) ? id : null;
  }

  /** Takes the stored samples, then those that wait for their batch. */
  async #eachBatch(
    fromMs: number,
    box: string | undefined,
    take: (batch: BoxSamples) => void,
  ): Promise<void> {
    const { samples, registry } = this.#stores;
    let slice = samples.slice(fromMs, box, null);
    for (;;) {
      slice.batches.forEach(take);
      if (slice.next === null) break;
      await scheduler.wait(0);
      slice = samples.slice(fromMs, box, slice.next);
    }
    // A batch that was stored meanwhile is the last one, and no longer waits.
    for (const batch of registry.pending(box)) take(batch);
  }

  #statuses(nowMs: number): BoxStatuses {
    return this.#stores.registry.boxes().map((box) => statusOf(box, nowMs));
  }

  #boxes(only: string | undefined): RegisteredBox[] {
    return this.#stores.registry.boxes().filter(({ name }) => only === undefined || name === only);
  }
}

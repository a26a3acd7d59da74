/**
 * The views of one key: what its calls did. Totals and whole hours come from the hours of the key, and
 * everything finer from the ledger, in slices: everybody's records wait for the object.
 */
import type { KeyUsage } from "../../protocol/api/keys.ts";
import type { Live } from "../../protocol/api/live.ts";
import type { CurrentStats, HistoryPoint, Models } from "../../protocol/api/stats.ts";
import { isoOrNull, rounded } from "../answers/figures.ts";
import { cellsOf, GatheredHistory, type Span } from "../answers/history.ts";
import { currentStats, type ModelCell, modelStats, recentOf } from "../answers/stats.ts";
import { type Cell, sumOf } from "../counting/cell.ts";
import { NO_MODEL, shortName } from "../counting/model-key.ts";
import { RECENT_SECONDS, RecentTokens } from "../counting/recent.ts";
import type { IssuedKey } from "../keys/policy.ts";
import { statusOf, upNames } from "../registered-box.ts";
import { HOUR_SECONDS, type KeyFilter } from "./cells.ts";
import { CountedCells } from "./counted-cells.ts";
import type { AggregatorStores } from "./stores.ts";
import { RECENT_MINUTES, Views } from "./views.ts";

const HOUR_MS = HOUR_SECONDS * 1_000;

/** The figures of a key among those of the present. */
export type WatchedOfKey = Pick<Live, "stats" | "recent">;

/** The keys that the edge made, and the usage of each key since counting began, by its id. */
export type UsedKeys = { keys: IssuedKey[]; usages: Record<string, KeyUsage> };

/** The views, of which some are those of one key if it is named. */
export class KeyViews extends Views {
  readonly #stores: AggregatorStores;
  readonly #cells: CountedCells;

  constructor(stores: AggregatorStores, pause = () => scheduler.wait(0)) {
    super(stores);
    this.#stores = stores;
    this.#cells = new CountedCells(stores, pause);
  }

  async currentOf(key: string | undefined): Promise<CurrentStats> {
    if (key === undefined) return this.current();
    const { createdAtMs, keyHours, registry, listedRequests } = this.#stores;
    const nowMs = Date.now();
    const lastHour: ModelCell[] = [];
    const recent = new RecentTokens();
    for await (const rows of this.#cells.finished(nowMs - HOUR_MS, nowMs, { key }))
      for (const row of rows) {
        if (row.finished_at_ms > nowMs - RECENT_SECONDS * 1_000)
          recent.add(row.finished_at_ms, row.completion_tokens ?? 0);
        for (const { cell } of cellsOf([row]))
          lastHour.push({ model: row.model === null ? NO_MODEL : shortName(row.model), cell });
      }
    const live = registry.boxes().map((box) => statusOf(box, nowMs));
    const open = listedRequests.of(upNames(live), nowMs).filter(({ key_id }) => key_id === key);
    return {
      ...currentStats({
        nowMs,
        sinceMs: createdAtMs,
        lifetime: keyHours.allTime(key),
        lastHour,
        tokensPerSecond: recent.rate(nowMs),
        boxes: registry.boxes(),
        live,
      }),
      in_flight: open.length,
      queue_depth: open.filter(({ is_queued }) => is_queued).length,
    };
  }

  async historyOf(span: Span, filter: KeyFilter): Promise<HistoryPoint[]> {
    const history = new GatheredHistory(span);
    const nowMs = Date.now();
    const { key } = filter;
    const slices =
      key === undefined ? this.#cells.all(span, filter) : this.#cells.byKey(span, filter);
    for await (const cells of slices) for (const cell of cells) history.add(cell);
    return history.points(nowMs);
  }

  modelsOf(key: string | undefined): Models {
    if (key === undefined) return this.models();
    const { keyHours, registry, tariffs } = this.#stores;
    return modelStats(keyHours.allTime(key), registry.boxes(), tariffs.currency());
  }

  async watchedOf(key: string): Promise<WatchedOfKey> {
    const nowMs = Date.now();
    const cells: { cell: Cell }[] = [];
    const fromMs = nowMs - (nowMs % 60_000) - (RECENT_MINUTES - 1) * 60_000;
    for await (const rows of this.#cells.finished(fromMs, nowMs, { key }))
      cells.push(...cellsOf(rows));
    return { stats: await this.currentOf(key), recent: recentOf(RECENT_MINUTES, cells) };
  }
}

const usageOf = (cell: Cell, currency: string | null): KeyUsage => ({
  requests: cell.total,
  errors: cell.requests.error,
  prompt_tokens: cell.promptTokens,
  completion_tokens: cell.completionTokens,
  energy_j: cell.energyRequests === 0 ? null : rounded(cell.energyJ),
  cost: currency === null || cell.spent.costJ === 0 ? null : cell.spent.cost,
  cost_currency: currency === null || cell.spent.costJ === 0 ? null : currency,
  last_used_at: isoOrNull(cell.lastUsedMs),
});

export function usedKeysOf({
  tariffs,
  keyHours,
  issuedKeys,
}: Pick<AggregatorStores, "tariffs" | "keyHours" | "issuedKeys">): UsedKeys {
  const currency = tariffs.currency();
  const byKey = Map.groupBy(keyHours.allTime(), ({ key }) => key);
  const usages = Object.fromEntries(
    Array.from(byKey, ([key, cells]) => [
      key,
      usageOf(sumOf(cells.map(({ cell }) => cell)), currency),
    ]),
  );
  return { keys: issuedKeys.all(), usages };
}

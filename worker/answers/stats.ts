/** `/api/stats/current` and `/api/models`, from cells and the registry. */
import type { Live as LivePage } from "../../protocol/api/live.ts";
import type { CurrentStats, ModelStats, Models } from "../../protocol/api/stats.ts";
import { type Cell, sumOf } from "../counting/cell.ts";
import { NO_MODEL, OTHER } from "../counting/model-key.ts";
import { totalOf } from "../counting/total.ts";
import {
  type BoxStatuses,
  isInstalledOn,
  isLoadedOn,
  type RegisteredBox,
} from "../registered-box.ts";
import { isoOf, isoOrNull, percentilesOf, rounded, roundedOrNull } from "./figures.ts";

export type ModelCell = { model: string; cell: Cell };

/** Sums the cells of each model over all boxes. The model with the most requests comes first. */
export function byModel(cells: Iterable<ModelCell>): ModelCell[] {
  const lists = Map.groupBy(cells, ({ model }) => model);
  const sums = [...lists].map(([model, list]) => ({
    model,
    cell: sumOf(list.map(({ cell }) => cell)),
  }));
  return sums.sort((a, b) => b.cell.total - a.cell.total || (a.model < b.model ? -1 : 1));
}

export type CurrentParts = {
  nowMs: number;
  sinceMs: number;
  lifetime: readonly ModelCell[];
  /** Rollups of the last hour. */
  lastHour: readonly ModelCell[];
  /** Completion tokens per second over the last minute. */
  tokensPerSecond: number;
  boxes: readonly RegisteredBox[];
  live: BoxStatuses;
};

export function currentStats({
  nowMs,
  sinceMs,
  lifetime,
  lastHour,
  tokensPerSecond,
  boxes,
  live,
}: CurrentParts): CurrentStats {
  const all = sumOf(lifetime.map(({ cell }) => cell));
  const hour = byModel(lastHour);
  return {
    total_requests: all.total,
    total_tokens: all.completionTokens,
    total_errors: all.requests.error,
    avg_latency_ms: roundedOrNull(all.meanLatencyMs),
    models_in_use: hour
      .filter(({ model, cell }) => cell.hasInference && model !== NO_MODEL && model !== OTHER)
      .map(({ model }) => model),
    uptime_seconds: Math.floor((nowMs - sinceMs) / 1_000),
    total_prompt_tokens: all.promptTokens,
    total_cancelled: all.requests.cancelled,
    total_resumes: all.resumes,
    tokens_per_second: rounded(tokensPerSecond),
    error_rate: all.errorRate,
    queue_depth: queueDepthOf(live),
    in_flight: totalOf(live.map((box) => box.in_flight ?? 0)),
    ...percentilesOf(sumOf(hour.map(({ cell }) => cell))),
    boxes: { up: live.filter(({ up }) => up).length, total: live.length },
    simulated: boxes.some(({ hello }) => hello.simulated),
    timestamp: isoOf(nowMs),
  };
}

/** Returns how many requests wait on all boxes; null if it is unknown of each. */
export function queueDepthOf(live: BoxStatuses): number | null {
  const depths = live.map((box) => box.queue_depth).filter((depth) => depth !== null);
  return depths.length === 0 ? null : totalOf(depths);
}

/** Sums the cells of the last minutes over all models and boxes. */
export function recentOf(minutes: number, cells: readonly { cell: Cell }[]): LivePage["recent"] {
  const all = sumOf(cells.map(({ cell }) => cell));
  const { latency_p95_ms } = percentilesOf(all);
  return {
    minutes,
    requests: all.total,
    errors: all.requests.error,
    error_rate: all.errorRate,
    latency_p95_ms,
  };
}

const MILLION = 1e6;

/** Returns the cost of the requests of a cell, as far as it is known. */
export function costOf(
  { spent }: Cell,
  currency: string | null,
): Pick<ModelStats, "cost" | "cost_currency" | "cost_per_million_output"> {
  if (currency === null || spent.costJ === 0)
    return { cost: null, cost_currency: null, cost_per_million_output: null };
  const { cost, completionCost, pricedCompletionTokens: tokens } = spent;
  return {
    cost,
    cost_currency: currency,
    cost_per_million_output: tokens === 0 ? null : (completionCost / tokens) * MILLION,
  };
}

/** Returns the requested models, most used first. Leaves out requests without a model. */
export function modelStats(
  lifetime: readonly ModelCell[],
  boxes: readonly RegisteredBox[],
  currency: string | null,
): Models {
  const up = boxes.filter(({ state }) => state !== "down");
  const models = byModel(lifetime)
    .filter(({ model }) => model !== NO_MODEL)
    .map(
      ({ model, cell }): ModelStats => ({
        name: model,
        total_requests: cell.total,
        total_tokens: cell.completionTokens,
        avg_latency_ms: roundedOrNull(cell.meanLatencyMs),
        tokens_per_second: roundedOrNull(cell.decodeRate),
        error_rate: cell.errorRate,
        total_prompt_tokens: cell.promptTokens,
        total_errors: cell.requests.error,
        last_used: isoOrNull(cell.lastUsedMs),
        ...percentilesOf(cell),
        energy_j: cell.energyRequests === 0 ? null : rounded(cell.energyJ),
        energy_requests: cell.energyRequests,
        energy_j_per_1k_tokens: roundedOrNull(cell.energyPerThousandTokensJ),
        ...costOf(cell, currency),
        loaded_on: up.filter((box) => isLoadedOn(box, model)).map(({ name }) => name),
        installed_on: up.filter((box) => isInstalledOn(box, model)).map(({ name }) => name),
      }),
    );
  return { models };
}

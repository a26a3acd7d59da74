/**
 * Shows the model repository: stored preferences, the models on the boxes, and the counts of the
 * ledger. Pure.
 */
import type {
  RepositoryModel,
  RepositoryModels,
  RepositoryQuery,
} from "../../protocol/api/repository.ts";
import { isoOf, isoOrNull } from "../answers/figures.ts";
import type { KeyedCell } from "../counting/cell.ts";
import { totalOf } from "../counting/total.ts";
import { installedByName } from "../models/installed.ts";
import type { RegisteredBox } from "../registered-box.ts";
import type { StoredModel } from "./stored.ts";

export function repositoryModels(
  stored: readonly StoredModel[],
  boxes: readonly RegisteredBox[],
  lifetime: readonly KeyedCell[],
): RepositoryModel[] {
  const installed = installedByName(boxes);
  const cells = Map.groupBy(lifetime, ({ model }) => model);
  return stored.map(({ installed_at_ms, created_at_ms, updated_at_ms, ...entry }) => {
    const onDisk = installed.get(entry.model_name);
    const used = (cells.get(entry.model_name) ?? []).map(({ cell }) => cell);
    return {
      ...entry,
      size_bytes: onDisk?.sizeBytes ?? null,
      is_installed: onDisk !== undefined,
      usage_count: totalOf(used.map(({ latency }) => latency.count)),
      total_tokens_generated: totalOf(used.map(({ completionTokens }) => completionTokens)),
      last_used_at: isoOrNull(Math.max(0, ...used.map(({ lastUsedMs }) => lastUsedMs))),
      installed_at: installed_at_ms === null ? null : isoOf(installed_at_ms),
      created_at: isoOf(created_at_ms),
      updated_at: isoOf(updated_at_ms),
      installed_on: onDisk?.boxes ?? [],
    };
  });
}

/** Filters and sorts the models: the default first, then favourites, then the most used. */
export function repositoryAnswer(
  all: readonly RepositoryModel[],
  query: RepositoryQuery,
): Omit<RepositoryModels, "store" | "problem"> {
  const { category, favorites_only, installed_only } = query;
  const models = all
    .filter((model) => category === undefined || model.category === category)
    .filter((model) => favorites_only !== true || model.is_favorite)
    .filter((model) => installed_only !== true || model.is_installed)
    .sort(
      (a, b) =>
        Number(b.is_default) - Number(a.is_default) ||
        Number(b.is_favorite) - Number(a.is_favorite) ||
        b.usage_count - a.usage_count ||
        (a.model_name < b.model_name ? -1 : 1),
    );
  return {
    models,
    total: models.length,
    favorites_count: models.filter(({ is_favorite }) => is_favorite).length,
    installed_count: models.filter(({ is_installed }) => is_installed).length,
  };
}

/** The library: the catalogue and the repository as one searchable list. Pure. */
import type { LibraryModel } from "../../protocol/api/ollama.ts";
import type { RepositoryModel } from "../../protocol/api/repository.ts";
import { totalOf } from "../counting/total.ts";
import { CATALOGUE, type CatalogueModel, familyOf } from "./catalogue.ts";
import type { Installed } from "./installed.ts";

/** Merges both. A field that is set in the repository wins; the others come from the catalogue. */
export function libraryModels(
  repository: readonly RepositoryModel[],
  installed: ReadonlyMap<string, Installed>,
): LibraryModel[] {
  const known = new Map(repository.map((model) => [model.model_name, model]));
  const catalogued = CATALOGUE.filter(({ name }) => !known.has(name)).map((model) =>
    fromCatalogue(model, installed),
  );
  return [
    ...repository.map((model) => fromRepository(model, familyOf(model.model_name))),
    ...catalogued,
  ];
}

const fromCatalogue = (
  model: CatalogueModel,
  installed: ReadonlyMap<string, Installed>,
): LibraryModel => ({
  name: model.name,
  description: model.description,
  size: model.size,
  display_name: null,
  category: model.category,
  parameter_sizes: model.parameterSizes,
  source: "catalogue",
  is_favorite: false,
  is_default: false,
  installed_on: installed.get(model.name)?.boxes ?? [],
});

const fromRepository = (model: RepositoryModel, family: CatalogueModel | null): LibraryModel => ({
  name: model.model_name,
  description: model.description ?? family?.description ?? null,
  size:
    model.size_label ??
    (family?.name === model.model_name ? family.size : null) ??
    sizeLabel(model.size_bytes),
  display_name: model.display_name,
  category: model.category,
  parameter_sizes: family?.parameterSizes ?? [],
  source: "repository",
  is_favorite: model.is_favorite,
  is_default: model.is_default,
  installed_on: model.installed_on,
});

/** Formats a size in decimal units, as Ollama's library does. */
export function sizeLabel(bytes: number | null): string | null {
  if (bytes === null) return null;
  return bytes < 1e9
    ? `${Math.round(bytes / 1e6)} MB`
    : `${bytes < 1e10 ? (bytes / 1e9).toFixed(1) : Math.round(bytes / 1e9)} GB`;
}

/** Ranks where a word occurs in a model, 0 best. Null if it does not occur. */
function rankOf(word: string, model: LibraryModel): number | null {
  const name = model.name.toLowerCase();
  const lower = (text: string | null) => text?.toLowerCase() ?? "";
  if (name === word) return 0;
  if (name.startsWith(word)) return 1;
  if (name.includes(word)) return 2;
  if (lower(model.display_name).includes(word)) return 3;
  if (model.category.toLowerCase() === word || model.parameter_sizes.includes(word)) return 4;
  return lower(model.description).includes(word) ? 5 : null;
}

/**
 * Returns the models that contain every word of the query, best first. Ties: favourites, then
 * installed models.
 */
export function searchLibrary(
  models: readonly LibraryModel[],
  query: string,
  category?: string,
): LibraryModel[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  return models
    .filter((model) => category === undefined || model.category === category)
    .map((model) => ({ model, ranks: words.map((word) => rankOf(word, model)) }))
    .flatMap(({ model, ranks }) => {
      const found = ranks.filter((rank) => rank !== null);
      return found.length < words.length ? [] : [{ model, rank: totalOf(found) }];
    })
    .sort(
      (a, b) =>
        a.rank - b.rank ||
        Number(b.model.is_favorite) - Number(a.model.is_favorite) ||
        Number(b.model.installed_on.length > 0) - Number(a.model.installed_on.length > 0),
    )
    .map(({ model }) => model);
}

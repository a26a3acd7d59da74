/**
 * Under which name a request is counted.
 *
 * Callers can invent model names, and each name is a series that lives for ever: so a name counts
 * as itself only when a box has the model, and only so many names do.
 */
import { withTag } from "../../protocol/inventory.ts";
import { hasModel, type RegisteredBox } from "../registered-box.ts";

/** A request that names no model. */
export const NO_MODEL = "";
/** Names that no box has, and those beyond {@link MODELS_MAX}. */
export const OTHER = "other";
/** Distinct names that are counted as themselves. The exposition stays under about 100,000 lines. */
export const MODELS_MAX = 1_000;

const DEFAULT_TAG = ":latest";

/** One name per model, as people write it: Ollama's default tag is left out. */
export const shortName = (model: string): string => {
  const tagged = withTag(model);
  return tagged.endsWith(DEFAULT_TAG) ? tagged.slice(0, -DEFAULT_TAG.length) : tagged;
};

/** The names under which records may hold a model: as callers write it. */
export const spellingsOf = (model: string): string[] => [
  ...new Set([model, shortName(model), `${shortName(model)}${DEFAULT_TAG}`]),
];

/**
 * @param known  Names that were counted as themselves before: a model that was deleted keeps its name.
 * @param boxes  Whose inventories are asked for the others.
 */
export function modelKey(
  model: string | null,
  known: ReadonlySet<string>,
  boxes: readonly RegisteredBox[],
): string {
  if (model === null || model === "") return NO_MODEL;
  const name = shortName(model);
  if (known.has(name)) return name;
  return known.size < MODELS_MAX && boxes.some((box) => hasModel(box, model)) ? name : OTHER;
}

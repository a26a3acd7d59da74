/**
 * The name under which a request is counted.
 *
 * Callers can invent model names, and each name is a series that never goes away. So a name counts as
 * itself only if a box has the model, and only up to {@link MODELS_MAX} names do.
 */
import { withTag } from "../../protocol/inventory.ts";
import { hasModel, type RegisteredBox } from "../registered-box.ts";

/** The key of requests without a model. */
export const NO_MODEL = "";
/** The key of models that no box has, and of those beyond {@link MODELS_MAX}. */
export const OTHER = "other";
/** Distinct names that count as themselves. It keeps the exposition below about 100,000 lines. */
export const MODELS_MAX = 1_000;

const DEFAULT_TAG = ":latest";

/** Returns the one name of a model that people use: without Ollama's default tag. */
export const shortName = (model: string): string => {
  const tagged = withTag(model);
  return tagged.endsWith(DEFAULT_TAG) ? tagged.slice(0, -DEFAULT_TAG.length) : tagged;
};

/** Returns all names that callers, and therefore records, can use for a model. */
export const spellingsOf = (model: string): string[] => [
  ...new Set([model, shortName(model), `${shortName(model)}${DEFAULT_TAG}`]),
];

/**
 * @param known  names that already count as themselves: a deleted model keeps its name
 * @param boxes  boxes whose inventories decide about other names
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

/**
 * Ollama's own lists of several boxes, as if they were one Ollama. Pure.
 *
 * The entries are those that each Ollama sent, so they have every field of its version. A model that
 * several boxes have is one entry, which is that of one box as a whole: a mixture of two builds would
 * describe none.
 */
import * as z from "zod";
import type { KeyPolicy } from "../../protocol/api/keys.ts";
import { type InstalledModel, type LoadedModel, withTag } from "../../protocol/inventory.ts";
import { ONLY_HOLDER_MS } from "../../protocol/limits.ts";
import { mayUseBox, mayUseModel } from "../keys/policy.ts";
import { freshLoaded, type RegisteredBox } from "../registered-box.ts";

/**
 * The models of a box that is away stay listed for this long: a machine restarts within it. Until
 * then a call for one of them waits for the box, or is refused with the time to try again.
 */
export const LISTED_AWAY_MS = 5 * 60_000;

/** @param boxes  the names of those that contributed */
export type Union = { body: string; contentType: string; boxes: string[]; isSimulated: boolean };

type Value = string | number | object | null;
type Merge = (boxes: readonly RegisteredBox[], nowMs: number) => Value | null;

const NATIVE = "application/json; charset=utf-8";
/** Ollama ends the answers of its OpenAI API with a newline. */
const OPENAI = "application/json";

const UNIONS: Record<string, { contentType: string; end: string; merge: Merge }> = {
  "/api/tags": { contentType: NATIVE, end: "", merge: (boxes) => ({ models: tagsOf(boxes) }) },
  "/api/ps": {
    contentType: NATIVE,
    end: "",
    merge: (boxes, nowMs) => ({ models: runningOf(boxes, nowMs) }),
  },
  "/api/version": { contentType: NATIVE, end: "", merge: (boxes) => versionOf(boxes) },
  "/v1/models": {
    contentType: OPENAI,
    end: "\n",
    merge: (boxes) => ({ object: "list", data: newestOf(boxes).map(openaiModelOf) }),
  },
};

/** Returns whether the answer at a path on Ollama is one for all boxes. */
export const isUnion = (path: string): boolean => Object.hasOwn(UNIONS, path);

/** The models and boxes that a list is limited to; null for all. */
export type ListLimits = Pick<KeyPolicy, "models" | "boxes">;

const UNLIMITED: ListLimits = { models: null, boxes: null };

/** Returns how many boxes a list needs. With fewer, the box answers itself. */
export const boxesMin = ({ models, boxes }: ListLimits): number =>
  models === null && boxes === null ? 2 : 1;

/**
 * Returns the answer for all boxes that count; null if too few do, or nothing is known. A single box
 * answers better itself, except with more than the caller may see.
 */
export function unionOf(
  path: string,
  boxes: readonly RegisteredBox[],
  nowMs: number,
  limits: ListLimits = UNLIMITED,
): Union | null {
  const union = UNIONS[path];
  const listed = boxes.filter((box) => isListed(box, nowMs) && mayUseBox(limits, box.name));
  const shown = listed.map((box) => withModelsOf(box, limits));
  const value = listed.length < boxesMin(limits) ? null : (union?.merge(shown, nowMs) ?? null);
  if (union === undefined || value === null) return null;
  return {
    body: JSON.stringify(value) + union.end,
    contentType: union.contentType,
    boxes: listed.map(({ name }) => name),
    isSimulated: listed.some(({ hello }) => hello.simulated),
  };
}

/** Leaves out the models that may not be seen. */
function withModelsOf(box: RegisteredBox, limits: ListLimits): RegisteredBox {
  const { readings } = box;
  if (readings === null || limits.models === null) return box;
  const { models, loaded } = readings.inventory;
  const maySee = ({ name }: { name: string }) => mayUseModel(limits, name);
  const inventory = {
    ...readings.inventory,
    models: models.filter(maySee),
    loaded: loaded.filter(maySee),
  };
  return { ...box, readings: { ...readings, inventory } };
}

/** Returns whether the models of a box are listed: it is up, or expected back. */
export const isListed = (
  { state, last_seen_ms }: Pick<RegisteredBox, "state" | "last_seen_ms">,
  nowMs: number,
): boolean => state !== "down" || nowMs - last_seen_ms < LISTED_AWAY_MS;

type Owned<Model> = { model: Model; isSimulated: boolean };

/** Returns the models on disk, newest first. The newest build of a name is the one listed. */
function newestOf(boxes: readonly RegisteredBox[]): Owned<InstalledModel>[] {
  const all = boxes.flatMap(({ readings, hello }) =>
    (readings?.inventory.models ?? []).map((model) => ({ model, isSimulated: hello.simulated })),
  );
  return firstOfEach(all, ({ model }) => msOf(model.modified_at));
}

const tagsOf = (boxes: readonly RegisteredBox[]): object[] =>
  newestOf(boxes).map(
    ({ model: { listed, ...model } }) =>
      entryIn(listed, model.name) ?? {
        name: model.name,
        model: model.name,
        modified_at: model.modified_at,
        size: model.size_bytes,
        digest: model.digest,
        details: detailsOf(model),
      },
  );

/**
 * Returns the models in memory, as Ollama lists them: those first that stay the longest. A model in the
 * memory of several boxes is the entry of the box that keeps it the longest.
 */
function runningOf(boxes: readonly RegisteredBox[], nowMs: number): object[] {
  const all = boxes.flatMap((box) =>
    box.state !== "down" || nowMs - box.last_seen_ms < ONLY_HOLDER_MS
      ? freshLoaded(box, nowMs).map((model) => ({ model, disk: onDisk(box, model) }))
      : [],
  );
  return firstOfEach(all, ({ model }) => msOf(model.expires_at)).map(
    ({ model: { listed, ...model }, disk }) =>
      entryIn(listed, model.name) ?? {
        name: model.name,
        model: model.name,
        size: model.size_bytes,
        digest: disk?.digest ?? null,
        details: detailsOf(disk),
        expires_at: model.expires_at,
        size_vram: model.size_vram_bytes,
        context_length: model.context_length,
      },
  );
}

const onDisk = ({ readings }: RegisteredBox, { name }: LoadedModel): InstalledModel | undefined =>
  readings?.inventory.models.find((model) => keyOf(model) === keyOf({ name }));

/** The fields that an older agent reports. */
const detailsOf = (model: Omit<InstalledModel, "listed"> | undefined) => ({
  parent_model: "",
  format: null,
  family: model?.family ?? null,
  families: null,
  parameter_size: model?.parameter_size ?? null,
  quantization_level: model?.quantization ?? null,
});

const openaiModelOf = ({ model: { name, modified_at }, isSimulated }: Owned<InstalledModel>) => ({
  id: name,
  object: "model",
  created: modified_at === null ? null : Math.floor(msOf(modified_at) / 1_000),
  owned_by: isSimulated ? "simulated" : (name.split("/").at(-2) ?? "library"),
});

/** Returns the oldest version among the boxes that are up: clients derive from it what they may use. */
function versionOf(boxes: readonly RegisteredBox[]): { version: string } | null {
  const up = boxes.filter(({ state }) => state !== "down");
  const [version] = (up.length > 0 ? up : boxes)
    .flatMap(({ readings }) => readings?.inventory.ollama_version ?? [])
    .sort(compareVersions);
  return version === undefined ? null : { version };
}

/** Compares versions such as `0.33.0` and `0.33.0-rc2`, which comes before it. */
export function compareVersions(a: string, b: string): number {
  const [aCore = "", aPre] = splitVersion(a);
  const [bCore = "", bPre] = splitVersion(b);
  return (
    NUMERIC.compare(aCore, bCore) ||
    Number(aPre === undefined) - Number(bPre === undefined) ||
    NUMERIC.compare(aPre ?? "", bPre ?? "")
  );
}
const NUMERIC = new Intl.Collator("en", { numeric: true });
const splitVersion = (version: string): string[] => version.replace(/^v/, "").split(/-(.*)/s);

const Entry = z.looseObject({ name: z.string().optional(), model: z.string().optional() });

/** Returns an entry as Ollama sent it, unless it is missing or another model's. */
function entryIn(json: string | undefined, name: string): object | null {
  if (json === undefined) return null;
  try {
    const entry = Entry.parse(JSON.parse(json));
    return (entry.name ?? entry.model) === name ? entry : null;
  } catch {
    return null;
  }
}

/**
 * Returns one item for each model, the ones with the highest rank first. Equal ones are in order of
 * their name, and of equal ones of a name the first box's counts.
 */
function firstOfEach<Item extends { model: { name: string } }>(
  items: readonly Item[],
  rankOf: (item: Item) => number,
): Item[] {
  const best = new Map<string, Item>();
  for (const item of items) {
    const before = best.get(keyOf(item.model));
    if (before === undefined || rankOf(item) > rankOf(before)) best.set(keyOf(item.model), item);
  }
  return [...best.values()].sort(
    (a, b) => rankOf(b) - rankOf(a) || (keyOf(a.model) < keyOf(b.model) ? -1 : 1),
  );
}

/** Ollama ignores the case of names. */
const keyOf = ({ name }: { name: string }): string => withTag(name).toLowerCase();

/** Returns unix ms; 0 if the time is unknown or cannot be parsed. */
const msOf = (time: string | null): number => Date.parse(time ?? "") || 0;

/**
 * Parses Ollama's lists of models into the protocol's types. Pure.
 *
 * Lenient on purpose: Ollama adds and drops fields between releases. An invalid field becomes null
 * and an entry without a name is left out; the rest of the list is kept.
 */
import * as z from "zod";
import { InstalledModel, type Inventory, LoadedModel } from "../../protocol/inventory.ts";
import { LISTED_CHARS_MAX, LISTED_CHARS_PER_BOX } from "../../protocol/limits.ts";

/** The limits of `Inventory`. */
const MODELS_MAX = 2_000;
const LOADED_MAX = 200;

const text = (charsMax: number) => z.string().min(1).max(charsMax).nullable().catch(null);
const bytes = z.number().nonnegative().nullable().catch(null);

/** Go writes an empty list as null. */
const Listing = z.object({ models: z.array(z.unknown()).nullable() });

const Details = z
  .object({ family: text(128), parameter_size: text(64), quantization_level: text(64) })
  .catch({ family: null, parameter_size: null, quantization_level: null });

const Tag = z.object({
  name: text(512),
  model: text(512),
  size: bytes,
  digest: text(128),
  modified_at: text(64),
  details: Details,
  remote_host: text(2_048),
  remote_model: text(2_048),
});

const Running = z.object({
  name: text(512),
  model: text(512),
  size: bytes,
  size_vram: bytes,
  context_length: z.int().nonnegative().nullable().catch(null),
  expires_at: text(64),
});

const Version = z.object({ version: z.string().min(1).max(64) });

/**
 * Parses the models on disk from `/api/tags`. Returns null if the answer is not a list of models.
 *
 * Leaves out stubs of cloud models (`remote_host`): they are not on this disk, and a request for
 * one would be forwarded to ollama.com on the owner's account.
 */
export function installedOf(answer: unknown): InstalledModel[] | null {
  return entriesOf(answer, Tag, MODELS_MAX, (tag, listed) => {
    if (tag.remote_host !== null || tag.remote_model !== null) return null;
    return InstalledModel.safeParse({
      name: tag.name ?? tag.model,
      size_bytes: tag.size,
      digest: tag.digest,
      family: tag.details.family,
      parameter_size: tag.details.parameter_size,
      quantization: tag.details.quantization_level,
      modified_at: tag.modified_at,
      listed,
    });
  });
}

/**
 * Parses the models in memory from `/api/ps`. Returns null if the answer is not a list of models.
 */
export function loadedOf(answer: unknown): LoadedModel[] | null {
  return entriesOf(answer, Running, LOADED_MAX, (running, listed) =>
    LoadedModel.safeParse({
      name: running.name ?? running.model,
      size_bytes: running.size,
      size_vram_bytes: running.size_vram,
      context_length: running.context_length,
      expires_at: running.expires_at,
      listed,
    }),
  );
}

export function versionOf(answer: unknown): string | null {
  return Version.safeParse(answer).data?.version ?? null;
}

/**
 * Returns a string that changes with every difference worth sending at once: not times and sizes.
 */
export function fingerprintOf({ reachable, ollama_version, models, loaded }: Inventory): string {
  const installed = models.map(({ name, digest }) => `${name} ${digest}`).sort();
  return JSON.stringify([
    reachable,
    ollama_version,
    installed,
    loaded.map(({ name }) => name).sort(),
  ]);
}

function entriesOf<Entry extends z.ZodType, Model>(
  answer: unknown,
  schema: Entry,
  max: number,
  read: (
    entry: z.infer<Entry>,
    listed: string | undefined,
  ) => { success: boolean; data?: Model | undefined } | null,
): Model[] | null {
  const listing = Listing.safeParse(answer);
  if (!listing.success) return null;
  const models: Model[] = [];
  let roomChars = LISTED_CHARS_PER_BOX / 2; // there are two lists
  for (const item of listing.data.models ?? []) {
    const entry = schema.safeParse(item);
    if (!entry.success || models.length === max) continue;
    const json = JSON.stringify(item);
    const isShort = json.length <= Math.min(LISTED_CHARS_MAX, roomChars);
    const model = read(entry.data, isShort ? json : undefined)?.data;
    if (model === undefined) continue;
    if (isShort) roomChars -= json.length;
    models.push(model);
  }
  return models;
}

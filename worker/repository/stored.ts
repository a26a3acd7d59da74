/**
 * The model repository as it is stored: what people decided about models, and how often each was pulled.
 *
 * It lives in the Durable Object, or in Postgres when that is configured. Nothing that is known
 * elsewhere is stored with it: `repository.ts` adds that when an entry is shown. Names are without
 * `:latest`, and are taken with or without it.
 */
import { z } from "zod";
import { wellFormed } from "../export/rows.ts";

export const StoredModel = z.object({
  id: z.number(),
  model_name: z.string(),
  display_name: z.string().nullable(),
  description: z.string().nullable(),
  category: z.string(),
  size_label: z.string().nullable(),
  is_favorite: z.boolean(),
  is_default: z.boolean(),
  download_count: z.number(),
  installed_at_ms: z.number().nullable(),
  created_at_ms: z.number(),
  updated_at_ms: z.number(),
});
export type StoredModel = z.infer<typeof StoredModel>;

/** What people say of a model. */
type Given = Partial<
  Pick<
    StoredModel,
    "display_name" | "description" | "category" | "size_label" | "is_favorite" | "is_default"
  >
>;
/** What is left out stays as it is. */
export type ModelEdit = { [Field in keyof Given]?: Given[Field] | undefined };

/** What was given, as text that both stores take. */
export const editOf = (said: ModelEdit): Given =>
  Object.fromEntries(
    Object.entries(said).flatMap(([field, value]) =>
      value === undefined ? [] : [[field, typeof value === "string" ? wellFormed(value) : value]],
    ),
  );

/** A model that boxes have. */
export type FoundModel = { name: string; installedAtMs: number };

export type RepositoryWrite =
  /** Adds the model, or changes what is said of it. */
  | { kind: "put"; name: string; said: ModelEdit }
  | { kind: "change"; name: string; said: ModelEdit }
  | { kind: "toggle_favorite"; name: string }
  | { kind: "remove"; name: string }
  /** Adds those that are not there yet: all of them, or none when there is no room for all. */
  | { kind: "add_found"; found: readonly FoundModel[] };

export type RepositoryRead = {
  store: "durable_object" | "postgres";
  /** Why the store that holds the repository was not read: these are the entries that the edge knew last. Null when it was. */
  problem: string | null;
  models: StoredModel[];
};

export type RepositoryWritten = RepositoryRead & {
  /** The names of what was added, changed or removed: none when there is no such model. Null when there was no room. */
  changed: string[] | null;
};

export interface Repository {
  /** Never fails for the store's sake. */
  read(nowMs: number): Promise<RepositoryRead>;
  /** @returns the repository as it is then. @throws {StoreError} */
  write(write: RepositoryWrite, nowMs: number): Promise<RepositoryWritten>;
}

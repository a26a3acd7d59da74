/**
 * The model repository as it is stored: people's preferences for models, and the pulls of each.
 *
 * It lives in the Durable Object, or in Postgres if configured. Facts known elsewhere are not stored
 * with it; `shown.ts` adds them when an entry is shown. Names are stored without `:latest` and
 * accepted with or without it.
 */
import * as z from "zod";
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

/** The fields that people set. */
type SetFields = Partial<
  Pick<
    StoredModel,
    "display_name" | "description" | "category" | "size_label" | "is_favorite" | "is_default"
  >
>;
/** A change of an entry. Fields that are left out stay unchanged. */
export type ModelEdit = { [Field in keyof SetFields]?: SetFields[Field] | undefined };

/** Returns the fields that an edit sets, as text that both stores accept. */
export const editOf = (edit: ModelEdit): SetFields =>
  Object.fromEntries(
    Object.entries(edit).flatMap(([field, value]) =>
      value === undefined ? [] : [[field, typeof value === "string" ? wellFormed(value) : value]],
    ),
  );

/** A model found on a box. */
export type FoundModel = { name: string; installedAtMs: number };

export type RepositoryWrite =
  /** Adds the model, or changes its entry. */
  | { kind: "put"; name: string; edit: ModelEdit }
  | { kind: "change"; name: string; edit: ModelEdit }
  | { kind: "toggle_favorite"; name: string }
  | { kind: "remove"; name: string }
  /** Adds the models that are missing: all of them, or none if there is no room for all. */
  | { kind: "add_found"; found: readonly FoundModel[] };

export type RepositoryRead = {
  store: "durable_object" | "postgres";
  /**
   * Why the repository's store could not be read; the models are then the edge's copy. Null if it
   * was read.
   */
  problem: string | null;
  models: StoredModel[];
};

export type RepositoryWritten = RepositoryRead & {
  /**
   * The models added, changed or removed; empty if there is no such model. Null if there was no
   * room.
   */
  changed: string[] | null;
};

export interface Repository {
  /** Never fails because of the store. */
  read(nowMs: number): Promise<RepositoryRead>;
  /**
   * @returns the repository after the write
   * @throws {StoreError}
   */
  write(write: RepositoryWrite, nowMs: number): Promise<RepositoryWritten>;
}

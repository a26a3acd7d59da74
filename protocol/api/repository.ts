/**
 * `/api/models/repository`: people's preferences for models, with facts from the boxes and the
 * ledger.
 */
import * as z from "zod";
import { BoxName } from "../records.ts";
import type { ApiRoute } from "./route.ts";
import { Count, ModelName, ModelPath, Store, Time } from "./shapes.ts";

/** Most entries of the repository. It is always read whole. */
export const REPOSITORY_MODELS_MAX = 2_000;

const DisplayName = z.string().trim().min(1).max(200);
const Description = z.string().trim().min(1).max(2_000);
const Category = z.string().trim().min(1).max(64).describe("any text, e.g. general, code, vision");
const SizeLabel = z.string().trim().min(1).max(32).describe("size as shown, e.g. 2.0 GB");

/** A model of the repository. */
export const RepositoryModel = z
  .object({
    id: Count,
    model_name: ModelName.describe("without :latest"),
    display_name: z.string().nullable(),
    description: z.string().nullable(),
    category: z.string(),
    size_label: z.string().nullable(),
    size_bytes: Count.nullable().describe(
      "bytes on disk; null if it is on none of the boxes that are up",
    ),
    is_favorite: z.boolean(),
    is_installed: z.boolean().describe("true if a box that is up has it on disk"),
    is_default: z
      .boolean()
      .describe("used by /api/chat if a call names no model; at most one model"),
    download_count: Count.describe("successful pulls through any API, one per box"),
    usage_count: Count.describe("inference calls"),
    total_tokens_generated: Count,
    last_used_at: Time.nullable().describe("when the last call that named it finished"),
    installed_at: Time.nullable().describe(
      "when a box last got it; kept after it is deleted there; null if never observed",
    ),
    created_at: Time,
    updated_at: Time.describe("when a person last changed the entry"),
    // Fields that the seed's API lacks.
    installed_on: z.array(BoxName).describe("boxes that are up and have it on disk"),
  })
  .meta({ id: "RepositoryModel" });
export type RepositoryModel = z.infer<typeof RepositoryModel>;

/** The store that an answer was read from. */
const source = {
  store: Store.describe("store that the answer was read from: postgres if configured"),
  problem: z
    .string()
    .nullable()
    .describe(
      "why Postgres could not be read; the answer is then the edge's copy. Null if it was read",
    ),
};

/** One model, as returned when it is read or changed. */
export const RepositoryEntry = RepositoryModel.extend(source).meta({ id: "RepositoryEntry" });
export type RepositoryEntry = z.infer<typeof RepositoryEntry>;

/** `GET /api/models/repository`. The counts cover the models in this answer. */
export const RepositoryModels = z
  .object({
    models: z.array(RepositoryModel),
    total: Count,
    favorites_count: Count,
    installed_count: Count,
    ...source,
  })
  .meta({ id: "RepositoryModels" });
export type RepositoryModels = z.infer<typeof RepositoryModels>;

const flag = z
  .enum(["true", "false"])
  .transform((value) => value === "true")
  .optional();

export const RepositoryQuery = z.strictObject({
  category: Category.optional().describe("only this category"),
  favorites_only: flag.describe("default false"),
  installed_only: flag.describe("default false"),
});
export type RepositoryQuery = z.infer<typeof RepositoryQuery>;

export const RepositoryPost = z.strictObject({
  model_name: ModelName,
  display_name: DisplayName.nullable().optional(),
  description: Description.nullable().optional(),
  category: Category.optional().describe("a new entry defaults to general"),
  size_label: SizeLabel.nullable().optional(),
});
export type RepositoryPost = z.infer<typeof RepositoryPost>;

export const RepositoryPut = z
  .strictObject({
    display_name: DisplayName.nullable().optional(),
    description: Description.nullable().optional(),
    category: Category.optional(),
    is_favorite: z.boolean().optional(),
    is_default: z
      .boolean()
      .optional()
      .describe("true also clears it on the model that was the default before"),
  })
  .refine((edit) => Object.keys(edit).length > 0, {
    error: "must have at least one field to change",
  });
export type RepositoryPut = z.infer<typeof RepositoryPut>;

/** `POST /api/models/repository/sync`. */
export const RepositorySync = z
  .object({
    status: z.literal("synced"),
    installed_count: Count,
    models: z.array(RepositoryModel).describe("models that boxes have"),
    // Fields that the seed's API lacks.
    added: z.array(ModelName).describe("models that were new to the repository"),
    ...source,
  })
  .meta({ id: "RepositorySync" });
export type RepositorySync = z.infer<typeof RepositorySync>;

export const RepositoryDeleted = z
  .object({ status: z.literal("deleted"), model_name: ModelName })
  .meta({ id: "RepositoryDeleted" });

const TAG = "Model repository";

export const REPOSITORY_ROUTES = {
  repository: {
    method: "GET",
    path: "/api/models/repository",
    scope: "stats",
    tag: TAG,
    summary:
      "List the models with preferences and use: the default first, then favourites, then the most used",
    description: [
      "If Postgres is configured, it holds the repository: edges share it, and changes to the table show",
      "at once. While Postgres is down, the answer is the edge's copy, with the reason in problem, and",
      "changes fail with 503. Calls that name no model use the copy's default, which is at most",
      "a minute of traffic old. Use and size are those of this edge.",
    ].join(" "),
    query: RepositoryQuery,
    answer: RepositoryModels,
  },
  addToRepository: {
    method: "POST",
    audit: "repository_changed",
    path: "/api/models/repository",
    scope: "models",
    tag: TAG,
    summary: "Add a model, or change its entry",
    description:
      "Fields that are left out stay unchanged; null clears one. " +
      `409 beyond ${REPOSITORY_MODELS_MAX} models.`,
    body: RepositoryPost,
    answer: RepositoryEntry,
  },
  syncRepository: {
    method: "POST",
    audit: "repository_changed",
    path: "/api/models/repository/sync",
    scope: "models",
    tag: TAG,
    summary: "Add the models that the boxes have on disk",
    description:
      "A successful pull adds its model automatically. 409, with nothing added, if there is no room for all.",
    answer: RepositorySync,
  },
  toggleFavorite: {
    method: "POST",
    audit: "repository_changed",
    path: "/api/models/repository/{name}/favorite",
    scope: "models",
    tag: TAG,
    summary: "Toggle whether a model is a favourite",
    params: ModelPath,
    answer: RepositoryEntry,
  },
  repositoryModel: {
    method: "GET",
    path: "/api/models/repository/{name}",
    scope: "stats",
    tag: TAG,
    summary: "Get one model",
    params: ModelPath,
    answer: RepositoryEntry,
  },
  changeRepositoryModel: {
    method: "PUT",
    audit: "repository_changed",
    path: "/api/models/repository/{name}",
    scope: "models",
    tag: TAG,
    summary: "Change a model's entry, including favourite and default",
    params: ModelPath,
    body: RepositoryPut,
    answer: RepositoryEntry,
  },
  removeFromRepository: {
    method: "DELETE",
    audit: "repository_changed",
    path: "/api/models/repository/{name}",
    scope: "models",
    tag: TAG,
    summary: "Remove a model's entry; the model stays on the boxes",
    params: ModelPath,
    answer: RepositoryDeleted,
  },
} as const satisfies Record<string, ApiRoute>;

/** `/api/models/repository`: what people decided about models, beside what the boxes and the ledger say of them. */
import { z } from "zod";
import { BoxName } from "../records.ts";
import type { ApiRoute } from "./route.ts";
import { Count, ModelName, ModelPath, Store, Time } from "./shapes.ts";

/** Entries of the repository. It is read whole, so it has a bound. */
export const REPOSITORY_MODELS_MAX = 2_000;

const DisplayName = z.string().trim().min(1).max(200);
const Description = z.string().trim().min(1).max(2_000);
const Category = z.string().trim().min(1).max(64).describe("any word, e.g. general, code, vision");
const SizeLabel = z.string().trim().min(1).max(32).describe("for people, e.g. 2.0 GB");

/** A model of the repository. */
export const RepositoryModel = z
  .object({
    id: Count,
    model_name: ModelName.describe("without :latest"),
    display_name: z.string().nullable(),
    description: z.string().nullable(),
    category: z.string(),
    size_label: z.string().nullable(),
    size_bytes: Count.nullable().describe("on disk; null when no box that is up has it"),
    is_favorite: z.boolean(),
    is_installed: z.boolean().describe("whether a box that is up has it on disk"),
    is_default: z.boolean().describe("what /api/chat takes when no model is named; one at most"),
    download_count: Count.describe(
      "pulls that succeeded, one per box, whichever way they were asked for",
    ),
    usage_count: Count.describe("inference calls"),
    total_tokens_generated: Count,
    last_used_at: Time.nullable().describe("when a call that named it finished last"),
    installed_at: Time.nullable().describe(
      "when a box got it last; stays when it is deleted there; null when that was never seen",
    ),
    created_at: Time,
    updated_at: Time.describe("when a person changed the entry last"),
    // ours
    installed_on: z.array(BoxName).describe("boxes that are up and have it on disk"),
  })
  .meta({ id: "RepositoryModel" });
export type RepositoryModel = z.infer<typeof RepositoryModel>;

/** Where the repository is: what an answer says of that. */
const source = {
  store: Store.describe("where the answer was read: Postgres, where that is configured"),
  problem: z
    .string()
    .nullable()
    .describe(
      "why Postgres was not read; what is answered then is what the edge knew last. Null when all is well",
    ),
};

/** One model, as the answer to whoever asks for it or changes it. */
export const RepositoryEntry = RepositoryModel.extend(source).meta({ id: "RepositoryEntry" });
export type RepositoryEntry = z.infer<typeof RepositoryEntry>;

/** `GET /api/models/repository`. The counts are of the models in this answer. */
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
  category: Category.optional().describe("of a new entry: default general"),
  size_label: SizeLabel.nullable().optional(),
});
export type RepositoryPost = z.infer<typeof RepositoryPost>;

export const RepositoryPut = z
  .strictObject({
    display_name: DisplayName.nullable().optional(),
    description: Description.nullable().optional(),
    category: Category.optional(),
    is_favorite: z.boolean().optional(),
    is_default: z.boolean().optional().describe("true takes it from the model that had it"),
  })
  .refine((said) => Object.keys(said).length > 0, { error: "say at least one field to change" });
export type RepositoryPut = z.infer<typeof RepositoryPut>;

/** `POST /api/models/repository/sync`. */
export const RepositorySync = z
  .object({
    status: z.literal("synced"),
    installed_count: Count,
    models: z.array(RepositoryModel).describe("those that boxes have"),
    // ours
    added: z.array(ModelName).describe("those that the repository did not have before"),
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
    scope: "read",
    tag: TAG,
    summary:
      "All models with preferences and use: the default first, then favourites, then the most used",
    description:
      "With Postgres configured the repository is there: edges share it, and what is changed in the table shows at once. While Postgres is down this is what the edge knew last, and says so; changes are 503. Calls that name no model always take the default that the edge knows, at most a minute of traffic old. Use and size are those of this edge.",
    query: RepositoryQuery,
    answer: RepositoryModels,
  },
  addToRepository: {
    method: "POST",
    path: "/api/models/repository",
    scope: "admin",
    tag: TAG,
    summary: "Add a model, or change what is said of it",
    description: `Fields that are left out stay as they are; null empties one. At most ${REPOSITORY_MODELS_MAX} models: 409 beyond.`,
    body: RepositoryPost,
    answer: RepositoryEntry,
  },
  syncRepository: {
    method: "POST",
    path: "/api/models/repository/sync",
    scope: "admin",
    tag: TAG,
    summary: "Add what the boxes have on disk",
    description:
      "A successful pull adds its model by itself. 409, and nothing is added, when there is no room for all.",
    answer: RepositorySync,
  },
  toggleFavorite: {
    method: "POST",
    path: "/api/models/repository/{name}/favorite",
    scope: "admin",
    tag: TAG,
    summary: "Make it a favourite, or no longer one",
    params: ModelPath,
    answer: RepositoryEntry,
  },
  repositoryModel: {
    method: "GET",
    path: "/api/models/repository/{name}",
    scope: "read",
    tag: TAG,
    summary: "One model",
    params: ModelPath,
    answer: RepositoryEntry,
  },
  changeRepositoryModel: {
    method: "PUT",
    path: "/api/models/repository/{name}",
    scope: "admin",
    tag: TAG,
    summary: "Change what is said of a model; favourite and default too",
    params: ModelPath,
    body: RepositoryPut,
    answer: RepositoryEntry,
  },
  removeFromRepository: {
    method: "DELETE",
    path: "/api/models/repository/{name}",
    scope: "admin",
    tag: TAG,
    summary: "Forget what was said of a model; on the boxes it stays",
    params: ModelPath,
    answer: RepositoryDeleted,
  },
} as const satisfies Record<string, ApiRoute>;

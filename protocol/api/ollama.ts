/** `/api/ollama`: the models of all boxes, managed from one place. */
import * as z from "zod";
import { BoxName } from "../records.ts";
import { BoxQuery } from "./fleet.ts";
import type { ApiRoute } from "./route.ts";
import { Count, ModelName, ModelPath } from "./shapes.ts";

/**
 * A model on disk, as in Ollama's `/api/tags`, with the boxes that have it. One entry per name and
 * digest.
 */
const InstalledEntry = z
  .object({
    name: z.string(),
    model: z.string(),
    modified_at: z.string().nullable().describe("the latest of all boxes, as Ollama formats it"),
    size: Count.nullable().describe("bytes"),
    digest: z.string().nullable(),
    details: z.object({
      family: z.string().nullable(),
      parameter_size: z.string().nullable(),
      quantization_level: z.string().nullable(),
    }),
    // Fields that the seed's API lacks.
    boxes: z.array(BoxName).describe("boxes with the model on disk"),
    loaded_on: z.array(BoxName).describe("boxes with the model in memory"),
  })
  .meta({ id: "InstalledModel" });

/** `GET /api/ollama/models`. */
export const InstalledModels = z
  .object({
    models: z.array(InstalledEntry),
    // Fields that the seed's API lacks.
    simulated: z.boolean().describe("true if any of these boxes is simulated"),
  })
  .meta({ id: "InstalledModels" });
export type InstalledModels = z.infer<typeof InstalledModels>;

export const PullRequest = z
  .strictObject({
    name: ModelName.optional(),
    model: ModelName.optional().describe("the newer field for name; send exactly one of the two"),
    insecure: z.boolean().optional().describe("allow a registry without TLS"),
  })
  .refine(({ name, model }) => (name === undefined) !== (model === undefined), {
    error: 'send either "name" or "model", not both',
    path: ["name"],
  });
export type PullRequest = z.infer<typeof PullRequest>;

/** The summed progress of pulls to several boxes. Bytes count the layers announced so far. */
export const PullOverall = z.object({
  boxes: Count,
  finished: Count.describe("boxes that have the model now"),
  failed: Count,
  total_bytes: Count.nullable().describe("null until a box has reported a size"),
  completed_bytes: Count,
});
export type PullOverall = z.infer<typeof PullOverall>;

/** An event of `POST /api/ollama/pull`: a line of Ollama, with its box and request id. */
export const PullEvent = z.looseObject({
  box: BoxName,
  request_id: z.uuid(),
  status: z.string().optional(),
  digest: z.string().optional(),
  total: z.number().optional(),
  completed: z.number().optional(),
  error: z.string().optional(),
  overall: PullOverall.optional().describe("present if several boxes pull"),
});
export type PullEvent = z.infer<typeof PullEvent>;

const Finished = z.enum(["success", "error"]);

const PullEnd = z.object({
  done: z.literal(true),
  boxes: z.array(
    z.object({
      box: BoxName,
      request_id: z.uuid(),
      status: Finished,
      error: z.string().nullable(),
    }),
  ),
});
const PullSucceeded = PullEnd.extend({ status: z.literal("success") });
/** The pull failed on a box, or on several. */
const PullFailed = PullEnd.extend({ status: z.literal("error") });
/** The last event of `POST /api/ollama/pull`. */
export const PullDone = z.discriminatedUnion("status", [PullSucceeded, PullFailed]);
export type PullDone = z.infer<typeof PullDone>;

/** `DELETE /api/ollama/models/{name}`. */
export const ModelDeleted = z
  .object({
    status: z.literal("deleted"),
    model: ModelName,
    // Fields that the seed's API lacks.
    boxes: z
      .array(z.object({ box: BoxName, request_id: z.uuid() }))
      .describe("boxes from which it was deleted"),
  })
  .meta({ id: "ModelDeleted" });

/** A model that can be pulled, in `GET /api/ollama/library`. */
export const LibraryModel = z
  .object({
    name: z.string(),
    description: z.string().nullable(),
    size: z
      .string()
      .nullable()
      .describe("download size of this name, e.g. 2.0 GB; null if unknown"),
    // Fields that the seed's API lacks.
    display_name: z.string().nullable(),
    category: z.string(),
    parameter_sizes: z
      .array(z.string())
      .describe("available parameter counts, as in its tags, e.g. 8b"),
    source: z
      .enum(["catalogue", "repository"])
      .describe("repository: the model is in the model repository"),
    is_favorite: z.boolean(),
    is_default: z.boolean(),
    installed_on: z.array(BoxName).describe("boxes that are up and have exactly this name on disk"),
  })
  .meta({ id: "LibraryModel" });
export type LibraryModel = z.infer<typeof LibraryModel>;

/** `GET /api/ollama/library`. */
export const Library = z
  .object({
    models: z.array(LibraryModel),
    // Fields that the seed's API lacks.
    total: Count,
    catalogue: z
      .object({ date: z.iso.date(), source: z.url(), about: z.string() })
      .describe("the date and the source of the catalogue"),
  })
  .meta({ id: "Library" });
export type Library = z.infer<typeof Library>;

export const LibraryQuery = z.strictObject({
  q: z
    .string()
    .max(200)
    .optional()
    .describe("words that must all occur in a model's names, category, sizes or description"),
  category: z.string().min(1).max(64).optional().describe("only this category"),
});

const TAG = "Ollama";

export const OLLAMA_API_ROUTES = {
  installedModels: {
    method: "GET",
    path: "/api/ollama/models",
    scope: "stats",
    tag: TAG,
    summary: "List the models on the disks of the boxes that are up",
    query: BoxQuery,
    answer: InstalledModels,
  },
  pullModel: {
    method: "POST",
    audit: "model_pulled",
    path: "/api/ollama/pull",
    scope: "models",
    tag: TAG,
    summary: "Pull a model to one box, or to all that are up, with progress",
    description: [
      'Each event is a line of Ollama: {"box","request_id","status","digest","total","completed"},',
      'or {"box","request_id","error"}. With several boxes it also has',
      '"overall": {"boxes","finished","failed","total_bytes","completed_bytes"}. The last event is',
      '{"done":true,"status":"success"|"error","boxes":[{"box","request_id","status","error"}]}.',
      "A box that fails does not stop the others. A caller that disconnects stops all pulls.",
      "If no box could begin, the answer is an error status instead of a stream.",
    ].join(" "),
    query: BoxQuery,
    body: PullRequest,
    answer: null,
    lastEvent: { success: PullSucceeded, failure: PullFailed },
    media: { "text/event-stream": "progress of every box, then one event with done" },
  },
  deleteModel: {
    method: "DELETE",
    audit: "model_deleted",
    path: "/api/ollama/models/{name}",
    scope: "models",
    tag: TAG,
    summary: "Delete a model from one box, or from all that are up and have it",
    description: "502 if it could not be deleted everywhere; the message lists each box's outcome.",
    params: ModelPath,
    query: BoxQuery,
    answer: ModelDeleted,
  },
  library: {
    method: "GET",
    path: "/api/ollama/library",
    scope: "stats",
    tag: TAG,
    summary: "Search the models that can be pulled: a dated catalogue and the repository",
    description:
      "Matches in the name come first. Any other model of Ollama's library or of a registry can be pulled too.",
    query: LibraryQuery,
    answer: Library,
  },
} as const satisfies Record<string, ApiRoute>;

/** `/api/ollama`: the models of all boxes, managed from one place. */
import { z } from "zod";
import { BoxName } from "../records.ts";
import { BoxQuery } from "./fleet.ts";
import type { ApiRoute } from "./route.ts";
import { Count, ModelName, ModelPath } from "./shapes.ts";

/** A model on disk, as Ollama's `/api/tags` shows it, and where it is. One entry per name and digest. */
const InstalledEntry = z
  .object({
    name: z.string(),
    model: z.string(),
    modified_at: z.string().nullable().describe("the newest, as Ollama says it"),
    size: Count.nullable().describe("bytes"),
    digest: z.string().nullable(),
    details: z.object({
      family: z.string().nullable(),
      parameter_size: z.string().nullable(),
      quantization_level: z.string().nullable(),
    }),
    // ours
    boxes: z.array(BoxName).describe("that have it on disk"),
    loaded_on: z.array(BoxName).describe("that have it in memory"),
  })
  .meta({ id: "InstalledModel" });

/** `GET /api/ollama/models`. */
export const InstalledModels = z
  .object({
    models: z.array(InstalledEntry),
    // ours
    simulated: z.boolean().describe("true when any of these boxes serves made-up numbers"),
  })
  .meta({ id: "InstalledModels" });
export type InstalledModels = z.infer<typeof InstalledModels>;

export const PullRequest = z
  .strictObject({
    name: ModelName.optional(),
    model: ModelName.optional().describe("the newer word for name; say one of them"),
    insecure: z.boolean().optional().describe("take it from a registry without TLS"),
  })
  .refine(({ name, model }) => (name === undefined) !== (model === undefined), {
    error: 'say "name" or "model", and not both',
    path: ["name"],
  });
export type PullRequest = z.infer<typeof PullRequest>;

/** One view of pulls to several boxes. Bytes are of the layers that were announced so far. */
export const PullOverall = z.object({
  boxes: Count,
  finished: Count.describe("boxes that have the model now"),
  failed: Count,
  total_bytes: Count.nullable().describe("null until a box has said how much there is"),
  completed_bytes: Count,
});
export type PullOverall = z.infer<typeof PullOverall>;

/** An event of `POST /api/ollama/pull`: a line of Ollama, and whose it is. */
export const PullEvent = z.looseObject({
  box: BoxName,
  request_id: z.uuid(),
  status: z.string().optional(),
  digest: z.string().optional(),
  total: z.number().optional(),
  completed: z.number().optional(),
  error: z.string().optional(),
  overall: PullOverall.optional().describe("when several boxes pull"),
});
export type PullEvent = z.infer<typeof PullEvent>;

const Finished = z.enum(["success", "error"]);

/** The last event. */
export const PullDone = z.object({
  done: z.literal(true),
  status: Finished.describe("error when a box does not have the model now"),
  boxes: z.array(
    z.object({
      box: BoxName,
      request_id: z.uuid(),
      status: Finished,
      error: z.string().nullable(),
    }),
  ),
});
export type PullDone = z.infer<typeof PullDone>;

/** `DELETE /api/ollama/models/{name}`. */
export const ModelDeleted = z
  .object({
    status: z.literal("deleted"),
    model: ModelName,
    // ours
    boxes: z
      .array(z.object({ box: BoxName, request_id: z.uuid() }))
      .describe("where it was deleted"),
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
      .describe("what a pull of this name downloads, for people; null when that is not known"),
    // ours
    display_name: z.string().nullable(),
    category: z.string(),
    parameter_sizes: z.array(z.string()).describe("the sizes that it comes in, as in its tags"),
    source: z.enum(["catalogue", "repository"]).describe("repository: somebody here added it"),
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
    // ours
    total: Count,
    catalogue: z
      .object({ date: z.iso.date(), source: z.url(), about: z.string() })
      .describe("when the facts of the catalogue were true, and where they come from"),
  })
  .meta({ id: "Library" });
export type Library = z.infer<typeof Library>;

export const LibraryQuery = z.strictObject({
  q: z
    .string()
    .max(200)
    .optional()
    .describe(
      "words; every one of them must occur in the name, or else in what is said of the model",
    ),
  category: z.string().min(1).max(64).optional().describe("only this category"),
});

const TAG = "Ollama";

export const OLLAMA_API_ROUTES = {
  installedModels: {
    method: "GET",
    path: "/api/ollama/models",
    scope: "read",
    tag: TAG,
    summary: "The models on the disks of the boxes that are up",
    query: BoxQuery,
    answer: InstalledModels,
  },
  pullModel: {
    method: "POST",
    path: "/api/ollama/pull",
    scope: "admin",
    tag: TAG,
    summary: "Pull a model to one box, or to all that are up, with progress",
    description: [
      'Each event is a line of Ollama: {"box","request_id","status","digest","total","completed"}, or {"box","request_id","error"};',
      'with several boxes also "overall": {"boxes","finished","failed","total_bytes","completed_bytes"}.',
      'The last one is {"done":true,"status":"success"|"error","boxes":[{"box","request_id","status","error"}]}.',
      "A box that fails does not stop the others; a caller that leaves stops all. An error status when no box could begin.",
    ].join(" "),
    query: BoxQuery,
    body: PullRequest,
    answer: null,
    media: { "text/event-stream": "progress of every box, then one event that says done" },
  },
  deleteModel: {
    method: "DELETE",
    path: "/api/ollama/models/{name}",
    scope: "admin",
    tag: TAG,
    summary: "Delete a model from one box, or from all that are up and have it",
    description: "502 when it could not be deleted everywhere; the message says where it was.",
    params: ModelPath,
    query: BoxQuery,
    answer: ModelDeleted,
  },
  library: {
    method: "GET",
    path: "/api/ollama/library",
    scope: "read",
    tag: TAG,
    summary: "Models that can be pulled: a dated catalogue, and the repository",
    description:
      "Matches in the name come first. Any other model of Ollama's library, or of a registry, can be pulled too.",
    query: LibraryQuery,
    answer: Library,
  },
} as const satisfies Record<string, ApiRoute>;

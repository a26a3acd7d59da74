/** `/api/plan` and `/api/models/load`: where a model would fit, and its loads and unloads. */
import * as z from "zod";
import { CONTEXT_LENGTH_MAX } from "../limits.ts";
import { BoxName } from "../records.ts";
import type { ApiRoute } from "./route.ts";
import { Count, ModelName } from "./shapes.ts";

const bytes = Count.nullable();

/** A box as a place for a model. */
const PlannedBox = z.object({
  box: BoxName,
  state: z.enum(["up", "draining", "down"]),
  simulated: z.boolean(),
  is_installed: z.boolean(),
  loaded_context_length: Count.nullable().describe("null if the model is not in memory there"),
  predicted_bytes: bytes.describe(
    "memory that the model takes with this context, weights included; null if no box has measured enough",
  ),
  method: z
    .enum(["measured", "interpolated", "at_most"])
    .nullable()
    .describe(
      "measured: some box had this build with this context. interpolated: on the line of two other contexts. at_most: only a larger context was measured",
    ),
  vram_total_bytes: bytes.describe("memory of all its GPUs; null if one of them is unknown"),
  vram_free_bytes: bytes.describe(
    "now, with the memory of this model itself, which a load with another context frees",
  ),
  fits: z.boolean().nullable().describe("whether the GPUs have room now; null if unknown"),
  fits_empty: z
    .boolean()
    .nullable()
    .describe("whether they would have room without other models; null if unknown"),
  room_bytes: z
    .int()
    .nullable()
    .describe("memory that stays free beside the model; negative if some is missing"),
});

/** `GET /api/plan`. */
export const Plan = z
  .object({
    model: z.string(),
    context_length: Count.nullable().describe(
      "as requested, or that of the newest measurement; null if neither is known",
    ),
    boxes: z.array(PlannedBox).describe("in order of name"),
  })
  .meta({ id: "Plan" });
export type Plan = z.infer<typeof Plan>;

export const PlanQuery = z.strictObject({
  model: ModelName,
  context: z.coerce
    .number()
    .int()
    .min(1)
    .max(CONTEXT_LENGTH_MAX)
    .optional()
    .describe("context length in tokens (num_ctx)"),
});
export type PlanQuery = z.infer<typeof PlanQuery>;

export const LoadRequest = z
  .strictObject({
    model: ModelName,
    box: BoxName.optional().describe(
      "load: by default the box that has the model in memory, otherwise the one with the most room for it. unload: by default every box",
    ),
    context: z.int().min(1).max(CONTEXT_LENGTH_MAX).optional().describe("context length (num_ctx)"),
    keep_alive: z
      .union([z.int().min(-1).max(31_536_000), z.string().regex(/^-?\d+(ms|s|m|h)$/)])
      .optional()
      .describe("seconds, or a duration such as 30m; negative: until it is unloaded"),
  })
  .meta({ id: "LoadRequest" });

export const UnloadRequest = LoadRequest.pick({ model: true, box: true }).meta({
  id: "UnloadRequest",
});

/** The requests of one load or unload. Each is in the log with source system. */
const Placed = z.array(z.object({ box: BoxName, request_id: z.uuid() }));

const Loaded = z
  .object({ status: z.literal("loaded"), model: z.string(), boxes: Placed })
  .meta({ id: "ModelLoaded" });
/** An event of `POST /api/models/load`. */
export type LoadEvent =
  | { status: "loading"; model: string; box: string }
  | { status: "failed"; model: string; box: string; error: string }
  | z.infer<typeof Loaded>;

const Unloaded = z
  .object({ status: z.literal("unloaded"), model: z.string(), boxes: Placed })
  .meta({ id: "ModelUnloaded" });

export const PLANNING_ROUTES = {
  loadModel: {
    method: "POST",
    audit: "model_loaded",
    path: "/api/models/load",
    scope: "models",
    tag: "Models",
    summary: "Load a model into the memory of a box; answers when it is loaded",
    description:
      "The request is in the log with source system, and counts in no figure about callers. 404 if the model is on no connected box, or not on that one. If the Accept header contains text/event-stream, the answer begins at once, so a proxy does not give up on a long load.",
    body: LoadRequest,
    answer: Loaded,
    media: {
      "text/event-stream":
        '{"status":"loading","model","box"} at once, and last the JSON answer, or {"status":"failed","model","box","error"}',
    },
  },
  unloadModel: {
    method: "POST",
    audit: "model_unloaded",
    path: "/api/models/unload",
    scope: "models",
    tag: "Models",
    summary: "Unload a model from the memory of one box or of all",
    description: "An empty list of boxes means that none had it in memory.",
    body: UnloadRequest,
    answer: Unloaded,
  },
  plan: {
    method: "GET",
    path: "/api/plan",
    scope: "stats",
    tag: "Models",
    summary: "Predicted memory of a model with a context, and the boxes where it fits",
    description: [
      "The prediction comes from what Ollama has counted on any box (/api/ps), by build and context.",
      "404 if no registered box has the model.",
    ].join(" "),
    query: PlanQuery,
    answer: Plan,
  },
} as const satisfies Record<string, ApiRoute>;

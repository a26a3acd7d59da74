/** What the shapes of `/api` are made of. Rates are 0..1; a figure is `null` where nothing is known, never 0. */
import { z } from "zod";
import { FailedAt } from "../records.ts";

export const Time = z.iso.datetime();
export const Count = z.int().nonnegative();
export const Figure = z.number().nonnegative().nullable();
export const Percent = z.number().min(0).max(100).nullable();
/** 2^30 bytes, two decimals. */
export const Gib = Figure;
export const Rate = z.number().min(0).max(1).nullable();

/**
 * The name of a model as Ollama takes it: `llama3.2`, `qwen3:8b`, `hf.co/bartowski/Some-GGUF:Q4_K_M`.
 * @see https://github.com/ollama/ollama/blob/main/types/model/name.go
 */
export const ModelName = z
  .string()
  .min(1)
  .max(350)
  .regex(
    /^[A-Za-z0-9_][A-Za-z0-9_.:/-]*$/,
    "is not the name of a model: letters, digits, '_', '-', '.', ':' and '/', e.g. llama3.2 or hf.co/user/model:Q4_K_M",
  );

/** The parameter of a path that names a model. */
export const ModelPath = z.object({
  name: ModelName.describe("its / and : as they are, or escaped; with or without :latest"),
});

/** Where things are stored. The Durable Object always is one. */
export const Store = z.enum(["durable_object", "clickhouse", "postgres"]);

/** One error shape for all of `/api`. */
export const ApiError = z
  .object({
    error: z.object({
      code: z.string().describe("few values, stable"),
      message: z.string().describe("what was wrong, for people"),
      failed_at: FailedAt.describe("who failed: our edge, the tunnel to the box, or Ollama"),
      request_id: z.uuid(),
    }),
  })
  .meta({ id: "ApiError" });
export type ApiError = z.infer<typeof ApiError>;

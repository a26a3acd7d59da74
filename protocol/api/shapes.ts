/**
 * The shapes that the answers and queries of `/api` share.
 *
 * Rates are 0 to 1. A figure is `null` where it is unknown, never 0.
 */
import * as z from "zod";
import { BoxName, FailedAt } from "../records.ts";
import { SCOPES } from "../scopes.ts";
import { StoreName } from "../stores.ts";

export const Time = z.iso.datetime();
export const Count = z.int().nonnegative();
export const Figure = z.number().nonnegative().nullable();
export const Percent = z.number().min(0).max(100).nullable();
/** 2^30 bytes, two decimals. */
export const Gib = Figure;
/** The name of a scope, one of the things that an API key allows. */
export const ScopeName = z.enum(SCOPES);
export const Rate = z.number().min(0).max(1).nullable();

/**
 * The name of a model as Ollama accepts it: `llama3.2`, `qwen3:8b`,
 * `hf.co/bartowski/Some-GGUF:Q4_K_M`.
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

/** The path parameter that names a model. */
export const ModelPath = z.object({
  name: ModelName.describe("with / and : plain or percent-encoded; with or without :latest"),
});

/** Where data is stored. The Durable Object always is. */
export const Store = z.enum(["durable_object", ...StoreName.options]);

/** The query parameters that narrow an answer to one box and one model. */
export const Narrowing = z.object({
  model: z.string().min(1).max(512).optional().describe("only this model, with or without :latest"),
  box: BoxName.optional().describe("only this box"),
});

/** The same for one key. */
export const KeyNarrowing = Narrowing.extend({
  key: z
    .string()
    .min(1)
    .max(64)
    .optional()
    .describe("only requests with this key: its id, or admin, caller, read, stats or metrics"),
});

export const ExportFormat = z
  .enum(["json", "csv", "ndjson"])
  .default("json")
  .describe("csv and ndjson are streamed, of any length");

/** The media types of an export besides JSON, for the API's description. */
export const EXPORT_MEDIA = {
  "text/csv":
    "format=csv: a header line, then one line for each entry (RFC 4180). A text that a spreadsheet would run as a formula begins with '.",
  "application/x-ndjson": "format=ndjson: one JSON object per line, as in the JSON answer.",
};

/** The error shape of all of `/api`. */
export const ApiError = z
  .object({
    error: z.object({
      code: z.string().describe("one of few values, stable"),
      message: z.string().describe("the reason, for people"),
      failed_at: FailedAt.describe(
        "where the request failed: the edge, the tunnel to the box, or Ollama",
      ),
      request_id: z.uuid(),
    }),
  })
  .meta({ id: "ApiError" });
export type ApiError = z.infer<typeof ApiError>;

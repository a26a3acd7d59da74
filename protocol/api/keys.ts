/** `/api/keys`: the keys of people and programs, each with what it may do. */
import * as z from "zod";
import { isOrigin } from "../cross-origin.ts";
import { Priority } from "../priority.ts";
import { BoxName } from "../records.ts";
import { ROLES } from "../scopes.ts";
import { KEY_NAME_CHARS_MAX } from "../tags.ts";
import { KeyLimits, LimitsLeft } from "./key-limits.ts";
import { Count, Figure, ScopeName, Time } from "./shapes.ts";

/** The id of a key that the edge made. It is public: records and logs contain it. */
export const KeyId = z
  .string()
  .regex(
    /^[0-9a-f]{16}$/,
    "is not the id of a key that the edge made. Configured keys change with a deployment",
  );

/** More keys would slow down the isolates that learn them all. */
export const KEYS_MAX = 1_000;

/** The rest of the limits of each key costs a call of an object of its own. */
export const LEFT_LISTED_MAX = 200;

const ModelPattern = z
  .string()
  .min(1)
  .max(350)
  .regex(
    /^[A-Za-z0-9_*][A-Za-z0-9_.:/*-]*$/,
    "is not the name of a model, or a part of one with *, e.g. llama3.2, qwen3:* or hf.co/*",
  );

/** `read` stands for the scopes that read, so a key names those. */
const KeyScope = ScopeName.exclude(["read"]);

const Origin = z
  .string()
  .toLowerCase()
  .max(200)
  .refine(isOrigin, "is not an origin, e.g. https://chat.example.com, without a path");

const TokensMax = z.int().min(1).max(100_000_000).nullable().default(null);

/** The rights of a key, and their limits. */
export const KeyPolicy = z.strictObject({
  name: z.string().trim().min(1).max(KEY_NAME_CHARS_MAX).describe("whose key it is, for people"),
  scopes: z.array(KeyScope).min(1).describe("the rights of the key"),
  models: z
    .array(ModelPattern)
    .min(1)
    .max(100)
    .nullable()
    .default(null)
    .describe("the models that it may use, where * stands for any characters; null: all"),
  boxes: z
    .array(BoxName)
    .min(1)
    .max(100)
    .nullable()
    .default(null)
    .describe("the boxes that serve it; null: all"),
  expires_at: Time.nullable().default(null).describe("from then on it is refused; null: never"),
  keep_text: z
    .boolean()
    .default(true)
    .describe("false: the texts of its calls are not kept, whatever the edge is set to"),
  max_num_ctx: TokensMax.describe(
    "the largest context (`options.num_ctx`) that its calls may request; null: any",
  ),
  max_num_predict: TokensMax.describe(
    "most tokens of an answer. A call that requests more is refused, and one that names no number gets " +
      "this one; null: any",
  ),
  may_keep_alive: z
    .boolean()
    .default(true)
    .describe("false: its calls may not set `keep_alive`, and so not unload a model"),
  may_num_gpu: z.boolean().default(true).describe("false: its calls may not set `options.num_gpu`"),
  limits: KeyLimits.nullable().default(null).describe("how much it may use; null: any"),
  origins: z
    .array(Origin)
    .min(1)
    .max(50)
    .nullable()
    .default(null)
    .describe(
      "the web pages that may use it, and then no others; null: those of CORS_ORIGINS. Only on Ollama's paths",
    ),
  priority: Priority.default("normal").describe(
    "how often its calls have a turn where several wait for a box: four times as often as normal ones " +
      "(high), or an eighth as often (low)",
  ),
});
export type KeyPolicy = z.infer<typeof KeyPolicy>;

/** `POST /api/keys`. */
export const NewKey = KeyPolicy.meta({ id: "NewKey" });

/** `PATCH /api/keys/{id}`. A field that is left out stays unchanged. */
export const KeyChange = z
  .strictObject({
    name: KeyPolicy.shape.name,
    scopes: KeyPolicy.shape.scopes,
    models: KeyPolicy.shape.models.unwrap(),
    boxes: KeyPolicy.shape.boxes.unwrap(),
    expires_at: KeyPolicy.shape.expires_at.unwrap(),
    keep_text: KeyPolicy.shape.keep_text.unwrap(),
    max_num_ctx: KeyPolicy.shape.max_num_ctx.unwrap(),
    max_num_predict: KeyPolicy.shape.max_num_predict.unwrap(),
    may_keep_alive: KeyPolicy.shape.may_keep_alive.unwrap(),
    may_num_gpu: KeyPolicy.shape.may_num_gpu.unwrap(),
    limits: KeyPolicy.shape.limits.unwrap(),
    origins: KeyPolicy.shape.origins.unwrap(),
    priority: KeyPolicy.shape.priority.unwrap(),
  })
  .partial()
  .refine((change) => Object.keys(change).length > 0, { error: "must name a field to change" })
  .meta({ id: "KeyChange" });
export type KeyChange = z.infer<typeof KeyChange>;

/** The usage of a key by its calls. */
export const KeyUsage = z
  .object({
    requests: Count,
    errors: Count,
    prompt_tokens: Count,
    completion_tokens: Count,
    energy_j: Figure.describe("energy of its requests, as far as known; null if unknown"),
    cost: Figure.describe("cost of energy_j; null if none of it has a price"),
    cost_currency: z.string().nullable().describe("ISO 4217; null if the cost is unknown"),
    last_used_at: Time.nullable().describe("when its last request finished"),
  })
  .meta({ id: "KeyUsage" });
export type KeyUsage = z.infer<typeof KeyUsage>;

/** A key that has not been used. */
export const NO_USAGE: KeyUsage = {
  requests: 0,
  errors: 0,
  prompt_tokens: 0,
  completion_tokens: 0,
  energy_j: null,
  cost: null,
  cost_currency: null,
  last_used_at: null,
};

/** A key as it is shown: never the key itself. */
export const Key = z
  .object({
    id: z.string().describe("also `key_id` in logs"),
    ...KeyPolicy.shape,
    source: z
      .enum(["edge", "setting"])
      .describe("setting: it is configured with the Worker, and cannot be changed here"),
    state: z
      .enum(["valid", "expired", "revoked", "replaced"])
      .describe("replaced: the overlap of its rotation is over"),
    created_at: Time.nullable().describe("null for keys that are configured"),
    revoked_at: Time.nullable().describe(
      "when it was revoked, or when the overlap of its rotation ends",
    ),
    replaced_by: KeyId.nullable().describe(
      "the key of its rotation; null if it was revoked within the overlap",
    ),
    usage: KeyUsage.describe("since counting by key began, or the metrics were cleared"),
    left: LimitsLeft.nullable()
      .optional()
      .describe(
        "the rest of its limits; null without any. Absent in lists, unless they are requested with it, and " +
          "from those also if it is unknown at the moment",
      ),
  })
  .meta({ id: "Key" });
export type Key = z.infer<typeof Key>;

export const Keys = z.object({ keys: z.array(Key).describe("newest first") }).meta({ id: "Keys" });
export type Keys = z.infer<typeof Keys>;

/** The answer that makes a key, and the only one that contains it. */
export const MadeKey = z
  .object({
    ...Key.shape,
    key: z.string().describe("the key. It is shown only now: the edge does not keep it"),
    warnings: z
      .array(z.string())
      .describe("possible mistakes, e.g. a model that no box has, or an edge that is open"),
  })
  .meta({ id: "MadeKey" });
export type MadeKey = z.infer<typeof MadeKey>;

/** `GET /api/keys/self`. */
export const OwnKey = z
  .object({
    scopes: z.array(ScopeName).describe("the rights of this call"),
    key: Key.nullable().describe(
      "the key that made it; null for a person, and if the edge is open and needs none",
    ),
    person: z
      .object({ name: z.string(), role: z.enum(ROLES) })
      .nullable()
      .describe("the person who made it, and their role; null without a sign-in"),
    usage: KeyUsage.nullable().describe(
      "the usage of the key or the person; null if the edge is open and needs no key",
    ),
    models: z
      .array(z.string())
      .describe("the models that it may call on the boxes that are up, as /api/tags names them"),
  })
  .meta({ id: "OwnKey" });
export type OwnKey = z.infer<typeof OwnKey>;

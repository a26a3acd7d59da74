/**
 * Pins: models that a box keeps in memory, always or in some hours of the day.
 *
 * The edge keeps them, and the agent carries them out: it loads the model when its hours begin, renews it
 * before Ollama unloads it, and leaves it to Ollama when they end.
 */
import * as z from "zod";
import { DAY_HOURS } from "./day-hours.ts";
import { CONTEXT_LENGTH_MAX } from "./limits.ts";

/** More than a box can have in memory. */
export const PINS_PER_BOX_MAX = 16;

/** A pin of one box, in SETTINGS. */
export const Pin = z.object({
  model: z.string().max(512).describe("with its tag"),
  context_length: z
    .int()
    .min(1)
    .max(CONTEXT_LENGTH_MAX)
    .nullable()
    .describe("context in tokens (num_ctx); null for the default of its Ollama"),
  hours: z.object(DAY_HOURS).nullable().describe("null: always"),
  // An agent may know fewer zones than the edge that checked this one.
  time_zone: z.string().max(64).describe("IANA time zone of the hours"),
});
export type Pin = z.infer<typeof Pin>;

/**
 * `off`: outside of its hours. `waiting`: it will be loaded, once others have finished or after a pause.
 * `loading`, `loaded`. `failed`: the last attempts to load it failed, and the next one is later.
 */
export const PinState = z.enum(["off", "waiting", "loading", "loaded", "failed"]);
export type PinState = z.infer<typeof PinState>;

/** A pin as its agent has carried it out, in READINGS. */
export const PinReport = z.object({
  model: z.string().max(512),
  state: PinState,
  /** Why it waits or failed, for people; null without a reason. */
  reason: z.string().max(500).nullable(),
});
export type PinReport = z.infer<typeof PinReport>;

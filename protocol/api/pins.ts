/** `/api/pins`: models that boxes keep in memory, always or in some hours of the day. */
import * as z from "zod";
import { DayHours, TimeZone } from "../day-hours.ts";
import { CONTEXT_LENGTH_MAX } from "../limits.ts";
import { Pin, PinState } from "../pin.ts";
import { BoxName } from "../records.ts";
import type { ApiRoute } from "./route.ts";
import { Count, ModelName, Time } from "./shapes.ts";

/** A pin of one box, as `/api/boxes` lists it. */
export const BoxPin = Pin.extend({
  is_due: z.boolean().describe("whether its hours are now"),
  state: PinState.nullable().describe(
    "off: outside of its hours. waiting: it will be loaded. failed: the last attempts failed, and there will be more. null while the box is down, or before its agent has reported it",
  ),
  reason: z.string().nullable().describe("why it waits or has failed; null without a reason"),
  least_bytes: Count.nullable().describe(
    "memory that it takes at least, by what any box has measured, or by its size on disk; null if unknown",
  ),
  created_at: Time,
});
export type BoxPin = z.infer<typeof BoxPin>;

const ShownPin = BoxPin.extend({ box: BoxName }).meta({ id: "Pin" });
export type ShownPin = z.infer<typeof ShownPin>;

/** `GET /api/pins`. */
export const Pins = z
  .object({ pins: z.array(ShownPin).describe("in order of box and model"), timestamp: Time })
  .meta({ id: "Pins" });
export type Pins = z.infer<typeof Pins>;

/** The body of `PUT /api/pins`. */
export const PinRequest = z
  .strictObject({
    model: ModelName,
    box: BoxName,
    context: z
      .int()
      .min(1)
      .max(CONTEXT_LENGTH_MAX)
      .nullable()
      .default(null)
      .describe("context length (num_ctx); null for the default of its Ollama"),
    hours: DayHours.nullable().default(null).describe("when the model is in memory; null: always"),
    time_zone: TimeZone.optional().describe(
      "zone of the hours; by default that of the tariff of the box, or UTC",
    ),
  })
  .meta({ id: "PinRequest" });
export type PinRequest = z.infer<typeof PinRequest>;

export const PinQuery = z.strictObject({ model: ModelName, box: BoxName });
export type PinQuery = z.infer<typeof PinQuery>;

const PinRemoved = z
  .object({ status: z.literal("removed"), box: BoxName, model: z.string() })
  .meta({ id: "PinRemoved" });

export const PIN_ROUTES = {
  pins: {
    method: "GET",
    path: "/api/pins",
    scope: "stats",
    tag: "Models",
    summary: "The models that boxes keep in memory, and whether they are",
    answer: Pins,
  },
  putPin: {
    method: "PUT",
    audit: "pin_set",
    path: "/api/pins",
    scope: "models",
    tag: "Models",
    summary: "Keep a model in the memory of a box, always or in some hours of the day",
    description: [
      "Replaces the pin of the same box and model. The agent loads the model, and renews it before Ollama unloads it; these requests are",
      "no caller's: a load is in the log with source system. 409, code pin_too_large, if it cannot fit on the GPUs of the box,",
      "alone or beside the other pins of the same hours. 404 if the box or the model on it is unknown. 501 for an older agent.",
    ].join(" "),
    body: PinRequest,
    answer: ShownPin,
  },
  removePin: {
    method: "DELETE",
    audit: "pin_removed",
    path: "/api/pins",
    scope: "models",
    tag: "Models",
    summary: "Remove a pin",
    description: "The model stays in memory until Ollama unloads it, within a quarter of an hour.",
    query: PinQuery,
    answer: PinRemoved,
  },
} as const satisfies Record<string, ApiRoute>;

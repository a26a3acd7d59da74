/** `/api/config`: the edge's configuration, and the settings that can change at run time. */
import * as z from "zod";
import { ExporterType } from "../messages.ts";
import type { ApiRoute } from "./route.ts";
import { Count, ScopeName, Time } from "./shapes.ts";

export const OnOff = z.enum(["on", "off"]);

/** `GET /api/config`. */
export const Config = z
  .object({
    enable_instrumentation: z.boolean().describe("false: calls are served but not recorded"),
    exporter_type: ExporterType,
    metrics_export_interval: z
      .number()
      .positive()
      .describe("seconds between two writes to the external stores"),
    clickhouse_host: z
      .string()
      .nullable()
      .describe("null if not configured, and for keys without the scope admin"),
    postgres_host: z
      .string()
      .nullable()
      .describe("null if not configured, and for keys without the scope admin"),
    // Fields that the seed's API lacks.
    log_content: OnOff.describe(
      "off: prompts and responses are not stored anywhere, nor error messages that may quote them",
    ),
    auth_mode: z.enum(["keys", "open"]),
    scopes: z.array(ScopeName).describe("the scopes of the key that made this call"),
    retention: z.object({
      logs_days: Count,
      logs_rows_max: Count,
      minutes_days: Count,
      hours_days: Count,
      samples_hours: Count,
      texts_hours: Count.describe("prompts and answers of the logs"),
      events_days: Count.nullable().describe("null: until there are events_max newer ones"),
      events_max: Count,
      audit_days: Count,
      stores: z
        .object({ logs_days: Count, samples_days: Count, sums_days: Count })
        .nullable()
        .describe("in the external stores; null without one"),
    }),
    version: z.string(),
    changed_at: Time.nullable().describe(
      "when a setting was last changed at run time; null if all are as deployed",
    ),
  })
  .meta({ id: "Config" });
export type Config = z.infer<typeof Config>;

/**
 * `PATCH /api/config`. A field that is left out stays unchanged; `null` resets it to the deployed
 * value.
 */
export const ConfigPatch = z
  .strictObject({
    enable_instrumentation: z.boolean().nullable().optional(),
    log_content: OnOff.nullable().optional(),
  })
  .refine((patch) => Object.keys(patch).length > 0, {
    error: "must name at least one setting to change",
  })
  .meta({ id: "ConfigPatch" });
export type ConfigPatch = z.infer<typeof ConfigPatch>;

export const CONFIG_ROUTES = {
  config: {
    method: "GET",
    path: "/api/config",
    scope: "stats",
    tag: "Configuration",
    summary: "Get the edge's configuration, without secrets",
    answer: Config,
  },
  patchConfig: {
    method: "PATCH",
    audit: "config_changed",
    path: "/api/config",
    scope: "admin",
    tag: "Configuration",
    summary: "Change settings at run time",
    description: [
      "A change is in force everywhere within a second and survives deployments; null resets a setting",
      "to its deployed value. Switching log_content off also removes the stored texts permanently, before",
      "the answer arrives; those in external stores stay until `npm run erase:texts`. Agents older than",
      "this edge learn log_content when they connect again.",
    ].join(" "),
    body: ConfigPatch,
    answer: Config,
  },
} as const satisfies Record<string, ApiRoute>;

/** `/api/config`: how the edge is set, and what of it can change while it runs. */
import { z } from "zod";
import { ExporterType } from "../messages.ts";
import type { ApiRoute } from "./route.ts";
import { Count, Time } from "./shapes.ts";

export const OnOff = z.enum(["on", "off"]);

/** `GET /api/config`. */
export const Config = z
  .object({
    enable_instrumentation: z.boolean().describe("false: calls are served, and not recorded"),
    exporter_type: ExporterType,
    metrics_export_interval: z
      .number()
      .positive()
      .describe("seconds between two writes to the stores"),
    clickhouse_host: z
      .string()
      .nullable()
      .describe("null when not configured, and for keys without the scope admin"),
    postgres_host: z
      .string()
      .nullable()
      .describe("null when not configured, and for keys without the scope admin"),
    // ours
    log_content: OnOff.describe("off: prompts and responses are kept nowhere"),
    auth_mode: z.enum(["keys", "open"]),
    scopes: z
      .array(z.enum(["infer", "read", "admin"]))
      .describe("what the key of this call may do"),
    retention: z.object({
      logs_days: Count,
      logs_rows_max: Count,
      minutes_days: Count,
      hours_days: Count,
      samples_hours: Count,
    }),
    version: z.string(),
    changed_at: Time.nullable().describe(
      "when it was changed at run time; null when it is as deployed",
    ),
  })
  .meta({ id: "Config" });
export type Config = z.infer<typeof Config>;

/** `PATCH /api/config`. A field that is left out stays; `null` means: as deployed. */
export const ConfigPatch = z
  .strictObject({
    enable_instrumentation: z.boolean().nullable().optional(),
    log_content: OnOff.nullable().optional(),
  })
  .refine((patch) => Object.keys(patch).length > 0, { error: "names nothing to change" })
  .meta({ id: "ConfigPatch" });
export type ConfigPatch = z.infer<typeof ConfigPatch>;

export const CONFIG_ROUTES = {
  config: {
    method: "GET",
    path: "/api/config",
    scope: "read",
    tag: "Configuration",
    summary: "How the edge is set; never a secret",
    answer: Config,
  },
  patchConfig: {
    method: "PATCH",
    path: "/api/config",
    scope: "admin",
    tag: "Configuration",
    summary: "Change what can change at run time",
    description:
      "Kept until it is changed again, also by a new deployment; null goes back to what was deployed. In force everywhere within a second. Where LOG_CONTENT was deployed as off, calls to the listener of an agent keep no text whatever is set here.",
    body: ConfigPatch,
    answer: Config,
  },
} as const satisfies Record<string, ApiRoute>;

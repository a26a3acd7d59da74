/** `/api/thresholds`: the values above which concerns are raised. */
import * as z from "zod";
import { THRESHOLD_CODES } from "../threshold-figures.ts";
import { ThresholdRules } from "../thresholds.ts";
import type { ApiRoute } from "./route.ts";
import { Figure } from "./shapes.ts";

export const ThresholdsState = z
  .object({
    rules: ThresholdRules.describe("set by an administrator"),
    built_in: z
      .array(
        z.object({
          code: z.enum(THRESHOLD_CODES),
          description: z.string(),
          unit: z.string(),
          warning: Figure.describe("null: no value raises a warning"),
          critical: Figure,
        }),
      )
      .describe("used where no rule matches"),
  })
  .meta({ id: "ThresholdsState" });
export type ThresholdsState = z.infer<typeof ThresholdsState>;

const tag = "Notifications";

export const THRESHOLD_ROUTES = {
  thresholds: {
    method: "GET",
    path: "/api/thresholds",
    scope: "stats",
    tag,
    summary: "The values above which concerns are raised, for all, a box or a model",
    answer: ThresholdsState,
  },
  putThresholds: {
    method: "PUT",
    audit: "thresholds_set",
    path: "/api/thresholds",
    scope: "admin",
    tag,
    summary: "Replace the rules by which values raise concerns",
    description: [
      "The rule for a model comes before one for its box, and both before one for all. A rule without warning and critical raises nothing. The",
      "page, /api/health, messages and ollama_concern follow at once; see docs/monitoring.md for the alerts of Prometheus.",
    ].join(" "),
    body: z.strictObject({ rules: ThresholdRules }),
    answer: ThresholdsState,
  },
} as const satisfies Record<string, ApiRoute>;

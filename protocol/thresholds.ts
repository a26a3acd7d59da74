/**
 * Thresholds that the owner of an edge sets for its concerns: for all, for a box, or for a model. Without
 * them, those of `concerns.ts` hold. Pure.
 */
import * as z from "zod";
import type { Thresholds } from "./concerns/definition.ts";
import { CONCERNS } from "./concerns.ts";
import { withTag } from "./inventory.ts";
import { BoxName } from "./records.ts";
import { THRESHOLD_CODES, THRESHOLD_FIGURES, type ThresholdCode } from "./threshold-figures.ts";

/** Each is looked at whenever concerns are judged. */
export const THRESHOLD_RULES_MAX = 200;

const limit = z.number().nonnegative().nullable().default(null);

export const ThresholdRule = z
  .strictObject({
    code: z.enum(THRESHOLD_CODES),
    box: BoxName.nullable().default(null).describe("null: all boxes"),
    model: z
      .string()
      .min(1)
      .max(512)
      .nullable()
      .default(null)
      .describe("with or without :latest; null: all models"),
    warning: limit.describe("values above it raise a warning; null: none does"),
    critical: limit.describe("values above it are critical; null: none is"),
  })
  .refine(({ code, box }) => box === null || THRESHOLD_FIGURES[code].place !== "everywhere", {
    error: "is a concern about the whole edge: leave out box",
    path: ["box"],
  })
  .refine(({ code, model }) => model === null || THRESHOLD_FIGURES[code].place === "model", {
    error: "is no concern about a model: leave out model",
    path: ["model"],
  })
  .meta({ id: "ThresholdRule" });
export type ThresholdRule = z.infer<typeof ThresholdRule>;

export const ThresholdRules = z
  .array(ThresholdRule)
  .max(THRESHOLD_RULES_MAX)
  .refine((rules) => new Set(rules.map(thresholdKey)).size === rules.length, {
    error: "has two rules for the same concern, box and model",
  });

/** Names the concern, box and model of a rule. */
export const thresholdKey = ({ code, box, model }: ThresholdRule): string =>
  JSON.stringify([code, box, model === null ? null : withTag(model)]);

/** The thing that a concern is about, as far as thresholds differ. */
type ThresholdSubject = { box?: string | null; model?: string | null };
export type ThresholdsOf = (code: ThresholdCode, subject?: ThresholdSubject) => Thresholds;

export const builtInThresholds: ThresholdsOf = (code) => CONCERNS[code].severity.above;

/** A rule for a model comes before one for a box, and both before one for all. */
export function thresholdsOf(rules: readonly ThresholdRule[]): ThresholdsOf {
  if (rules.length === 0) return builtInThresholds;
  const byKey = new Map(rules.map((rule) => [thresholdKey(rule), rule]));
  return (code, { box = null, model = null } = {}) => {
    const places = [
      { box, model },
      { box: null, model },
      { box, model: null },
      { box: null, model: null },
    ];
    for (const place of places) {
      const rule = byKey.get(thresholdKey({ code, ...place, warning: null, critical: null }));
      if (rule !== undefined) return limitsOf(rule);
    }
    return builtInThresholds(code);
  };
}

const limitsOf = ({ warning, critical }: ThresholdRule): Thresholds => ({
  ...(warning !== null && { warning }),
  ...(critical !== null && { critical }),
});

/** The form of a rule for the thresholds of concerns. Pure. */
import type { ThresholdsState } from "../../protocol/api/thresholds.ts";
import {
  THRESHOLD_FIGURES,
  type ThresholdCode,
  type ThresholdUnit,
} from "../../protocol/threshold-figures.ts";
import type { ThresholdRule } from "../../protocol/thresholds.ts";
import { short, UNKNOWN } from "./format.ts";
import { isSameModel } from "./models.ts";

/** Shares are typed in percent. */
const TYPED_UNITS: Partial<Record<ThresholdUnit, string>> = {
  "part of the requests, 0 to 1": "%",
  percent: "%",
};

/** Returns the unit in which a threshold is typed and shown. */
export function typedUnit(code: ThresholdCode): string {
  const { unit } = THRESHOLD_FIGURES[code];
  return TYPED_UNITS[unit] ?? unit;
}

export type ThresholdDraft = {
  code: ThresholdCode;
  /** Empty: all of them. */
  box: string;
  model: string;
  warning: string;
  critical: string;
};

const factorOf = (code: ThresholdCode): number =>
  THRESHOLD_FIGURES[code].unit === "part of the requests, 0 to 1" ? 100 : 1;

/** Rounds away what is not in the number that was typed: 0.07 times 100 is 7.000000000000001. */
const rounded = (value: number): number => Number(value.toPrecision(12));

type Limits = Pick<ThresholdRule, "code" | "warning" | "critical">;

export function draftOf(rule: Limits & Partial<ThresholdRule>): ThresholdDraft {
  const typed = (value: number | null) =>
    value === null ? "" : String(rounded(value * factorOf(rule.code)));
  return {
    code: rule.code,
    box: rule.box ?? "",
    model: rule.model ?? "",
    warning: typed(rule.warning),
    critical: typed(rule.critical),
  };
}

export function ruleOf(draft: ThresholdDraft): ThresholdRule {
  const { code } = draft;
  const { place } = THRESHOLD_FIGURES[code];
  const limit = (typed: string) =>
    typed.trim() === "" ? null : rounded(Number(typed) / factorOf(code));
  return {
    code,
    // Another concern may have been chosen after the box or the model.
    box: place === "everywhere" ? null : draft.box || null,
    model: place === "model" ? draft.model.trim() || null : null,
    warning: limit(draft.warning),
    critical: limit(draft.critical),
  };
}

/** Returns why a rule makes no sense, or null. */
export function faultOf({ code, warning, critical }: ThresholdRule): string | null {
  const share = typedUnit(code) === "%" ? 100 / factorOf(code) : null;
  for (const value of [warning, critical]) {
    if (value === null) continue;
    if (!Number.isFinite(value) || value < 0) return "A threshold must be a number of at least 0.";
    if (share !== null && value > share) return "A threshold in % must be at most 100.";
  }
  if (warning !== null && critical !== null && critical <= warning)
    return "The critical threshold must be above that of the warning.";
  return null;
}

/** A model is the same with and without `:latest`, as it is for the edge. */
const isSamePlace = (one: ThresholdRule, other: ThresholdRule): boolean =>
  one.code === other.code &&
  one.box === other.box &&
  isSameModel(one.model ?? "", other.model ?? "");

/**
 * Returns the rules with one more. It replaces the one that it was made from, and any for the same
 * concern, box and model.
 */
export const withRule = (
  rules: readonly ThresholdRule[],
  rule: ThresholdRule,
  from: ThresholdRule | null,
): ThresholdRule[] => [
  ...rules.filter(
    (each) => !isSamePlace(each, rule) && (from === null || !isSamePlace(each, from)),
  ),
  rule,
];

export const withoutRule = (
  rules: readonly ThresholdRule[],
  rule: ThresholdRule,
): ThresholdRule[] => rules.filter((each) => !isSamePlace(each, rule));

export const placeText = ({ box, model }: Pick<ThresholdRule, "box" | "model">): string => {
  if (model !== null) return box === null ? model : `${model} on ${box}`;
  return box ?? "All";
};

export function limitText(value: number | null, code: ThresholdCode): string {
  if (value === null) return UNKNOWN;
  return `${short(rounded(value * factorOf(code)))}\u202f${typedUnit(code)}`;
}

/** The built-in thresholds that no rule for all replaces. */
export const builtInLeft = ({ rules, built_in }: ThresholdsState): ThresholdsState["built_in"] =>
  built_in.filter(
    ({ code }) =>
      !rules.some((rule) => rule.code === code && rule.box === null && rule.model === null),
  );

/** Names and units of the thresholds of concerns, and the form of a rule. Pure. */
import type { ThresholdsState } from "../../protocol/api/thresholds.ts";
import type { ThresholdCode, ThresholdRule } from "../../protocol/thresholds.ts";
import { short, UNKNOWN } from "./format.ts";
import { isSameModel } from "./models.ts";

type Place = "everywhere" | "box" | "model";

/** Names of the values, their units, and the narrowest thing that a threshold can be for. */
export const THRESHOLD_NAMES: Record<
  ThresholdCode,
  { name: string; unit: string; place: Place; isShare?: true }
> = {
  error_rate_high: { name: "Failed requests", unit: "%", place: "everywhere", isShare: true },
  latency_high: { name: "Latency (P95)", unit: "ms", place: "everywhere" },
  queue_long: { name: "Requests waiting", unit: "requests", place: "everywhere" },
  model_errors_high: {
    name: "Failed requests of a model",
    unit: "%",
    place: "model",
    isShare: true,
  },
  model_latency_high: { name: "Latency of a model (P95)", unit: "ms", place: "model" },
  gpu_hot: { name: "GPU temperature", unit: "°C", place: "box" },
  gpu_bypassed: { name: "GPU busy without a request", unit: "%", place: "box" },
  disk_filling: { name: "Disk used", unit: "%", place: "box" },
  clock_skew: { name: "Clock of a box wrong by", unit: "ms", place: "box" },
  records_unsent: { name: "Unsent records of a box", unit: "records", place: "box" },
  store_behind: { name: "Records waiting for a store", unit: "records", place: "everywhere" },
};

export type ThresholdDraft = {
  code: ThresholdCode;
  /** Empty: all of them. */
  box: string;
  model: string;
  warning: string;
  critical: string;
};

/** Shares are typed in percent. */
const factorOf = (code: ThresholdCode): number => (THRESHOLD_NAMES[code].isShare ? 100 : 1);

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
  const { place } = THRESHOLD_NAMES[code];
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
  const share = THRESHOLD_NAMES[code].unit === "%" ? 100 / factorOf(code) : null;
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
  const { unit } = THRESHOLD_NAMES[code];
  return `${short(rounded(value * factorOf(code)))}\u202f${unit}`;
}

/** The built-in thresholds that no rule for all replaces. */
export const builtInLeft = ({ rules, built_in }: ThresholdsState): ThresholdsState["built_in"] =>
  built_in.filter(
    ({ code }) =>
      !rules.some((rule) => rule.code === code && rule.box === null && rule.model === null),
  );

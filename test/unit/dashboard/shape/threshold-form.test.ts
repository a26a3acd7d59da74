import { expect, test } from "vitest";
import {
  builtInLeft,
  draftOf,
  faultOf,
  limitText,
  placeText,
  ruleOf,
  withoutRule,
  withRule,
} from "../../../../dashboard/shape/threshold-form.ts";
import { CONCERN_CODES, CONCERNS } from "../../../../protocol/concerns.ts";
import { THRESHOLD_CODES, type ThresholdCode } from "../../../../protocol/threshold-figures.ts";
import { ThresholdRule, ThresholdRules } from "../../../../protocol/thresholds.ts";
import { thresholdsState } from "../../../../worker/answers/thresholds.ts";

const FULL = { box: "atlas", model: "llama3.2", warning: "10", critical: "20" };
const rule = (code: ThresholdCode, changes: Partial<ThresholdRule> = {}): ThresholdRule =>
  ThresholdRule.parse({ code, ...changes });

test.each(THRESHOLD_CODES)(
  "makes a rule of %s that the edge accepts, whatever is typed",
  (code) => {
    const made = ruleOf({ code, ...FULL });
    expect(ThresholdRule.parse(made)).toEqual(made);
    expect(draftOf(made)).toMatchObject({ code, warning: "10", critical: "20" });
    const isModel = CONCERNS[code].subject === "model";
    expect(made.model).toBe(isModel ? "llama3.2" : null);
  },
);

test("has a figure for each concern that a threshold raises", () => {
  const raised = CONCERN_CODES.filter((code) => typeof CONCERNS[code].severity !== "string");
  expect(THRESHOLD_CODES.toSorted()).toEqual(raised.toSorted());
});

test("types shares in percent, without the dust of binary fractions", () => {
  const made = ruleOf({ ...FULL, code: "model_errors_high", warning: "7", critical: "" });
  expect(made).toMatchObject({ warning: 0.07, critical: null });
  expect(draftOf(made)).toMatchObject({ warning: "7", critical: "" });
  expect(limitText(made.warning, made.code)).toBe("7\u202f%");
  expect(limitText(85, "gpu_hot")).toBe("85\u202f°C");
  expect(limitText(null, "gpu_hot")).toBe("–");
});

test.each([
  ["a word", { warning: "hot" }, "A threshold must be a number of at least 0."],
  ["a negative number", { warning: "-1" }, "A threshold must be a number of at least 0."],
  ["more than 100 %", { critical: "120" }, "A threshold in % must be at most 100."],
  [
    "an order",
    { warning: "9", critical: "8" },
    "The critical threshold must be above that of the warning.",
  ],
])("refuses %s", (_, typed, fault) => {
  const draft = { ...FULL, code: "model_errors_high" as const, ...typed };
  expect(faultOf(ruleOf(draft))).toBe(fault);
});

test("accepts a rule without values, which switches the concern off", () => {
  expect(faultOf(ruleOf({ ...FULL, code: "disk_filling", warning: "", critical: "" }))).toBeNull();
});

test("keeps one rule for each concern, box and model", () => {
  const rules = [rule("gpu_hot", { warning: 80 }), rule("gpu_hot", { box: "atlas", warning: 70 })];
  const changed = withRule(rules, rule("gpu_hot", { box: "atlas", warning: 75 }), null);
  expect(ThresholdRules.parse(changed)).toHaveLength(2);
  const moved = withRule(rules, rule("gpu_hot", { box: "hermes" }), rules[1] ?? null);
  expect(moved.map(placeText)).toEqual(["All", "hermes"]);
  expect(withoutRule(rules, rule("gpu_hot"))).toEqual([rules[1]]);
  const tagged = [rule("model_latency_high", { model: "llama3.2:latest" })];
  const replaced = withRule(tagged, rule("model_latency_high", { model: "llama3.2" }), null);
  expect(ThresholdRules.parse(replaced)).toHaveLength(1);
});

test("names the place of a rule, and lists the built-in thresholds that no rule replaces", () => {
  const places = [
    { box: null, model: "llama3.2" },
    { box: "atlas", model: "llama3.2" },
  ];
  expect(places.map(placeText)).toEqual(["llama3.2", "llama3.2 on atlas"]);
  const state = thresholdsState([rule("gpu_hot"), rule("disk_filling", { box: "atlas" })]);
  const left = builtInLeft(state).map(({ code }) => code);
  expect(left).not.toContain("gpu_hot");
  expect(left).toContain("disk_filling");
});

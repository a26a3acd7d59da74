/** Thresholds that an owner sets, and the concerns that they raise. */
import { describe, expect, test } from "vitest";
import { CONCERNS } from "../../../protocol/concerns.ts";
import { THRESHOLD_CODES } from "../../../protocol/threshold-figures.ts";
import {
  builtInThresholds,
  type ThresholdRule,
  ThresholdRules,
  thresholdsOf,
} from "../../../protocol/thresholds.ts";
import { boxOf, liveOf } from "../dashboard/live.ts";
import { summariesWith } from "../worker/answers/concerns-scene.ts";

const rules = (...wishes: object[]): ThresholdRule[] => ThresholdRules.parse(wishes);

test("without rules, each concern has the thresholds of its definition", () => {
  for (const code of THRESHOLD_CODES)
    expect(thresholdsOf([])(code)).toEqual(CONCERNS[code].severity.above);
  expect(builtInThresholds("gpu_hot")).toEqual({ warning: 85, critical: 90 });
});

test("a rule for a model comes before one for its box, and both before one for all", () => {
  const limits = thresholdsOf(
    rules(
      { code: "model_latency_high", warning: 1 },
      { code: "model_latency_high", box: "atlas", warning: 2 },
      { code: "model_latency_high", model: "llama3.2", warning: 3 },
      { code: "model_latency_high", model: "llama3.2:latest", box: "atlas", critical: 4 },
    ),
  );
  const of = (box: string, model: string) => limits("model_latency_high", { box, model });
  expect(of("basil", "mistral:latest")).toEqual({ warning: 1 });
  expect(of("atlas", "mistral:latest")).toEqual({ warning: 2 });
  expect(of("basil", "llama3.2:latest")).toEqual({ warning: 3 });
  expect(of("atlas", "llama3.2:latest")).toEqual({ critical: 4 });
  expect(limits("gpu_hot", { box: "atlas" })).toEqual({ warning: 85, critical: 90 });
});

test.each([
  [{ code: "latency_high", box: "atlas", warning: 1 }, "about the whole edge"],
  [{ code: "store_behind", box: "atlas", warning: 1 }, "about the whole edge"],
  [{ code: "gpu_hot", model: "llama3.2", warning: 1 }, "no concern about a model"],
  [{ code: "box_down", warning: 1 }, "Invalid option"],
  [{ code: "gpu_hot", warning: -1 }, "Too small"],
])("refuses the rule %j", (rule, reason) => {
  expect(ThresholdRules.safeParse([rule]).error?.message).toContain(reason);
});

test("refuses two rules for the same model, with and without its tag", () => {
  const both = ["llama3.2", "llama3.2:latest"].map((model) => ({
    ...{ code: "model_latency_high", model, warning: 1 },
  }));
  expect(ThresholdRules.safeParse(both).error?.message).toContain("two rules");
});

const hot = (box: string) => {
  const { gpus } = boxOf({});
  return boxOf({ name: box, gpus: gpus.map((gpu) => ({ ...gpu, box, temperature_c: 80 })) });
};

describe("the concerns of an edge with rules", () => {
  test("a GPU of one box is hot earlier than that of another", () => {
    const thresholds = rules({ code: "gpu_hot", box: "atlas", warning: 70, critical: 75 });
    expect(summariesWith({ boxes: [hot("atlas"), hot("basil")], thresholds })).toEqual([
      "critical gpu_hot: GPU 0 of atlas is at 80 °C",
    ]);
  });

  test("a concern without a limit is never raised", () => {
    const recent = { ...liveOf({}).recent, requests: 50, latency_p95_ms: 60_000 };
    expect(summariesWith({ recent })).toHaveLength(1);
    expect(summariesWith({ recent, thresholds: rules({ code: "latency_high" }) })).toEqual([]);
  });

  const recentOf = (model: string, rest: object) => ({
    ...{ box: boxOf({}).name, model, minutes: 5, requests: 20, errors: 0, error_rate: 0 },
    latency_p95_ms: 9_000,
    ...rest,
  });

  test("a model has its own limit for its latency and its errors", () => {
    const thresholds = rules(
      { code: "model_latency_high", model: "llama3.2", warning: 5_000 },
      { code: "model_latency_high", model: "llama3.3:70b", warning: 20_000 },
      { code: "model_errors_high", warning: 0.1, critical: 0.4 },
    );
    const recentByModel = [
      recentOf("llama3.2:latest", {}),
      recentOf("llama3.3:70b", { errors: 10, error_rate: 0.5 }),
      recentOf("mistral:latest", { requests: 9, errors: 9, error_rate: 1 }),
    ];
    const box = boxOf({}).name;
    expect(summariesWith({ thresholds, recentByModel })).toEqual([
      `critical model_errors_high: llama3.3:70b on ${box} fails 50 % of its requests over the last 5 minutes: 10 of 20`,
      `warning model_latency_high: llama3.2:latest on ${box} takes 9 s at P95 over the last 5 minutes`,
    ]);
    expect(summariesWith({ recentByModel })).toEqual([]);
  });
});

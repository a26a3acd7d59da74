import { expect, test } from "vitest";
import { reportOf } from "../../../../agent/bench/report.ts";
import { benchPointOf, benchResultOf, flat } from "../../../support/bench-results.ts";

test("shows a result as a table of at most 80 columns", () => {
  const points = [
    benchPointOf({
      tokens_per_second: { median: 210.31, min: 209.8, max: 210.9 },
      ttft_ms: { median: 41.2, min: 40.1, max: 44 },
      prefill_tokens_per_second: { median: 5_210, min: 5_100, max: 5_300 },
      wh_per_1k_tokens: { median: 0.352, min: 0.341, max: 0.36 },
    }),
    benchPointOf({ context: 3_072, ttft_ms: { median: 29_002, min: 18_776, max: 32_191 } }),
  ];
  const text = reportOf(benchResultOf({ points, skipped: [8_192], discarded: 1 }), "atlas");
  expect(text).toBe(`llama3.2:3b on atlas
3.2B, Q4_K_M, 100 % in GPU memory
NVIDIA H100 80GB HBM3
driver 580.159.04, Ollama 0.24.0, agent 0.1.0
context 4096, loaded in 0.90 s, 3 answers of 128 tokens each

 prompt          tokens/s          TTFT, ms  prefill tokens/s  Wh per 1k tokens
    128     210 (210-211)  41.2 (40.1-44.0)  5210 (5100-5300)  0.35 (0.34-0.36)
   3072               100     29k (19k-32k)              4000              0.50

Medians, with the range of the repeats.
Too long for the context: 8192.
Stopped for other callers and repeated: 1.`);
  expect(Math.max(...text.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
});

test("shows unknown figures as dashes and not as 0, and states why the energy is unknown", () => {
  const points = [benchPointOf({ wh_per_1k_tokens: null, ttft_ms: flat(0) })];
  const text = reportOf(
    benchResultOf({
      points,
      load_ms: null,
      gpu_share: null,
      gpus: [],
      driver_version: null,
      ollama_version: null,
      parameter_size: null,
    }),
    "atlas",
  );
  expect(text).toContain(
    "    128               100              0.00              4000                 –",
  );
  expect(text).toContain("Q4_K_M\nOllama (unknown version), agent 0.1.0\n");
  expect(text).toContain("context 4096, in memory before, 3 answers");
  expect(text).toContain("Wh is unknown where the power cannot be read, or not often enough.");
});

test("cuts the names of many GPUs and of long models to the width", () => {
  const text = reportOf(
    benchResultOf({ model: `hf.co/${"x".repeat(120)}:Q4`, gpus: ["G".repeat(128)] }),
    "atlas",
  );
  expect(Math.max(...text.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
});

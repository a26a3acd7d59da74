/** Results of benches for tests, with every field known by default. */
import type { BenchPoint, BenchResult, BenchRun, Spread } from "../../protocol/bench.ts";

/** A spread whose values are all equal. */
export const flat = (median: number): NonNullable<Spread> => ({ median, min: median, max: median });

export const benchPointOf = (rest: Partial<BenchPoint> = {}): BenchPoint => ({
  context: 128,
  prompt_tokens: flat(128),
  completion_tokens: flat(128),
  repeats: 3,
  tokens_per_second: flat(100),
  ttft_ms: flat(50),
  prefill_tokens_per_second: flat(4_000),
  wh_per_1k_tokens: flat(0.5),
  energy_method: "instant",
  ...rest,
});

export const benchResultOf = (rest: Partial<BenchResult> = {}): BenchResult => ({
  model: "llama3.2:3b",
  started_at: "2026-11-24T12:00:00.000Z",
  duration_ms: 20_000,
  waited_ms: 0,
  output_tokens: 128,
  load_ms: 900,
  points: [benchPointOf()],
  skipped: [],
  discarded: 0,
  context_length: 4_096,
  gpu_share: 1,
  digest: "sha256:1",
  quantization: "Q4_K_M",
  parameter_size: "3.2B",
  ollama_version: "0.24.0",
  agent_version: "0.1.0",
  driver_version: "580.159.04",
  gpus: ["NVIDIA H100 80GB HBM3"],
  ...rest,
});

export const benchRunOf = (n: number, rest: Partial<BenchRun> = {}): BenchRun => ({
  ...benchResultOf(),
  id: `01890a5d-ac96-774b-bcce-${n.toString(16).padStart(12, "0")}`,
  box: "atlas",
  simulated: false,
  ...rest,
});

/**
 * The bench of a box: its call from the edge to the agent, what the agent reports, and its result.
 *
 * The agent runs it. To the tunnel it is one more stream: OPEN with the path of {@link BENCH_ROUTE},
 * which is no path of Ollama, and an answer of one {@link BenchLine} a line. An agent that can run it
 * has `runs_bench` in its HELLO. A caller that leaves cancels it, as it cancels any request.
 */
import * as z from "zod";
import { ModelName, Time } from "./api/shapes.ts";
import { BoxName, EnergyMethod } from "./records.ts";
import type { OllamaRoute } from "./routes.ts";

/** Not in the allowlist of callers: only the route of `/api` that starts a bench leads here. */
export const BENCH_ROUTE: OllamaRoute = {
  method: "POST",
  path: "/bench",
  api: "ollama",
  scope: "models",
  kind: "management",
  body: "json",
  streams: "by_default",
};

/**
 * Prompts of these lengths, as far as they fit: short, and two that Ollama's default context of
 * 4,096 takes.
 */
export const CONTEXTS_DEFAULT: readonly number[] = [128, 1_024, 3_072];

export const BenchRequest = z
  .strictObject({
    model: ModelName,
    contexts: z
      .array(z.int().min(32).max(1_000_000))
      .min(1)
      .max(8)
      .default([...CONTEXTS_DEFAULT])
      .describe("lengths of the prompts in tokens; those that do not fit the context are skipped"),
    output_tokens: z.int().min(16).max(2_048).default(128),
    repeats: z.int().min(1).max(10).default(3).describe("measured requests for each length"),
    reload: z
      .boolean()
      .default(false)
      .describe("unload the model first, to measure the time of its load"),
    wait_s: z
      .int()
      .min(0)
      .max(600)
      .default(60)
      .describe("how long the bench may wait, in sum, for the box to be idle"),
  })
  .meta({ id: "BenchRequest" });
export type BenchRequest = z.infer<typeof BenchRequest>;

const figure = z.number().nonnegative();

/** A figure of several repeats; null if no repeat has it. */
export const Spread = z.object({ median: figure, min: figure, max: figure }).nullable();
export type Spread = z.infer<typeof Spread>;

/** The figures that runs are compared by. */
export const BENCH_FIGURES = [
  "tokens_per_second",
  "ttft_ms",
  "prefill_tokens_per_second",
  "wh_per_1k_tokens",
] as const;
export type BenchFigure = (typeof BENCH_FIGURES)[number];

/** The figures of one length of the prompt. */
export const BenchPoint = z.object({
  context: z.int().positive().describe("wanted length of the prompt in tokens"),
  prompt_tokens: Spread.describe("length of the prompts by Ollama's count"),
  completion_tokens: Spread,
  repeats: z.int().nonnegative(),
  tokens_per_second: Spread.describe("output tokens by decode time, both by Ollama"),
  ttft_ms: Spread.describe("from sending the request until its first content, measured on the box"),
  prefill_tokens_per_second: Spread.describe("prompt tokens by prefill time, both by Ollama"),
  wh_per_1k_tokens: Spread.describe(
    "energy of the whole request for 1,000 output tokens; null if the power cannot be read",
  ),
  energy_method: EnergyMethod.nullable(),
});
export type BenchPoint = z.infer<typeof BenchPoint>;

const text = (charsMax: number) => z.string().max(charsMax).nullable();

/** A result as the agent reports it. */
export const BenchResult = z.object({
  model: ModelName,
  started_at: Time,
  duration_ms: figure,
  waited_ms: figure.describe("the part of the duration in which the box was not idle"),
  output_tokens: z.int().positive(),
  load_ms: figure
    .nullable()
    .describe("time of loading the model; null if it was in memory: send reload"),
  points: z.array(BenchPoint).max(8),
  skipped: z.array(z.int().positive()).max(8).describe("contexts that do not fit"),
  discarded: z
    .int()
    .nonnegative()
    .describe("requests that were stopped and repeated because somebody else used the box"),
  context_length: z.int().nonnegative().nullable().describe("context of the model as it is loaded"),
  gpu_share: z.number().min(0).max(1).nullable().describe("share of the model in GPU memory"),
  digest: text(128),
  quantization: text(64),
  parameter_size: text(64),
  ollama_version: text(64),
  agent_version: z.string().max(32),
  driver_version: text(64),
  gpus: z.array(z.string().max(128)).max(64),
});
export type BenchResult = z.infer<typeof BenchResult>;

/** A result as the edge keeps it. */
export const BenchRun = BenchResult.extend({
  id: z.uuid(),
  box: BoxName,
  simulated: z.boolean(),
});
export type BenchRun = z.infer<typeof BenchRun>;

/** The bench waits for this; `left_ms` is what remains of `wait_s`. */
const Waiting = z.object({
  state: z.literal("waiting"),
  for: z.string().max(200),
  left_ms: figure,
});

/** One request of the bench begins. */
const Running = z.object({
  state: z.literal("running"),
  step: z.enum(["load", "measure"]),
  context: z.int().positive().nullable(),
  done: z.int().nonnegative().describe("requests that are finished"),
  of: z.int().positive(),
});

export const BenchProgress = z.discriminatedUnion("state", [Waiting, Running]);
export type BenchProgress = z.infer<typeof BenchProgress>;

const Failed = z.object({ error: z.string().max(2_100) });

/** A line of the agent's answer. `error` has the form of Ollama's own errors. */
export const BenchLine = z.union([
  BenchProgress,
  z.object({ state: z.literal("done"), result: BenchResult }),
  Failed,
]);
export type BenchLine = z.infer<typeof BenchLine>;

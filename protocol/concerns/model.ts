/** The concerns about one model on a box. */
import * as z from "zod";
import { Count, Rate } from "../api/shapes.ts";
import { type Definition, error, type Thresholds } from "./definition.ts";

export const MODEL_CONCERNS = {
  model_on_cpu: {
    subject: "model",
    description: "A loaded model does not fit on the GPU and runs partly, or entirely, on the CPU.",
    severity: "warning",
    degrades: false,
    alert: "ModelOnCpu",
    params: {
      cpu_share: z.number().describe("0 to 1"),
      cpu_bytes: z.number().describe("memory of the model that is not on the GPU"),
    },
  },
  prompts_truncated: {
    subject: "model",
    description:
      "Prompts were longer than the context of a model, so Ollama left out a part of them and answered as if nothing was missing.",
    severity: "warning",
    degrades: false,
    alert: "PromptsTruncated",
    advice:
      "Raise num_ctx in the requests, or OLLAMA_CONTEXT_LENGTH on the box for callers of /v1, or shorten the prompts.",
    params: {
      truncated: Count,
      requests: Count.describe("all requests of which it is known"),
      minutes: Count,
      context_length: Count.describe("tokens"),
      prompt_chars: Count.nullable().describe("length of the longest; null if unknown"),
      key: z.string().nullable().describe("the key of most of them; null without one"),
    },
  },
  /** Not raised for loads that another model caused: those are `models_reloading`. */
  cold_starts: {
    subject: "model",
    description:
      "Callers waited for a model to load again and again, because its time in memory had ended.",
    severity: "warning",
    degrades: false,
    alert: "ColdStarts",
    advice: "Raise keep_alive (OLLAMA_KEEP_ALIVE on the box), or pin the model on the page Boxes.",
    params: {
      loads: Count,
      requests: Count,
      hours: Count,
      lost_ms: z.number(),
      lost_wh: z.number().nullable().describe("their share of the energy; null if unknown"),
      key: z.string().nullable().describe("the key of most of them; null without one"),
      keep_alive_s: Count.nullable().describe(
        "the keep-alive that would have saved most of the loads, by a replay of the calls; null if none",
      ),
      replay_hours: Count.default(24).describe(
        "the time whose calls were replayed: a week if known",
      ),
      replay_loads: Count.nullable().default(null).describe("loads in that time"),
      saved_loads: Count,
      saved_ms: z.number(),
      saved_wh: z.number().nullable().default(null).describe("null if unknown"),
      holding_wh: z
        .number()
        .nullable()
        .describe("energy that keeping it in memory would have taken, at most; null if unknown"),
    },
  },
  /** Only calls that ran beside no other one of the model count. */
  model_slow: {
    subject: "model",
    description: "A model produces tokens much slower than it usually does on this box.",
    severity: "warning",
    degrades: false,
    alert: "ModelSlow",
    advice:
      "heat: check fans and dust; power: raise the power limit; cpu: unload other models or use a smaller one; neighbour: move the other traffic to another box or time.",
    params: {
      tokens_per_second: z.number().describe("median of the last minutes"),
      median_tokens_per_second: z.number().describe("median before"),
      minutes: Count,
      cause: z.enum(["heat", "power", "cpu", "neighbour", "unknown"]),
    },
  },
  /** Nothing is slow for every model, so a threshold of `/api/thresholds` alone raises it. */
  model_latency_high: {
    subject: "model",
    description:
      "The P95 latency of a model on a box in the last minutes is above its threshold. Not raised below 10 requests, nor without a threshold.",
    severity: { above: {} as Thresholds },
    degrades: false,
    alert: "ModelLatencyHigh",
    advice: "See /api/stats/explanation for the cause, or raise the threshold.",
    params: { latency_p95_ms: z.number(), requests: Count, minutes: Count },
  },
  /** The same for its errors. */
  model_errors_high: {
    subject: "model",
    description:
      "Requests for a model on a box failed in the last minutes, more than its threshold allows. Not raised below 10 requests, nor without a threshold.",
    severity: { above: {} as Thresholds },
    degrades: false,
    alert: "ModelErrorsHigh",
    advice: "See /api/stats/logs?status=error for their messages.",
    params: { error_rate: Rate.unwrap(), errors: Count, requests: Count, minutes: Count },
  },
  /** No alert: no metric reports it, and callers are served, after a load. */
  pin_failed: {
    subject: "model",
    description: "A box could not bring a pinned model into its memory. It tries again later.",
    severity: "warning",
    degrades: false,
    alert: null,
    params: { error },
  },
} as const satisfies Record<string, Definition>;

/** The concerns about one model on a box. */
import * as z from "zod";
import { type Definition, error } from "./definition.ts";

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

/** The concerns about one GPU of a box. */
import * as z from "zod";
import { Time } from "../api/shapes.ts";
import type { Definition } from "./definition.ts";

export const GPU_CONCERNS = {
  /**
   * GeForce cards hold themselves at 83 or 84 °C under a long load by design, so 85 is the first temperature
   * that means something. They slow down hard between 88 and 93 °C, data centre cards between 85 and 95.
   */
  gpu_hot: {
    subject: "gpu",
    description: "A GPU is so hot that it lowers its clocks, or soon will.",
    severity: { above: { warning: 85, critical: 90 } },
    degrades: false,
    alert: "GpuHot",
    params: { temperature_c: z.number() },
  },
  /** No alert: `ollama_gpu_throttle_reason` reports it. A GPU that throttles because of heat usually raises GpuHot. */
  gpu_throttled: {
    subject: "gpu",
    description: "A GPU runs slower than it could because of heat or a lack of power.",
    severity: "warning",
    degrades: false,
    alert: null,
    params: { reasons: z.array(z.string()).describe("as in throttle_reasons of /api/gpu") },
  },
  /**
   * A GPU that shows a desktop is a few percent busy. After a request it is idle within a second; the edge
   * requires two minutes in which no request was open, with no idle reading between them.
   */
  gpu_bypassed: {
    subject: "gpu",
    description:
      "A GPU is busy while no request is open on its box: somebody calls its Ollama directly, or another program uses it. Requests that bypass the edge are in no figure, and requests through the edge wait for them.",
    severity: { above: { warning: 30 } },
    degrades: false,
    alert: "GpuBypassed",
    advice:
      "Have callers use the edge or the listener of the agent, and make Ollama listen on 127.0.0.1 only.",
    params: {
      utilization_percent: z.number().describe("mean since then"),
      model: z
        .string()
        .nullable()
        .describe(
          "the model that is called directly: its time in memory was extended; null if none was",
        ),
      busy_since: Time,
    },
  },
} as const satisfies Record<string, Definition>;

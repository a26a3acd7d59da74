/** The concerns about the edge as a whole. */
import * as z from "zod";
import { Count, Rate } from "../api/shapes.ts";
import type { Definition } from "./definition.ts";

export const EDGE_CONCERNS = {
  /** No alert: an edge that is being set up has no box yet, and one without boxes has no series for them. */
  no_box: {
    subject: "edge",
    description: "No box is known: none has connected yet, or all were forgotten.",
    severity: "warning",
    degrades: true,
    alert: null,
    params: {},
  },
  /** The alert uses the critical threshold, which is the seed's. */
  error_rate_high: {
    subject: "edge",
    description: "Requests of the last minutes failed. Not raised below 10 requests.",
    severity: { above: { warning: 0.01, critical: 0.1 } },
    degrades: false,
    alert: "HighErrorRate",
    params: { error_rate: Rate.unwrap(), errors: Count, requests: Count, minutes: Count },
  },
  /** The threshold is the seed's. */
  latency_high: {
    subject: "edge",
    description: "The P95 latency of the last minutes is high. Not raised below 10 requests.",
    severity: { above: { warning: 3_000 } },
    degrades: false,
    alert: "HighLatency",
    params: { latency_p95_ms: z.number(), requests: Count, minutes: Count },
  },
  /** No alert: `ollama_queue_depth` reports it, and a queue that hurts raises HighLatency. */
  queue_long: {
    subject: "edge",
    description: "Requests are waiting for Ollama, on all boxes together.",
    // Ollama serves one to four requests of a model at once: more waiting than that is more than one round.
    severity: { above: { warning: 4 } },
    degrades: false,
    alert: null,
    params: { requests: Count },
  },
  /** No alert: somebody switched it off on purpose. */
  recording_off: {
    subject: "edge",
    description: "Instrumentation is off: requests are served but not recorded.",
    severity: "warning",
    degrades: true,
    alert: null,
    params: {},
  },
} as const satisfies Record<string, Definition>;

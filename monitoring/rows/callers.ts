/**
 * The callers' view: the amount of requests, their latency, and its phases.
 *
 * The totals have no labels, and the histograms only `model`. The selected box does not narrow those
 * panels, so their descriptions contain "all boxes".
 */
import {
  BytesIEC,
  Milliseconds,
  PercentUnit,
  RequestsPerMinute,
  Seconds,
  Short,
} from "@grafana/grafana-foundation-sdk/units";
import { chart, FULL, HALF, QUARTER, type Row, THIRD } from "../panels.ts";
import { BOX, MODEL, percentiles } from "../queries.ts";

/** Grafana has no unit for it. */
const TOKENS_PER_SECOND = "suffix: tok/s";

export const traffic: Row = {
  title: "Traffic",
  panels: [
    chart({
      title: "Requests per Minute",
      description: "All requests, and the errors among them. All boxes and models.",
      queries: [
        { expr: "60 * sum(rate(ollama_requests_total[$__rate_interval]))", legend: "requests" },
        { expr: "60 * sum(rate(ollama_errors_total[$__rate_interval]))", legend: "errors" },
      ],
      unit: RequestsPerMinute,
      width: THIRD,
    }),
    chart({
      title: "Token Rate",
      description: "Generated tokens per second, without prompts. All boxes and models.",
      queries: [
        { expr: "sum(rate(ollama_tokens_generated_total[$__rate_interval]))", legend: "tokens" },
      ],
      unit: TOKENS_PER_SECOND,
      width: THIRD,
    }),
    chart({
      title: "Error Rate",
      description:
        "Share of the requests that failed. Cancelled requests are not errors. All boxes and models.",
      queries: [
        {
          expr:
            "sum(rate(ollama_errors_total[$__rate_interval]))" +
            " / (sum(rate(ollama_requests_total[$__rate_interval])) > 0)",
          legend: "errors",
        },
      ],
      unit: PercentUnit,
      width: THIRD,
    }),
    chart({
      title: "Requests by model, box and status",
      description: "Requests that reached no box have an empty label.",
      queries: [
        {
          expr:
            "60 * sum by (model, box, status) " +
            `(rate(ollama_model_requests_total{${MODEL}, ${BOX}}[$__rate_interval]))`,
          legend: "{{model}} {{box}} {{status}}",
        },
      ],
      unit: RequestsPerMinute,
      isStacked: true,
      width: THIRD,
    }),
    chart({
      title: "Tokens by model and box",
      description: "Generated tokens, without prompts.",
      queries: [
        {
          expr: `sum by (model, box) (rate(ollama_model_tokens_total{kind="completion", ${MODEL}, ${BOX}}[$__rate_interval]))`,
          legend: "{{model}} {{box}}",
        },
      ],
      unit: TOKENS_PER_SECOND,
      isStacked: true,
      width: THIRD,
    }),
    chart({
      title: "Tokens by kind",
      description: "Tokens that were read (prompt) and generated (completion).",
      queries: [
        {
          expr: `sum by (kind) (rate(ollama_model_tokens_total{${MODEL}, ${BOX}}[$__rate_interval]))`,
          legend: "{{kind}}",
        },
      ],
      unit: TOKENS_PER_SECOND,
      isStacked: true,
      width: THIRD,
    }),
  ],
};

export const latency: Row = {
  title: "Latency",
  panels: [
    chart({
      title: "Latency (ms)",
      description:
        "From accepting the request to the last byte, so it grows with the length of the answer. All boxes.",
      queries: percentiles("ollama_request_latency_ms"),
      unit: Milliseconds,
      width: HALF,
    }),
    chart({
      title: "Latency p95 by model",
      description: "All boxes.",
      queries: [
        {
          expr:
            "histogram_quantile(0.95, sum by (model, le) " +
            `(rate(ollama_request_latency_ms_bucket{${MODEL}}[$__rate_interval])))`,
          legend: "{{model}}",
        },
      ],
      unit: Milliseconds,
      width: HALF,
    }),
    chart({
      title: "Time to first token",
      description:
        "From the request's arrival on the box to its first content byte: queue wait, load and prefill. All boxes.",
      queries: percentiles("ollama_time_to_first_token_seconds"),
      unit: Seconds,
      width: HALF,
    }),
    chart({
      title: "Time per output token",
      description:
        "Decode time per token. It rises when a model is on the CPU or a GPU is hot. All boxes.",
      queries: percentiles("ollama_time_per_output_token_seconds"),
      unit: Seconds,
      width: HALF,
    }),
  ],
};

export const queueAndLoad: Row = {
  title: "Queue and load",
  panels: [
    chart({
      title: "In flight",
      description: "Requests that a box is serving now.",
      queries: [{ expr: `ollama_in_flight_requests{${BOX}}`, legend: "{{box}}" }],
      unit: Short,
      width: QUARTER,
    }),
    chart({
      title: "Queue depth",
      description:
        "Requests that Ollama has not started to answer. If it stays above 0, add a box or parallel slots.",
      queries: [{ expr: `ollama_queue_depth{${BOX}}`, legend: "{{box}}" }],
      unit: Short,
      width: QUARTER,
    }),
    chart({
      title: "Queue wait",
      description: "Time that a request waited for a parallel slot of its model. All boxes.",
      queries: percentiles("ollama_queue_wait_seconds"),
      unit: Seconds,
      width: QUARTER,
    }),
    chart({
      title: "Load time",
      description:
        "Time that a request waited for its model to load; near zero for a warm model. All boxes.",
      queries: percentiles("ollama_model_load_seconds"),
      unit: Seconds,
      width: QUARTER,
    }),
    chart({
      title: "Loaded models",
      description:
        "Memory of each loaded model, and the part that is on the GPU. The rest runs on the CPU.",
      queries: [
        { expr: `ollama_loaded_model_vram_bytes{${BOX}}`, legend: "{{model}} {{box}} GPU" },
        { expr: `ollama_loaded_model_bytes{${BOX}}`, legend: "{{model}} {{box}} total" },
      ],
      unit: BytesIEC,
      width: FULL,
    }),
  ],
};

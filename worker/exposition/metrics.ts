/**
 * Every metric family of the exposition, as one table.
 *
 * Names are a contract with other people's dashboards and alerts. The first four are exactly the
 * seed's, with its labels. New families use base units, and labelled figures have families of their
 * own, so that no `sum()` counts twice.
 */

import { LATENCY_EDGES_MS, TIME_PER_TOKEN_EDGES, WAIT_EDGES } from "../counting/edges.ts";
import { COST_METRICS } from "./cost-metrics.ts";
import type { Family } from "./family.ts";
import { GPU_METRICS } from "./gpu-metrics.ts";
import { KEY_METRICS } from "./key-metrics.ts";

const BOX = ["box"] as const;
const LOADED = ["box", "model"] as const;
const MODEL = ["model"] as const;
const SINK = ["sink"] as const;

export const METRICS = {
  requests: {
    type: "counter",
    name: "ollama_requests_total",
    help: "Total number of requests.",
    labels: [],
  },
  tokens: {
    type: "counter",
    name: "ollama_tokens_generated_total",
    help: "Total tokens generated: total_tokens in /api/stats/current, without prompts.",
    labels: [],
  },
  errors: {
    type: "counter",
    name: "ollama_errors_total",
    help: "Total errors, without cancelled requests.",
    labels: [],
  },
  latency: {
    type: "histogram",
    name: "ollama_request_latency_ms",
    help: "Request latency histogram: milliseconds from accepted to the last byte, for successful inference requests.",
    labels: MODEL,
    buckets: LATENCY_EDGES_MS,
  },
  promptTokens: {
    type: "counter",
    name: "ollama_prompt_tokens_total",
    help: "Total prompt tokens: total_prompt_tokens in /api/stats/current.",
    labels: [],
  },
  modelRequests: {
    type: "counter",
    name: "ollama_model_requests_total",
    help: "Requests by model, box and status (success, error or cancelled).",
    labels: ["model", "box", "status"],
  },
  modelTokens: {
    type: "counter",
    name: "ollama_model_tokens_total",
    help: "Tokens by model, box and kind (prompt or completion).",
    labels: ["model", "box", "kind"],
  },
  modelEnergy: {
    type: "counter",
    name: "ollama_model_energy_joules_total",
    help: "Energy that the box's GPUs drew for the model, divided among concurrent requests. No sample if unknown.",
    labels: ["model", "box"],
  },
  ttft: {
    type: "histogram",
    name: "ollama_time_to_first_token_seconds",
    help: "Time from the request's arrival on the box to its first content byte.",
    labels: MODEL,
    buckets: WAIT_EDGES,
  },
  timePerToken: {
    type: "histogram",
    name: "ollama_time_per_output_token_seconds",
    help: "Decode time per completion token, one value per request.",
    labels: MODEL,
    buckets: TIME_PER_TOKEN_EDGES,
  },
  queueWait: {
    type: "histogram",
    name: "ollama_queue_wait_seconds",
    help: "Time that a request waited for a parallel slot of its model.",
    labels: MODEL,
    buckets: WAIT_EDGES,
  },
  load: {
    type: "histogram",
    name: "ollama_model_load_seconds",
    help: "Time that a request waited for its model to load; near zero for a warm model.",
    labels: MODEL,
    buckets: WAIT_EDGES,
  },
  inFlight: {
    type: "gauge",
    name: "ollama_in_flight_requests",
    help: "Requests that the box is serving now.",
    labels: BOX,
  },
  queueDepth: {
    type: "gauge",
    name: "ollama_queue_depth",
    help: "Requests that wait for their model to load or for a parallel slot.",
    labels: BOX,
  },
  boxUp: {
    type: "gauge",
    name: "ollama_box_up",
    help: "1 if the agent of the box is connected, otherwise 0.",
    labels: BOX,
  },
  boxSimulated: {
    type: "gauge",
    name: "ollama_box_simulated",
    help: "1 if the numbers of the box are made up, otherwise 0.",
    labels: BOX,
  },
  agentCurrent: {
    type: "gauge",
    name: "ollama_agent_current",
    help: "1 if the agent of the box has the version of the edge and is no other build of it, otherwise 0.",
    labels: ["box", "version"],
  },
  spooled: {
    type: "gauge",
    name: "ollama_agent_spooled_records",
    help: "Records that are waiting in the spool of the agent.",
    labels: BOX,
  },
  lost: {
    type: "counter",
    name: "ollama_agent_lost_records_total",
    help: "Records that the agent has lost since it started because its disk failed.",
    labels: BOX,
  },
  tunnelRoundTrip: {
    type: "gauge",
    name: "ollama_tunnel_round_trip_seconds",
    help: "Round trip of the tunnel, as last measured by the agent of the box.",
    labels: BOX,
  },
  resumes: {
    type: "counter",
    name: "ollama_tunnel_resumes_total",
    help: "Times that a request continued after its tunnel was cut.",
    labels: BOX,
  },
  untrusted: {
    type: "counter",
    name: "ollama_untrusted_records_total",
    help: "Records of an agent that were refused, by reason; reason values: counted without impossible figures.",
    labels: ["box", "reason"],
  },
  sinkBacklog: {
    type: "gauge",
    name: "ollama_sink_backlog_records",
    help: "Records and samples that are waiting for an external store. No sample unless a store is configured.",
    labels: SINK,
  },
  sinkDelivered: {
    type: "counter",
    name: "ollama_sink_delivered_records_total",
    help: "Records and samples that an external store has confirmed.",
    labels: SINK,
  },
  sinkDropped: {
    type: "counter",
    name: "ollama_sink_dropped_records_total",
    help: "Records and samples that an external store did not receive, by reason (full outbox or refused content).",
    labels: ["sink", "reason"],
  },
  sinkLastSuccess: {
    type: "gauge",
    name: "ollama_sink_last_success_timestamp_seconds",
    help: "Time of the last successful write to an external store. No sample before the first.",
    labels: SINK,
  },
  loadedModel: {
    type: "gauge",
    name: "ollama_loaded_model_bytes",
    help: "Total memory of a loaded model.",
    labels: LOADED,
  },
  loadedModelVram: {
    type: "gauge",
    name: "ollama_loaded_model_vram_bytes",
    help: "Memory of a loaded model that is on the GPU; the rest runs on the CPU.",
    labels: LOADED,
  },
  boxCpu: {
    type: "gauge",
    name: "ollama_box_cpu_ratio",
    help: "Busy share of all CPUs of the box, 0 to 1.",
    labels: BOX,
  },
  boxMemoryUsed: {
    type: "gauge",
    name: "ollama_box_memory_used_bytes",
    help: "Used memory of the box, without caches.",
    labels: BOX,
  },
  boxMemoryTotal: {
    type: "gauge",
    name: "ollama_box_memory_total_bytes",
    help: "Total memory of the box.",
    labels: BOX,
  },
  boxDiskUsed: {
    type: "gauge",
    name: "ollama_box_disk_used_bytes",
    help: "Used bytes of the file system that holds the models of the box.",
    labels: BOX,
  },
  boxDiskTotal: {
    type: "gauge",
    name: "ollama_box_disk_total_bytes",
    help: "Size of the file system that holds the models of the box.",
    labels: BOX,
  },
  ...GPU_METRICS,
  ...COST_METRICS,
  ...KEY_METRICS,
  concern: {
    type: "gauge",
    name: "ollama_concern",
    help: "1 for each thing that is wrong now, as in concerns of /api/health. No sample otherwise. Labels that do not apply are empty.",
    labels: ["code", "severity", "box", "gpu", "model", "sink"],
  },
  buildInfo: {
    type: "gauge",
    name: "ollama_edge_build_info",
    help: "Always 1; the version of the edge is a label.",
    labels: ["version"],
  },
} as const satisfies Record<string, Family>;

export type MetricKey = keyof typeof METRICS;

/**
 * Every metric family of the exposition, as one table.
 *
 * Names are a contract with other people's dashboards and alerts. The first four are the seed's, to
 * the letter and unlabelled where it has no labels; new ones are in base units, and labelled ones
 * stand in families of their own, so that no `sum()` counts twice.
 */
import { LATENCY_EDGES_MS, TIME_PER_TOKEN_EDGES, WAIT_EDGES } from "../counting/edges.ts";

export type Family = {
  /** As in the exposition; that of a counter with `_total`. */
  name: string;
  type: "counter" | "gauge" | "histogram";
  help: string;
  labels: readonly string[];
  /** Upper bounds of a histogram, without +Inf. */
  buckets?: readonly number[];
};

const BOX = ["box"] as const;
const LOADED = ["box", "model"] as const;
const GPU = ["box", "gpu", "uuid", "name"] as const;
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
    help: "Total tokens generated, prompt and completion: the total_tokens of /api/stats/current.",
    labels: [],
  },
  errors: {
    type: "counter",
    name: "ollama_errors_total",
    help: "Total errors. Cancelled requests are none.",
    labels: [],
  },
  latency: {
    type: "histogram",
    name: "ollama_request_latency_ms",
    help: "Request latency histogram: milliseconds from accepted to the last byte, of inference calls.",
    labels: MODEL,
    buckets: LATENCY_EDGES_MS,
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
    help: "Energy that the GPUs of the box drew while Ollama had requests for the model, shared with those beside them. No sample where it is not known.",
    labels: ["model", "box"],
  },
  ttft: {
    type: "histogram",
    name: "ollama_time_to_first_token_seconds",
    help: "From the arrival of the request on the box to the first content byte.",
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
    help: "Time a request waited for a parallel slot of its model.",
    labels: MODEL,
    buckets: WAIT_EDGES,
  },
  load: {
    type: "histogram",
    name: "ollama_model_load_seconds",
    help: "Time a request waited for its model to be loaded; near zero when it was warm.",
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
    help: "Requests that Ollama has not begun to answer.",
    labels: BOX,
  },
  boxUp: {
    type: "gauge",
    name: "ollama_box_up",
    help: "1 when the agent of the box is connected, else 0.",
    labels: BOX,
  },
  boxSimulated: {
    type: "gauge",
    name: "ollama_box_simulated",
    help: "1 when the numbers of the box are made up, else 0.",
    labels: BOX,
  },
  spooled: {
    type: "gauge",
    name: "ollama_agent_spooled_records",
    help: "Finished requests that wait in the spool of the agent.",
    labels: BOX,
  },
  lost: {
    type: "counter",
    name: "ollama_agent_lost_records_total",
    help: "Finished requests that the agent has lost since it started, its disk having failed.",
    labels: BOX,
  },
  tunnelRoundTrip: {
    type: "gauge",
    name: "ollama_tunnel_round_trip_seconds",
    help: "A round trip of the tunnel, as the agent of the box last measured it.",
    labels: BOX,
  },
  resumes: {
    type: "counter",
    name: "ollama_tunnel_resumes_total",
    help: "Times that a request went on after its tunnel had been cut.",
    labels: BOX,
  },
  sinkBacklog: {
    type: "gauge",
    name: "ollama_sink_backlog_records",
    help: "Finished requests and GPU samples that wait to be written to a store. No samples while no store is configured.",
    labels: SINK,
  },
  sinkDelivered: {
    type: "counter",
    name: "ollama_sink_delivered_records_total",
    help: "Finished requests and GPU samples that a store has confirmed.",
    labels: SINK,
  },
  sinkDropped: {
    type: "counter",
    name: "ollama_sink_dropped_records_total",
    help: "What a store never got: more waited than can be kept, or it refused what was in it (reason full or refused).",
    labels: ["sink", "reason"],
  },
  sinkLastSuccess: {
    type: "gauge",
    name: "ollama_sink_last_success_timestamp_seconds",
    help: "When a store last did what it was told. No sample before it did.",
    labels: SINK,
  },
  loadedModel: {
    type: "gauge",
    name: "ollama_loaded_model_bytes",
    help: "Memory of a loaded model in all.",
    labels: LOADED,
  },
  loadedModelVram: {
    type: "gauge",
    name: "ollama_loaded_model_vram_bytes",
    help: "Memory of a loaded model that is on the GPU; the rest of it runs on the CPU.",
    labels: LOADED,
  },
  boxCpu: {
    type: "gauge",
    name: "ollama_box_cpu_ratio",
    help: "Busy part of all CPUs of the box, 0 to 1.",
    labels: BOX,
  },
  boxMemoryUsed: {
    type: "gauge",
    name: "ollama_box_memory_used_bytes",
    help: "Memory of the box in use, without caches.",
    labels: BOX,
  },
  boxMemoryTotal: {
    type: "gauge",
    name: "ollama_box_memory_total_bytes",
    help: "Memory of the box in all.",
    labels: BOX,
  },
  boxDiskUsed: {
    type: "gauge",
    name: "ollama_box_disk_used_bytes",
    help: "Used part of the file system that the models of the box are on.",
    labels: BOX,
  },
  boxDiskTotal: {
    type: "gauge",
    name: "ollama_box_disk_total_bytes",
    help: "Size of the file system that the models of the box are on.",
    labels: BOX,
  },
  gpuUtilization: {
    type: "gauge",
    name: "ollama_gpu_utilization_ratio",
    help: "Part of the time that the GPU was busy, 0 to 1.",
    labels: GPU,
  },
  gpuMemoryUsed: {
    type: "gauge",
    name: "ollama_gpu_memory_used_bytes",
    help: "GPU memory in use.",
    labels: GPU,
  },
  gpuMemoryTotal: {
    type: "gauge",
    name: "ollama_gpu_memory_total_bytes",
    help: "GPU memory in all.",
    labels: GPU,
  },
  gpuTemperature: {
    type: "gauge",
    name: "ollama_gpu_temperature_celsius",
    help: "Temperature of the GPU.",
    labels: GPU,
  },
  gpuPower: {
    type: "gauge",
    name: "ollama_gpu_power_watts",
    help: "Power that the GPU draws.",
    labels: GPU,
  },
  gpuPowerLimit: {
    type: "gauge",
    name: "ollama_gpu_power_limit_watts",
    help: "Power that the GPU may draw.",
    labels: GPU,
  },
  gpuClock: {
    type: "gauge",
    name: "ollama_gpu_sm_clock_hertz",
    help: "Clock of the streaming multiprocessors.",
    labels: GPU,
  },
  gpuFan: {
    type: "gauge",
    name: "ollama_gpu_fan_speed_ratio",
    help: "Fan speed, as part of its maximum.",
    labels: GPU,
  },
  buildInfo: {
    type: "gauge",
    name: "ollama_edge_build_info",
    help: "Always 1; the version of the edge is a label.",
    labels: ["version"],
  },
} as const satisfies Record<string, Family>;

export type MetricKey = keyof typeof METRICS;

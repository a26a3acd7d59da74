/** What `/api/live` says when all is well; tests say what is not. */
import type { GpuReading } from "../../protocol/api/fleet.ts";
import type { Live, LiveBox } from "../../protocol/api/live.ts";

const AT = "2026-11-24T12:00:00.000Z";

export const gpuOf = (rest: Partial<GpuReading>): GpuReading => ({
  box: "atlas",
  index: 0,
  uuid: "GPU-1",
  name: "NVIDIA RTX 3090",
  utilization_percent: 75,
  memory_used_mb: 8_192,
  memory_total_mb: 24_576,
  temperature_c: 65,
  power_draw_w: 280,
  power_limit_w: 350,
  sm_clock_mhz: 1_700,
  fan_percent: 40,
  throttle_reasons: [],
  timestamp: AT,
  driver_version: "570.1",
  simulated: false,
  ...rest,
});

export const boxOf = (rest: Partial<LiveBox>): LiveBox => ({
  name: "atlas",
  state: "up",
  simulated: false,
  last_seen: null,
  ollama_version: "0.13.0",
  ollama_reachable: true,
  connected_at: AT,
  agent_version: "0.1.0",
  ollama_error: null,
  loaded: [],
  in_flight: 0,
  queue_depth: 0,
  spooled: 0,
  lost: 0,
  gpus: [gpuOf({})],
  gpu_error: null,
  system: null,
  clock_skew_ms: 0,
  readings_at: AT,
  ...rest,
});

export const liveOf = (rest: Partial<Live>): Live => ({
  health: { status: "healthy", uptime_seconds: 60, timestamp: AT, simulated: false, version: "0.1.0", problems: [], boxes: [], sinks: [] },
  stats: {
    total_requests: 42,
    total_tokens: 5_230,
    total_errors: 0,
    avg_latency_ms: 1_250,
    models_in_use: ["llama3.2"],
    uptime_seconds: 3_600,
    total_cancelled: 0,
    total_resumes: 0,
    tokens_per_second: 10,
    error_rate: 0,
    queue_depth: 0,
    in_flight: 0,
    latency_p50_ms: 1_000,
    latency_p95_ms: 2_000,
    latency_p99_ms: 2_500,
    ttft_p50_ms: 200,
    ttft_p95_ms: 400,
    boxes: { up: 1, total: 1 },
    simulated: false,
    timestamp: AT,
  },
  recent: { minutes: 5, requests: 12, errors: 0, error_rate: 0, latency_p95_ms: 2_000 },
  boxes: [boxOf({})],
  in_flight: [],
  timestamp: AT,
  ...rest,
});

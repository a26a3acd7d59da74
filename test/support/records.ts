/** Finished requests, boxes and readings for tests, with every field known by default. */
import type { Readings } from "../../protocol/inventory.ts";
import type { Hello } from "../../protocol/messages.ts";
import type { GpuSample, RequestRecord, SystemSample } from "../../protocol/records.ts";

/** Makes a UUIDv7 of a time; `n` distinguishes ids of the same millisecond. */
export function idOf(ms: number, n = 0): string {
  const time = ms.toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${n.toString(16).padStart(12, "0")}`;
}

export function recordOf(
  startedMs: number,
  rest: Partial<RequestRecord> = {},
  n = 0,
): RequestRecord {
  return {
    request_id: idOf(startedMs, n),
    started_at: new Date(startedMs).toISOString(),
    box: "atlas",
    model: "llama3.2",
    endpoint: "/api/chat",
    api: "ollama",
    stream: true,
    status: "success",
    http_status: 200,
    failed_at: null,
    error_message: null,
    prompt: "What is machine learning?",
    response: "A way to learn from data.",
    prompt_tokens: 20,
    completion_tokens: 100,
    latency_ms: 1_250,
    edge_ms: 4,
    tunnel_ms: 30,
    ttft_ms: 200,
    queue_ms: 10,
    load_ms: 2,
    prefill_ms: 150,
    decode_ms: 1_000,
    phases_source: "ollama",
    done_reason: "stop",
    key_id: null,
    client_ip: "192.168.1.100",
    user_agent: null,
    energy_j: null,
    energy_method: null,
    cost: null,
    cost_currency: null,
    co2_g: null,
    resumed: 0,
    source: "edge",
    simulated: null,
    route_reason: "warm",
    attempts: 1,
    moved_from: null,
    prompt_chars: null,
    context_length: null,
    prompt_truncated: null,
    key_name: null,
    end_user: null,
    session_id: null,
    ...rest,
  };
}

export const helloOf = (box: string, rest: Partial<Hello> = {}): Hello => ({
  box,
  agent_id: "0190b5a0-0000-7000-8000-00000000000a",
  boot_id: "0190b5a0-0000-7000-8000-00000000000b",
  agent_version: "0.1.0",
  now_ms: Date.now(),
  simulated: false,
  ...rest,
});

export const gpuOf = (box: string, atMs: number, rest: Partial<GpuSample> = {}): GpuSample => ({
  at: new Date(atMs).toISOString(),
  box,
  index: 0,
  uuid: "GPU-1",
  name: "NVIDIA RTX 3090",
  utilization_percent: 75,
  memory_used_mb: 8_192,
  memory_total_mb: 24_576,
  temperature_c: 65,
  power_draw_w: 280,
  power_limit_w: 350,
  sm_clock_mhz: 1_695,
  fan_percent: null,
  throttle_reasons: [],
  utilization_max_percent: null,
  memory_used_max_mb: null,
  temperature_max_c: null,
  energy_j: null,
  ...rest,
});

export const systemOf = (atMs: number, rest: Partial<SystemSample> = {}): SystemSample => ({
  at: new Date(atMs).toISOString(),
  cpu_percent: 25,
  cpu_count_logical: 16,
  load_1m: 4,
  memory_total_bytes: 64 * GIB,
  memory_used_bytes: 16 * GIB,
  disk_path: "/usr/share/ollama/.ollama/models",
  disk_total_bytes: 1_000 * GIB,
  disk_used_bytes: 400 * GIB,
  in_flight: 2,
  queued: 1,
  ...rest,
});

const GIB = 2 ** 30;

export function readingsOf(
  atMs: number,
  models: string[],
  samples: GpuSample[] = [],
  loaded: string[] = [],
  system: SystemSample[] = [],
): Readings {
  const unknown = {
    size_bytes: null,
    digest: null,
    family: null,
    parameter_size: null,
    quantization: null,
    modified_at: null,
  };
  return {
    now_ms: null,
    pins: null,
    update: null,
    system,
    inventory: {
      at: new Date(atMs).toISOString(),
      reachable: true,
      error: null,
      ollama_version: "0.13.0",
      models: models.map((name) => ({ name, ...unknown })),
      loaded: loaded.map((name) => ({
        name,
        size_bytes: null,
        size_vram_bytes: null,
        context_length: null,
        expires_at: null,
      })),
    },
    gpu: {
      available: samples.length > 0,
      error: samples.length > 0 ? null : "nvidia-smi was not found",
      driver_version: "570.1",
      samples,
      history: null,
      failed: false,
      lost: [],
    },
    gpu_energy: null,
    in_flight: 0,
    local_in_flight: 0,
    serving: null,
    requests: [],
    tunnel_ms: 30,
    queued: 0,
    spooled: 3,
    lost: 0,
  };
}

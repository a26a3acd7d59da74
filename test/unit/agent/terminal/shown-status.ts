/** A status of a busy box, and its page as text. */
import type { LocalStatus } from "../../../../agent/status/local-status.ts";
import { unpainted } from "../../../../agent/terminal/paint.ts";
import { statusPage, type TerminalPage } from "../../../../agent/terminal/status-page.ts";

const NOW_MS = Date.UTC(2026, 10, 27, 12);
const HOUR_MS = 3_600_000;
const GB = 1e9;

export const REQUEST: LocalStatus["requests"][number] = {
  request_id: "0199a1b2-0000-7000-8000-000000000001",
  started_at: new Date(NOW_MS - 12_000).toISOString(),
  model: "llama3.2:3b",
  endpoint: "/api/chat",
  key_id: "3f2a9c1d7e",
  client_ip: null,
  phase: "decode",
  queue_position: null,
  queue_eta_ms: null,
  completion_tokens: 340,
  tokens_per_second: 28.4,
};

export const BUSY: LocalStatus = {
  now_ms: NOW_MS,
  agent: {
    version: "0.1.0",
    pid: 4242,
    started_at_ms: NOW_MS - 50 * HOUR_MS,
    state_dir: "/var/lib/ollama-edge-agent",
    listen: "127.0.0.1:11500",
    is_draining: false,
    update: null,
  },
  box: "atlas",
  simulated: false,
  edge: {
    url: "https://edge.example.workers.dev",
    is_up: true,
    since_ms: NOW_MS - 3.2 * HOUR_MS,
    version: "0.1.0",
    tunnel_ms: 17.6,
    reason: null,
    clock_skew_ms: 0,
  },
  ollama: {
    url: "http://127.0.0.1:11434",
    reachable: true,
    error: null,
    version: "0.24.0",
    models: 12,
    loaded: [
      {
        name: "llama3.2:3b",
        size_bytes: 3.4 * GB,
        size_vram_bytes: 3.4 * GB,
        context_length: 4_096,
        expires_at: new Date(NOW_MS + 258_000).toISOString(),
      },
      {
        name: "qwen2.5:32b",
        size_bytes: 24 * GB,
        size_vram_bytes: 15 * GB,
        context_length: 32_768,
        expires_at: "2318-01-01T00:00:00Z",
      },
    ],
  },
  gpu: {
    error: null,
    driver_version: "580.159.04",
    gpus: [
      {
        index: 0,
        name: "NVIDIA GeForce RTX 4090",
        utilization_percent: 87,
        memory_used_mb: 18_900,
        memory_total_mb: 24_564,
        temperature_c: 86,
        power_draw_w: 388.4,
        power_limit_w: 450,
      },
    ],
  },
  system: {
    cpu_percent: 23.4,
    memory_used_bytes: 31 * 1024 ** 3,
    memory_total_bytes: 64 * 1024 ** 3,
    disk_used_bytes: 710,
    disk_total_bytes: 1_000,
  },
  requests: [
    REQUEST,
    {
      ...REQUEST,
      started_at: new Date(NOW_MS - 2_000).toISOString(),
      endpoint: "/v1/chat/completions",
      key_id: null,
      phase: "queue",
      queue_position: 1,
      completion_tokens: null,
      tokens_per_second: null,
    },
  ],
  records: { waiting: 0, lost: 0 },
  concerns: [],
};

export const pageOf = (status: LocalStatus, page: Partial<TerminalPage> = {}): string[] =>
  statusPage(status, { width: 80, height: null, paint: unpainted, ...page });

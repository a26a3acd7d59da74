/**
 * What each endpoint answers, field by field: the documented shapes, and the fields of the older
 * project's API that say something new.
 */
import type { API_ROUTES } from "../../../protocol/api/routes.ts";

/** `a.b` is a field of a field, `a[]` a list of which each has it. */
export type Shape = readonly string[];

/** A row of the model repository. */
const ENTRY = [
  ...["id", "model_name", "display_name", "description", "category", "size_label", "size_bytes", "is_favorite", "is_installed"],
  ...["is_default", "download_count", "usage_count", "total_tokens_generated", "last_used_at", "installed_at", "created_at", "updated_at"],
];

export const SHAPES = {
  health: ["status", "uptime_seconds", "timestamp"],
  currentStats: [
    ...["total_requests", "total_tokens", "total_errors", "avg_latency_ms", "models_in_use", "uptime_seconds"],
    ...[
      "tokens_per_second",
      "error_rate",
      "queue_depth",
      "in_flight",
      "latency_p50_ms",
      "latency_p95_ms",
      "latency_p99_ms",
      "boxes",
      "timestamp",
    ],
  ],
  history: [
    ...["time_range", "granularity", "metrics[].timestamp", "metrics[].requests_per_minute", "metrics[].tokens_per_second"],
    ...[
      "metrics[].avg_latency_ms",
      "metrics[].error_rate",
      "metrics[].latency_p50_ms",
      "metrics[].latency_p95_ms",
      "metrics[].latency_p99_ms",
    ],
    ...["metrics[].requests", "metrics[].errors", "metrics[].tokens"],
  ],
  logs: [
    ...["total", "limit", "offset", "next", "logs[].id", "logs[].timestamp", "logs[].model", "logs[].prompt", "logs[].response"],
    ...["logs[].tokens_used", "logs[].latency_ms", "logs[].status", "logs[].client_ip", "logs[].prompt_tokens", "logs[].completion_tokens"],
    ...["logs[].error_message", "logs[].user_agent"],
  ],
  models: [
    ...["models[].name", "models[].total_requests", "models[].total_tokens", "models[].avg_latency_ms", "models[].tokens_per_second"],
    ...["models[].error_rate", "models[].total_errors", "models[].last_used", "models[].latency_p50_ms", "models[].ttft_p50_ms"],
  ],
  gpu: [
    ...["available", "gpu_count", "gpus[].index", "gpus[].name", "gpus[].utilization_percent", "gpus[].memory_used_mb"],
    ...["gpus[].memory_total_mb", "gpus[].temperature_c", "gpus[].power_draw_w", "gpus[].box", "gpus[].uuid", "timestamp"],
  ],
  system: [
    ...["available", "cpu_percent", "cpu_count", "cpu_count_logical", "memory_total_gb", "memory_used_gb", "memory_available_gb"],
    ...["memory_percent", "timestamp", "error"],
  ],
  systemHistory: [
    ...["time_range", "data_points", "data[].timestamp", "data[].cpu_percent", "data[].memory_percent", "data[].memory_used_gb"],
    ...["data[].memory_total_gb", "data[].gpu_available", "data[].gpu_utilization_percent", "data[].vram_used_gb", "data[].vram_total_gb"],
    ...["data[].gpu_temperature_celsius", "data[].queue_depth"],
  ],
  installedModels: ["models[].name", "models[].model", "models[].modified_at", "models[].size", "models[].digest", "models[].details"],
  deleteModel: ["status", "model"],
  library: ["models[].name", "models[].description", "models[].size"],
  repository: [...ENTRY.map((field) => `models[].${field}`), "total", "favorites_count", "installed_count"],
  repositoryModel: ENTRY,
  addToRepository: ENTRY,
  changeRepositoryModel: ENTRY,
  toggleFavorite: ENTRY,
  syncRepository: ["status", "installed_count", "models"],
  config: ["enable_instrumentation", "exporter_type", "metrics_export_interval", "clickhouse_host", "postgres_host"],
  dataSummary: ["metrics_count", "logs_count", "oldest_metric", "newest_metric", "databases"],
  clearMetrics: ["status", "type"],
  clearLogs: ["status", "type"],
  clearAll: ["status", "results.metrics_cleared", "results.logs_cleared", "results.model_stats_reset"],
} satisfies Partial<Record<keyof typeof API_ROUTES, Shape>>;

/** Fields of the older project that are not here, and why. */
export const LEFT_OUT: Record<string, string> = {
  "health.database_connected": "the ledger answers, or nothing does",
  "health.details": "its two fields stand beside the status, or in /api/config",
  "health.exporter_type": "in /api/config",
};

/** Endpoints of the older project that are not here, and why. */
export const NOT_HERE: Record<string, string> = {
  "/api/generate": "the native API is under /ollama",
  "/api/chat/structured": "/ollama/api/chat takes a format",
  "/api/chat/tools": "/ollama/api/chat takes tools",
  "/api/structured/stats": "counts nothing that is not in the logs",
  "/api/router/config": "boxes are chosen by what they have loaded",
  "/api/router/stats": "there is no router",
  "/api/stats/enhanced": "/api/stats/current says it",
  "/api/infrastructure": "/api/health says it",
  "/api/v1/benchmark/run": "a benchmark of the models is no business of the edge",
  "/api/v1/benchmark/status": "as above",
  "/healthz": "public, and no part of /api",
};

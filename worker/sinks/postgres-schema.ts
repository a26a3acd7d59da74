/**
 * What is stored in Postgres. Plain tables: nothing here needs an extension.
 *
 * `created_at` is when the edge accepted a request, never the time of the insert: a record that is
 * sent again must be the same row. It is in the key so that the table can be partitioned by it.
 */
import { addColumns, createTable, type Table } from "./schema.ts";

const TIME = "timestamp with time zone";
const NUMBER = "double precision";

const REQUEST_LOGS: Table = {
  name: "request_logs",
  columns: [
    ["request_id", "uuid", "NOT NULL"],
    ["created_at", TIME, "NOT NULL"],
    ["finished_at", TIME, "NOT NULL"],
    ["box", "text"],
    ["model", "text"],
    ["endpoint", "text", "NOT NULL"],
    ["api", "text", "NOT NULL"],
    ["stream", "boolean", "NOT NULL"],
    ["is_inference", "boolean", "NOT NULL"],
    ["status", "text", "NOT NULL"],
    ["http_status", "smallint", "NOT NULL"],
    ["failed_at", "text"],
    ["error_message", "text"],
    ["prompt", "text"],
    ["response", "text"],
    ["prompt_tokens", "bigint"],
    ["completion_tokens", "bigint"],
    ["tokens_used", "bigint"],
    ["latency_ms", NUMBER, "NOT NULL"],
    ["edge_ms", NUMBER],
    ["tunnel_ms", NUMBER],
    ["ttft_ms", NUMBER],
    ["queue_ms", NUMBER],
    ["load_ms", NUMBER],
    ["prefill_ms", NUMBER],
    ["decode_ms", NUMBER],
    ["done_reason", "text"],
    ["key_id", "text"],
    ["client_ip", "text"],
    ["user_agent", "text"],
    ["energy_j", NUMBER],
    ["resumed", "integer", "NOT NULL"],
  ],
  tail: ",\n  PRIMARY KEY (request_id, created_at)\n)",
};

const GPU_SAMPLES: Table = {
  name: "gpu_samples",
  columns: [
    ["sampled_at", TIME, "NOT NULL"],
    ["box", "text", "NOT NULL"],
    ["gpu", "integer", "NOT NULL"],
    ["uuid", "text"],
    ["name", "text", "NOT NULL"],
    ["utilization_percent", "real"],
    ["memory_used_mb", NUMBER],
    ["memory_total_mb", NUMBER],
    ["temperature_c", "real"],
    ["power_draw_w", "real"],
    ["power_limit_w", "real"],
    ["sm_clock_mhz", "real"],
    ["fan_percent", "real"],
    ["throttle_reasons", "text"],
  ],
  tail: ",\n  PRIMARY KEY (box, gpu, sampled_at)\n)",
};

export const POSTGRES_TABLES: readonly Table[] = [REQUEST_LOGS, GPU_SAMPLES];

/** In this order, each may be run again. */
export const POSTGRES_MIGRATION: readonly string[] = [
  ...POSTGRES_TABLES.flatMap((table) => [createTable(table), addColumns(table)]),
  // Rows arrive in order of time, so a block range index finds them at almost no cost.
  "CREATE INDEX IF NOT EXISTS request_logs_created ON request_logs USING brin (created_at) WITH (autosummarize = on)",
  "CREATE INDEX IF NOT EXISTS request_logs_errors ON request_logs (created_at DESC) INCLUDE (model) WHERE status = 'error'",
  "CREATE INDEX IF NOT EXISTS gpu_samples_sampled ON gpu_samples USING brin (sampled_at) WITH (autosummarize = on)",
];

export const REQUEST_LOGS_KEPT_DAYS = 90;
export const GPU_SAMPLES_KEPT_DAYS = 30;

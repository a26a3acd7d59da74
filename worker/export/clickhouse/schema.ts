/**
 * What is stored in ClickHouse.
 *
 * `requests` is one row per finished request. Its key is the request id alone: a UUIDv7, so rows
 * lie in order of time, pages are read from the key, and a request that came twice is one row after
 * a merge, whatever else. (A batch that is sent again does not even get so far: its token is known.)
 * `requests_minutes` are sums of it by minute, kept longer than the rows, filled by a view in the
 * same insert. The sketches there are DDSketch with 0.5 % relative error, like the edge's own.
 */
import {
  addColumns,
  createTable,
  STORE_MINUTES_KEPT_DAYS,
  STORE_SAMPLES_KEPT_DAYS,
  type Table,
} from "../schema.ts";

/** A batch may be sent again for a week. The default of replicated tables, an hour, is less than an outage. */
const DEDUPLICATION = [
  "non_replicated_deduplication_window = 10000",
  "replicated_deduplication_window = 10000",
  "replicated_deduplication_window_seconds = 604800",
].join(", ");

const SKETCH = "AggregateFunction(quantilesDD(0.005, 0.5, 0.95, 0.99), Float64)";
const SUM = "SimpleAggregateFunction(sum, UInt64)";
const TEXT = "CODEC(ZSTD(3))";

const REQUESTS: Table = {
  name: "requests",
  columns: [
    [
      "timestamp",
      "DateTime64(3, 'UTC')",
      "COMMENT 'when the edge accepted the request' CODEC(DoubleDelta, ZSTD(1))",
    ],
    ["request_id", "String", "CODEC(ZSTD(1))"],
    ["finished_at", "DateTime64(3, 'UTC')", "CODEC(DoubleDelta, ZSTD(1))"],
    ["box", "LowCardinality(String)", "COMMENT 'empty when none was reached'"],
    [
      "model",
      "LowCardinality(String)",
      "COMMENT 'as the caller wrote it; empty when none was named'",
    ],
    ["endpoint", "LowCardinality(String)"],
    ["api", "LowCardinality(String)"],
    ["stream", "Bool"],
    ["is_inference", "Bool"],
    ["status", "LowCardinality(String)", "COMMENT 'success, error or cancelled'"],
    ["http_status", "UInt16"],
    ["failed_at", "LowCardinality(Nullable(String))", "COMMENT 'gateway, tunnel or ollama'"],
    ["error_message", "Nullable(String)", TEXT],
    ["prompt", "Nullable(String)", TEXT],
    ["response", "Nullable(String)", TEXT],
    ["prompt_tokens", "Nullable(UInt64)"],
    ["completion_tokens", "Nullable(UInt64)"],
    ["tokens_used", "Nullable(UInt64)"],
    ["latency_ms", "Float64"],
    ["edge_ms", "Nullable(Float64)"],
    ["tunnel_ms", "Nullable(Float64)"],
    ["ttft_ms", "Nullable(Float64)"],
    ["queue_ms", "Nullable(Float64)"],
    ["load_ms", "Nullable(Float64)"],
    ["prefill_ms", "Nullable(Float64)"],
    ["decode_ms", "Nullable(Float64)"],
    ["done_reason", "LowCardinality(Nullable(String))"],
    ["key_id", "LowCardinality(Nullable(String))"],
    ["client_ip", "Nullable(String)"],
    ["user_agent", "LowCardinality(Nullable(String))"],
    ["energy_j", "Nullable(Float64)"],
    ["resumed", "UInt32"],
  ],
  tail: `,
  INDEX by_time timestamp TYPE minmax GRANULARITY 1,
  INDEX by_latency latency_ms TYPE minmax GRANULARITY 1
) ENGINE = ReplacingMergeTree PARTITION BY toYYYYMM(timestamp) ORDER BY request_id
TTL toDateTime(timestamp) + INTERVAL 90 DAY SETTINGS ${DEDUPLICATION}`,
};

const REQUESTS_MINUTES: Table = {
  name: "requests_minutes",
  columns: [
    [
      "minute",
      "DateTime('UTC')",
      "COMMENT 'in which requests finished' CODEC(DoubleDelta, ZSTD(1))",
    ],
    ["model", "LowCardinality(String)"],
    ["box", "LowCardinality(String)"],
    ["successes", SUM],
    ["errors", SUM],
    ["cancelled", SUM],
    ["resumes", SUM],
    ["prompt_tokens", SUM],
    ["completion_tokens", SUM],
    ["latency_count", SUM],
    ["latency_ms_sum", "SimpleAggregateFunction(sum, Float64)"],
    ["latency_ms", SKETCH],
    ["ttft_ms", SKETCH],
  ],
  tail: `
) ENGINE = AggregatingMergeTree PARTITION BY toYYYYMM(minute) ORDER BY (minute, model, box)
TTL minute + INTERVAL ${STORE_MINUTES_KEPT_DAYS} DAY SETTINGS ${DEDUPLICATION}`,
};

const MINUTES_OF_REQUESTS = `CREATE MATERIALIZED VIEW IF NOT EXISTS requests_minutes_of_requests TO requests_minutes AS
SELECT toStartOfMinute(toDateTime(r.finished_at, 'UTC')) AS minute, r.model AS model, r.box AS box,
  countIf(r.status = 'success') AS successes,
  countIf(r.status = 'error') AS errors,
  countIf(r.status = 'cancelled') AS cancelled,
  sum(r.resumed) AS resumes,
  sumIf(ifNull(r.prompt_tokens, 0), r.is_inference) AS prompt_tokens,
  sumIf(ifNull(r.completion_tokens, 0), r.is_inference) AS completion_tokens,
  countIf(r.is_inference) AS latency_count,
  sumIf(r.latency_ms, r.is_inference) AS latency_ms_sum,
  quantilesDDStateIf(0.005, 0.5, 0.95, 0.99)(r.latency_ms, r.is_inference) AS latency_ms,
  quantilesDDStateIf(0.005, 0.5, 0.95, 0.99)(ifNull(r.ttft_ms, 0), r.is_inference AND r.ttft_ms IS NOT NULL) AS ttft_ms
FROM requests AS r
GROUP BY minute, model, box`;

const GPU_SAMPLES: Table = {
  name: "gpu_samples",
  columns: [
    ["timestamp", "DateTime64(3, 'UTC')", "CODEC(DoubleDelta, ZSTD(1))"],
    ["box", "LowCardinality(String)"],
    ["gpu", "UInt32", "COMMENT 'its index on the box'"],
    ["uuid", "LowCardinality(Nullable(String))"],
    ["name", "LowCardinality(String)"],
    ["utilization_percent", "Nullable(Float32)"],
    ["memory_used_mb", "Nullable(Float64)"],
    ["memory_total_mb", "Nullable(Float64)"],
    ["temperature_c", "Nullable(Float32)"],
    ["power_draw_w", "Nullable(Float32)"],
    ["power_limit_w", "Nullable(Float32)"],
    ["sm_clock_mhz", "Nullable(Float32)"],
    ["fan_percent", "Nullable(Float32)"],
    [
      "throttle_reasons",
      "LowCardinality(Nullable(String))",
      "COMMENT 'separated by commas; empty: none; null: not known'",
    ],
  ],
  tail: `
) ENGINE = ReplacingMergeTree PARTITION BY toYYYYMM(timestamp) ORDER BY (box, gpu, timestamp)
TTL toDateTime(timestamp) + INTERVAL ${STORE_SAMPLES_KEPT_DAYS} DAY SETTINGS ${DEDUPLICATION}`,
};

const SYSTEM_SAMPLES: Table = {
  name: "system_samples",
  columns: [
    ["timestamp", "DateTime64(3, 'UTC')", "CODEC(DoubleDelta, ZSTD(1))"],
    ["box", "LowCardinality(String)"],
    ["cpu_percent", "Nullable(Float64)"],
    ["cpu_count_logical", "Nullable(UInt64)"],
    ["load_1m", "Nullable(Float64)"],
    ["memory_total_bytes", "Nullable(Float64)"],
    ["memory_used_bytes", "Nullable(Float64)"],
    [
      "disk_path",
      "LowCardinality(Nullable(String))",
      "COMMENT 'the folder whose file system the disk figures are of'",
    ],
    ["disk_total_bytes", "Nullable(Float64)"],
    ["disk_used_bytes", "Nullable(Float64)"],
    ["in_flight", "UInt64", "COMMENT 'requests open on the agent'"],
    ["queued", "UInt64", "COMMENT 'those of them that Ollama had not begun to answer'"],
  ],
  tail: `
) ENGINE = ReplacingMergeTree PARTITION BY toYYYYMM(timestamp) ORDER BY (box, timestamp)
TTL toDateTime(timestamp) + INTERVAL ${STORE_SAMPLES_KEPT_DAYS} DAY SETTINGS ${DEDUPLICATION}`,
};

export const CLICKHOUSE_TABLES: readonly Table[] = [
  REQUESTS,
  REQUESTS_MINUTES,
  GPU_SAMPLES,
  SYSTEM_SAMPLES,
];

/** In this order, each may be run again. In the database that is to hold the tables. */
export const CLICKHOUSE_MIGRATION: readonly string[] = [
  ...CLICKHOUSE_TABLES.flatMap((table) => [createTable(table), addColumns(table)]),
  MINUTES_OF_REQUESTS,
];

/**
 * The tables in ClickHouse.
 *
 * `requests` has one row per finished request. Its key is the request id alone. The id is a UUIDv7,
 * so rows lie in order of time, pages are read straight from the key, and a request that arrived
 * twice is one row after a merge. (A batch that is sent again does not get that far: its token is
 * known.) `requests_minutes` holds sums of the requests by minute. They are kept longer than the
 * rows, and a view fills them within the same insert. Their sketches are DDSketch with 0.5 %
 * relative error, like the edge's own.
 */
import { AUDIT_COLUMNS } from "../../../protocol/audit-columns.ts";
import {
  type ColumnType,
  ENERGY_HOUR_COLUMNS,
  GPU_SAMPLE_COLUMNS,
  REQUEST_COLUMNS,
  type StoredColumn,
  SYSTEM_SAMPLE_COLUMNS,
} from "../../../protocol/columns.ts";
import { addColumns, type ColumnNames, createTable, type Table, tableColumns } from "../schema.ts";

/**
 * A batch may be sent again within a week. An outage can exceed the default of replicated tables,
 * one hour.
 */
const DEDUPLICATION = [
  "non_replicated_deduplication_window = 10000",
  "replicated_deduplication_window = 10000",
  "replicated_deduplication_window_seconds = 604800",
].join(", ");

const SKETCH = "AggregateFunction(quantilesDD(0.005, 0.5, 0.95, 0.99), Float64)";
const SUM = "SimpleAggregateFunction(sum, UInt64)";
const SUM_OF_FRACTIONS = "SimpleAggregateFunction(sum, Float64)";

/** The seed names the time of a request `timestamp`. */
export const CLICKHOUSE_NAMES: ColumnNames = {
  started_at: "timestamp",
  at: "timestamp",
  index: "gpu",
};

const TYPES: Record<ColumnType, string> = {
  boolean: "Bool",
  uint16: "UInt16",
  uint32: "UInt32",
  count: "UInt64",
  float: "Float32",
  double: "Float64",
  uuid: "String",
  time: "DateTime64(3, 'UTC')",
  label: "String",
  text: "String",
  long_text: "String",
};

const CODECS: Partial<Record<ColumnType, string>> = {
  uuid: "CODEC(ZSTD(1))",
  time: "CODEC(DoubleDelta, ZSTD(1))",
  long_text: "CODEC(ZSTD(3))",
};

function columnOf({
  type,
  nullable,
  comment,
}: StoredColumn): readonly [type: string, rest?: string] {
  const plain = nullable ? `Nullable(${TYPES[type]})` : TYPES[type];
  const rest = [...(comment === undefined ? [] : [`COMMENT '${comment}'`]), CODECS[type]];
  const text = rest.filter((part) => part !== undefined).join(" ");
  return [
    type === "label" ? `LowCardinality(${plain})` : plain,
    ...(text === "" ? ([] as const) : ([text] as const)),
  ];
}

/** The time comes first, and `box` and `model` allow no null, since they are keys of the sums. */
const { started_at, ...otherColumns } = REQUEST_COLUMNS;
const requestColumns = {
  started_at,
  ...otherColumns,
  box: { ...REQUEST_COLUMNS.box, nullable: false, comment: "empty when none was reached" },
  model: {
    ...REQUEST_COLUMNS.model,
    nullable: false,
    comment: "as the caller wrote it; empty when none was named",
  },
};

const REQUESTS: Table = {
  name: "requests",
  columns: tableColumns(requestColumns, CLICKHOUSE_NAMES, columnOf),
  tail: `,
  INDEX by_time timestamp TYPE minmax GRANULARITY 1,
  INDEX by_latency latency_ms TYPE minmax GRANULARITY 1
) ENGINE = ReplacingMergeTree PARTITION BY toYYYYMM(timestamp) ORDER BY request_id
SETTINGS ${DEDUPLICATION}`,
  kept: { for: "requestsDays", since: "toDateTime(timestamp)" },
};

const REQUESTS_MINUTES: Table = {
  name: "requests_minutes",
  columns: [
    [
      "minute",
      "DateTime('UTC')",
      "COMMENT 'minute in which the requests finished' CODEC(DoubleDelta, ZSTD(1))",
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
    ["latency_ms_sum", SUM_OF_FRACTIONS],
    ["latency_ms", SKETCH],
    ["ttft_ms", SKETCH],
    ["energy_j", SUM_OF_FRACTIONS],
    ["cost", SUM_OF_FRACTIONS],
    ["co2_g", SUM_OF_FRACTIONS],
  ],
  tail: `
) ENGINE = AggregatingMergeTree PARTITION BY toYYYYMM(minute) ORDER BY (minute, model, box)
SETTINGS ${DEDUPLICATION}`,
  kept: { for: "sumsDays", since: "minute" },
};

/** Failed requests end early, so their duration is not a latency. */
const HAS_LATENCY = "r.is_inference AND r.status = 'success'";

/** Sums requests by minute. @param requests  the rows of a table, under the name `r` */
const minutesOf = (
  requests: string,
): string => `SELECT toStartOfMinute(toDateTime(r.finished_at, 'UTC')) AS minute, r.model AS model, r.box AS box,
  countIf(r.status = 'success') AS successes,
  countIf(r.status = 'error') AS errors,
  countIf(r.status = 'cancelled') AS cancelled,
  sum(r.resumed) AS resumes,
  sumIf(ifNull(r.prompt_tokens, 0), r.is_inference) AS prompt_tokens,
  sumIf(ifNull(r.completion_tokens, 0), r.is_inference) AS completion_tokens,
  countIf(${HAS_LATENCY}) AS latency_count,
  sumIf(r.latency_ms, ${HAS_LATENCY}) AS latency_ms_sum,
  quantilesDDStateIf(0.005, 0.5, 0.95, 0.99)(r.latency_ms, ${HAS_LATENCY}) AS latency_ms,
  quantilesDDStateIf(0.005, 0.5, 0.95, 0.99)(ifNull(r.ttft_ms, 0), r.is_inference AND r.ttft_ms IS NOT NULL) AS ttft_ms,
  sumIf(ifNull(r.energy_j, 0), r.is_inference) AS energy_j,
  sumIf(ifNull(r.cost, 0), r.is_inference) AS cost,
  sumIf(ifNull(r.co2_g, 0), r.is_inference) AS co2_g
FROM ${requests}
GROUP BY minute, model, box`;

const MINUTES_SELECT = minutesOf("requests AS r");

/** The sums of the requests of a key in [from, to), in the columns of `requests_minutes`. */
export const MINUTES_OF_KEY = minutesOf(`requests AS r FINAL WHERE r.key_id = {key:String}
  AND r.finished_at >= toDateTime64({from:UInt32}, 3, 'UTC') AND r.finished_at < toDateTime64({to:UInt32}, 3, 'UTC')`);

/** The second statement changes a view that an earlier version created. */
const MINUTES_OF_REQUESTS = [
  `CREATE MATERIALIZED VIEW IF NOT EXISTS requests_minutes_of_requests TO requests_minutes AS\n${MINUTES_SELECT}`,
  `ALTER TABLE requests_minutes_of_requests MODIFY QUERY\n${MINUTES_SELECT}`,
];

const GPU_SAMPLES: Table = {
  name: "gpu_samples",
  columns: tableColumns(GPU_SAMPLE_COLUMNS, CLICKHOUSE_NAMES, columnOf),
  tail: `
) ENGINE = ReplacingMergeTree PARTITION BY toYYYYMM(timestamp) ORDER BY (box, gpu, timestamp)
SETTINGS ${DEDUPLICATION}`,
  kept: { for: "samplesDays", since: "toDateTime(timestamp)" },
};

const SYSTEM_SAMPLES: Table = {
  name: "system_samples",
  columns: tableColumns(SYSTEM_SAMPLE_COLUMNS, CLICKHOUSE_NAMES, columnOf),
  tail: `
) ENGINE = ReplacingMergeTree PARTITION BY toYYYYMM(timestamp) ORDER BY (box, timestamp)
SETTINGS ${DEDUPLICATION}`,
  kept: { for: "samplesDays", since: "toDateTime(timestamp)" },
};

const ENERGY_HOURS: Table = {
  name: "energy_hours",
  columns: tableColumns(ENERGY_HOUR_COLUMNS, CLICKHOUSE_NAMES, columnOf),
  tail: `
) ENGINE = ReplacingMergeTree PARTITION BY toYYYYMM(hour) ORDER BY (box, hour, state, model, recorded_at)
SETTINGS ${DEDUPLICATION}`,
  kept: { for: "sumsDays", since: "toDateTime(hour)" },
};

const AUDIT_LOG: Table = {
  name: "audit_log",
  columns: tableColumns(AUDIT_COLUMNS, CLICKHOUSE_NAMES, columnOf),
  tail: `
) ENGINE = ReplacingMergeTree PARTITION BY toYYYYMM(timestamp) ORDER BY id
SETTINGS ${DEDUPLICATION}`,
  kept: { for: "auditDays", since: "toDateTime(timestamp)" },
};

export const CLICKHOUSE_TABLES: readonly Table[] = [
  REQUESTS,
  REQUESTS_MINUTES,
  GPU_SAMPLES,
  SYSTEM_SAMPLES,
  ENERGY_HOURS,
  AUDIT_LOG,
];

/** Runs in this order, in the database of the tables. Each statement may run again. */
export const CLICKHOUSE_MIGRATION: readonly string[] = [
  ...CLICKHOUSE_TABLES.flatMap((table) => [createTable(table), addColumns(table)]),
  ...MINUTES_OF_REQUESTS,
];

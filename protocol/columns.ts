/**
 * Columns: the one table of what is stored of a finished request, a GPU sample and a machine
 * sample.
 *
 * The ledger, the schemas of the external stores, the log page and the exports all read it. A field
 * that is added to a record does not compile until it has a row here.
 */
import type { EnergyState } from "./gpu-energy.ts";
import type { GpuSample, RequestRecord, SystemSample } from "./records.ts";

/** `count` reaches 2^53. `float` is a 32-bit number: enough for a reading of a sensor. */
type NumberType = "uint16" | "uint32" | "count" | "float" | "double";

/** `label` has few distinct values; `long_text` is worth compressing harder. */
type TextType = "uuid" | "time" | "label" | "text" | "long_text";

/** Each store maps these to types of its own. */
export type ColumnType = "boolean" | NumberType | TextType;

/** How values over time become one. */
export type Combining = "mean" | "max" | "sum";

export type StoredColumn = {
  type: ColumnType;
  nullable: boolean;
  /** Computed from the record when an external store gets it. The ledger does not keep it. */
  derived?: true;
  /**
   * The name in the log page and its exports if it is not the column's own; null if it is not
   * shown.
   */
  logName?: string | null;
  /** How the history of samples combines it over a bucket. */
  history?: Combining;
  /** Shown by a store that keeps comments on columns. No apostrophes. */
  comment?: string;
};

type ColumnTypeOf<Value> = Value extends boolean
  ? "boolean"
  : Value extends number
    ? NumberType
    : TextType;

/** Exactly one column for each field of a row, of a type that can hold it. */
export type ColumnsOf<Row> = {
  [Name in keyof Row]-?: StoredColumn & {
    type: ColumnTypeOf<NonNullable<Row[Name]>>;
    nullable: null extends Row[Name] ? true : false;
  };
};

/** A finished request as the external stores keep it. */
export type StoredRequest = RequestRecord & {
  finished_at: string;
  /** True if it counts in the latency, TTFT and token figures. */
  is_inference: boolean;
  /** Prompt and completion tokens; null if Ollama reported neither. */
  tokens_used: number | null;
};

/** A GPU sample as the external stores keep it. */
export type StoredGpuSample = GpuSample & {
  /** Null if the edge no longer knows the box. */
  simulated: boolean | null;
};

/**
 * The energy of a box in one hour and state, as the external stores keep it. An hour may have several
 * rows of a kind, which add up: they differ in when they were recorded.
 */
export type StoredEnergyHour = {
  hour: string;
  box: string;
  recorded_at: string;
  state: EnergyState;
  /** Empty except for the models in memory while no request was open. */
  model: string;
  energy_j: number;
  cost: number | null;
  cost_currency: string | null;
  priced_j: number;
  co2_g: number | null;
  simulated: boolean | null;
};

/** A machine sample as the external stores keep it. */
export type StoredSystemSample = SystemSample & { box: string };

export const REQUEST_COLUMNS = {
  request_id: { type: "uuid", nullable: false, logName: "id" },
  started_at: {
    type: "time",
    nullable: false,
    logName: "timestamp",
    comment: "when the edge accepted the request",
  },
  finished_at: { type: "time", nullable: false, derived: true, logName: null },
  box: { type: "label", nullable: true },
  model: { type: "label", nullable: true },
  endpoint: { type: "label", nullable: false },
  api: { type: "label", nullable: false },
  stream: { type: "boolean", nullable: false },
  is_inference: { type: "boolean", nullable: false, derived: true, logName: null },
  status: { type: "label", nullable: false, comment: "success, error or cancelled" },
  http_status: { type: "uint16", nullable: false },
  failed_at: { type: "label", nullable: true, comment: "gateway, tunnel or ollama" },
  error_message: { type: "long_text", nullable: true },
  prompt: { type: "long_text", nullable: true },
  response: { type: "long_text", nullable: true },
  prompt_tokens: { type: "count", nullable: true },
  completion_tokens: { type: "count", nullable: true },
  tokens_used: { type: "count", nullable: true, derived: true },
  latency_ms: { type: "double", nullable: false },
  edge_ms: { type: "double", nullable: true },
  tunnel_ms: { type: "double", nullable: true },
  ttft_ms: { type: "double", nullable: true },
  queue_ms: { type: "double", nullable: true },
  load_ms: { type: "double", nullable: true },
  prefill_ms: { type: "double", nullable: true },
  decode_ms: { type: "double", nullable: true },
  phases_source: { type: "label", nullable: true, comment: "ollama or inferred" },
  done_reason: { type: "label", nullable: true },
  key_id: { type: "label", nullable: true },
  client_ip: { type: "text", nullable: true },
  user_agent: { type: "label", nullable: true },
  energy_j: { type: "double", nullable: true },
  energy_method: {
    type: "label",
    nullable: true,
    comment: "instant: power several times a second; mean: of each second",
  },
  cost: { type: "double", nullable: true, comment: "cost of energy_j, by the tariff of that time" },
  cost_currency: { type: "label", nullable: true, comment: "ISO 4217" },
  co2_g: { type: "double", nullable: true, comment: "grams of CO2 of energy_j" },
  resumed: { type: "uint32", nullable: false },
  source: { type: "label", nullable: true, comment: "edge, listener, bench, unsealed or system" },
  simulated: {
    type: "boolean",
    nullable: true,
    comment: "true: the box runs no model, and its figures are made up",
  },
  route_reason: { type: "label", nullable: true, comment: "why the request was on its box" },
  attempts: { type: "uint16", nullable: true, comment: "boxes that had the request" },
  moved_from: {
    type: "text",
    nullable: true,
    comment: "boxes that had the request before, each with a reason and a time",
  },
  prompt_chars: { type: "count", nullable: true, comment: "length of the texts of the prompt" },
  context_length: { type: "count", nullable: true, comment: "tokens of context of the model" },
  prompt_truncated: {
    type: "boolean",
    nullable: true,
    comment: "true: a part of the prompt did not fit and was left out",
  },
  key_name: { type: "label", nullable: true, comment: "name of the key at that time" },
  end_user: { type: "text", nullable: true, comment: "user that the caller named" },
  session_id: { type: "text", nullable: true, comment: "X-Session-Id of the caller" },
} as const satisfies ColumnsOf<StoredRequest>;

export const GPU_SAMPLE_COLUMNS = {
  at: { type: "time", nullable: false },
  box: { type: "label", nullable: false },
  index: { type: "uint32", nullable: false, comment: "index of the GPU on its box" },
  uuid: { type: "label", nullable: true },
  name: { type: "label", nullable: false },
  utilization_percent: { type: "float", nullable: true, history: "mean" },
  memory_used_mb: { type: "double", nullable: true, history: "mean" },
  memory_total_mb: { type: "double", nullable: true, history: "mean" },
  temperature_c: { type: "float", nullable: true, history: "mean" },
  power_draw_w: { type: "float", nullable: true, history: "mean" },
  power_limit_w: { type: "float", nullable: true },
  sm_clock_mhz: { type: "float", nullable: true, history: "mean" },
  fan_percent: { type: "float", nullable: true },
  throttle_reasons: {
    type: "label",
    nullable: true,
    comment: "separated by commas; empty: not throttled; null: unknown",
  },
  utilization_max_percent: { type: "float", nullable: true, history: "max" },
  memory_used_max_mb: { type: "double", nullable: true, history: "max" },
  temperature_max_c: { type: "float", nullable: true, history: "max" },
  energy_j: {
    type: "double",
    nullable: true,
    history: "sum",
    comment: "energy of the GPU in these ten seconds",
  },
  simulated: { type: "boolean", nullable: true, derived: true, comment: "true: made up" },
} as const satisfies ColumnsOf<StoredGpuSample>;

export const SYSTEM_SAMPLE_COLUMNS = {
  at: { type: "time", nullable: false },
  box: { type: "label", nullable: false, derived: true },
  cpu_percent: { type: "double", nullable: true, history: "mean" },
  cpu_count_logical: { type: "count", nullable: true, history: "mean" },
  load_1m: { type: "double", nullable: true },
  memory_total_bytes: { type: "double", nullable: true, history: "mean" },
  memory_used_bytes: { type: "double", nullable: true, history: "mean" },
  disk_path: {
    type: "label",
    nullable: true,
    comment: "folder whose file system the disk figures describe",
  },
  disk_total_bytes: { type: "double", nullable: true, history: "mean" },
  disk_used_bytes: { type: "double", nullable: true, history: "mean" },
  in_flight: { type: "count", nullable: false, history: "mean", comment: "open requests" },
  queued: {
    type: "count",
    nullable: false,
    history: "mean",
    comment: "open requests that Ollama has not begun to answer",
  },
} as const satisfies ColumnsOf<StoredSystemSample>;

export const ENERGY_HOUR_COLUMNS = {
  hour: { type: "time", nullable: false, comment: "start of the hour" },
  box: { type: "label", nullable: false },
  recorded_at: { type: "time", nullable: false },
  state: {
    type: "label",
    nullable: false,
    comment: "active: a request was open; loaded: only a model was in memory; idle: neither",
  },
  model: { type: "label", nullable: false, comment: "model in memory, if loaded; otherwise empty" },
  energy_j: { type: "double", nullable: false, comment: "energy of the GPUs of the box" },
  cost: { type: "double", nullable: true, comment: "cost of energy_j, as far as it has a price" },
  cost_currency: { type: "label", nullable: true, comment: "ISO 4217" },
  priced_j: { type: "double", nullable: false, comment: "the part of energy_j that has a price" },
  co2_g: { type: "double", nullable: true, comment: "grams of CO2 of energy_j" },
  simulated: { type: "boolean", nullable: true, comment: "true: made up" },
} as const satisfies ColumnsOf<StoredEnergyHour>;

type RequestColumns = typeof REQUEST_COLUMNS;

/** A column of the log page that has the same name in the record, the API and every store. */
export type LogColumn = {
  [Name in keyof RequestColumns]: RequestColumns[Name] extends { logName: unknown } ? never : Name;
}[keyof RequestColumns];

/** The columns of a table that a history shows. */
type Shown<Table> = {
  [Name in keyof Table]: Table[Name] extends { history: Combining } ? Name : never;
}[keyof Table];
export type GpuHistoryColumn = Shown<typeof GPU_SAMPLE_COLUMNS>;
export type SystemHistoryColumn = Shown<typeof SYSTEM_SAMPLE_COLUMNS>;

/** The names of the columns that pass a test, in the order of the table. */
const namesOf = <Name extends string>(
  table: Readonly<Record<string, StoredColumn>>,
  isPicked: (column: StoredColumn) => boolean,
): Name[] =>
  Object.entries(table).flatMap(([name, column]) => (isPicked(column) ? [name as Name] : []));

/** The fields of a record. */
export const RECORD_COLUMNS = namesOf<keyof RequestRecord>(
  REQUEST_COLUMNS,
  ({ derived }) => derived === undefined,
);

/** The record's own columns first, then the derived ones. */
export const LOG_COLUMNS: readonly LogColumn[] = [undefined, true].flatMap((isDerived) =>
  namesOf<LogColumn>(
    REQUEST_COLUMNS,
    ({ derived, logName }) => logName === undefined && derived === isDerived,
  ),
);

/** The fields of one entry of the log page, and the columns of its exports. */
export const LOG_ENTRY_FIELDS: readonly string[] = [
  REQUEST_COLUMNS.request_id.logName,
  REQUEST_COLUMNS.started_at.logName,
  ...LOG_COLUMNS,
];

/** How the history combines each column that it shows. */
export const GPU_HISTORY = combiningOf<GpuHistoryColumn>(GPU_SAMPLE_COLUMNS);
export const SYSTEM_HISTORY = combiningOf<SystemHistoryColumn>(SYSTEM_SAMPLE_COLUMNS);

function combiningOf<Name extends string>(
  table: Readonly<Record<string, StoredColumn>>,
): Readonly<Record<Name, Combining>> {
  const shown = Object.entries(table).flatMap(([name, { history }]) =>
    history === undefined ? [] : [[name, history]],
  );
  return Object.fromEntries(shown) as Record<Name, Combining>;
}

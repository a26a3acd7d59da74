/**
 * Records of finished requests, and samples of GPUs and machines.
 *
 * Units are in the names. `null` means unknown, never 0: Ollama leaves fields out, and a zero
 * would lower every average. A new field also needs a row in `columns.ts`.
 */
import * as z from "zod";
import { BOX_NAME, ERROR_CHARS_MAX, PROMPT_CHARS_MAX, RESPONSE_CHARS_MAX } from "./limits.ts";
import { NO_PROMPT_FIT, PROMPT_FIT_FIELDS } from "./prompt-fit.ts";
import { ROUTE_FIELDS, UNROUTED } from "./route.ts";
import { CALLER_FIELDS } from "./tags.ts";

const ms = z.number().nonnegative().nullable();
const count = z.int().nonnegative().nullable();

/** Not an integer: network file systems of 2^63 bytes exist, beyond the safe integers. */
const bytes = z.number().nonnegative().nullable();

/** Room for the mark that states how much was cut. */
export const MARK_CHARS = 64;

export const FailedAt = z.enum(["gateway", "tunnel", "ollama"]);
export type FailedAt = z.infer<typeof FailedAt>;

export const Status = z.enum(["success", "error", "cancelled"]);
export type Status = z.infer<typeof Status>;

export const Api = z.enum(["ollama", "openai", "anthropic"]);
export type Api = z.infer<typeof Api>;

/**
 * `ollama`: from the durations that Ollama reports. `inferred`: its answer has none (`/v1`), and the
 * agent inferred the phases from the times of arrival, the other requests and the pace of the model.
 * An inferred phase is within 5 %, or null.
 */
export const PhasesSource = z.enum(["ollama", "inferred"]);
export type PhasesSource = z.infer<typeof PhasesSource>;

/**
 * How the energy of a request was measured. `instant`: from instantaneous power, several times a
 * second. `mean`: from the mean power of each second.
 */
export const EnergyMethod = z.enum(["instant", "mean"]);
export type EnergyMethod = z.infer<typeof EnergyMethod>;

/**
 * Where a record comes from, and with it who vouches for its facts.
 *
 * `edge`: the edge accepted the request and sealed its facts, or wrote the record itself.
 * `listener`: a call to the listener of an agent, which no edge has seen. `bench`: a request of the
 * agent's own bench, which measures the box; no figure about callers counts it. `system`: the edge
 * loaded or unloaded a model, which counts as little. `unsealed`: an agent
 * without seals reported it, so the edge does not know who called.
 */
export const RecordSource = z.enum(["edge", "listener", "bench", "unsealed", "system"]);
export type RecordSource = z.infer<typeof RecordSource>;

export const BoxName = z
  .string()
  .regex(
    BOX_NAME,
    "a box name is 1-63 letters, digits, '.', '_' or '-', and starts with a letter or digit",
  );

/**
 * One finished request. The request id is the idempotency key everywhere: a record delivered twice
 * counts once.
 */
export const RequestRecord = z.object({
  request_id: z.uuid(),
  /** When the edge, or an agent's own listener, accepted it: ISO 8601 in UTC, with milliseconds. */
  started_at: z.iso.datetime({ precision: 3 }),
  /** The box that served it; null if none was reached. */
  box: BoxName.nullable(),
  /** As the caller wrote it; null if the endpoint has no model. */
  model: z.string().max(512).nullable(),
  /** The route pattern, e.g. `/api/chat`. It has few distinct values. */
  endpoint: z.string().max(128),
  api: Api,
  stream: z.boolean(),
  status: Status,
  /**
   * The status that the caller received; 499 (nginx's "client closed request") if it left before
   * the answer.
   */
  http_status: z.int().min(100).max(599),
  failed_at: FailedAt.nullable(),
  error_message: z
    .string()
    .max(ERROR_CHARS_MAX + MARK_CHARS)
    .nullable(),
  /** Null if text is not kept (`LOG_CONTENT=off`) or the request had no prompt. */
  prompt: z
    .string()
    .max(PROMPT_CHARS_MAX + MARK_CHARS)
    .nullable(),
  /**
   * Thinking, text and tool calls of the answer in one text: `<think>…</think>`, the text, and
   * `<tool_call>{"name":…,"arguments":…}</tool_call>`.
   */
  response: z
    .string()
    .max(RESPONSE_CHARS_MAX + MARK_CHARS)
    .nullable(),
  prompt_tokens: count,
  completion_tokens: count,
  /**
   * From acceptance until the caller had the last byte.
   *
   * For a request through the tunnel: `edge_ms`, plus the time on the box from the request's arrival
   * until the edge confirmed that the answer was sent, which includes one round trip of the tunnel.
   * For a request to the agent's own listener: the time there.
   */
  latency_ms: z.number().nonnegative(),
  /**
   * From acceptance at the edge to the departure for the box: the body was read and checked, and a
   * box chosen and attached. In whole ms, since the edge's clock stands still while it computes. Null
   * for a request that never left, for one to the agent's own listener, and from older versions.
   */
  edge_ms: ms.default(null),
  /**
   * The round trip of the tunnel, measured by the last heartbeat before the request. Part of
   * `latency_ms`. Null for a request to the agent's own listener, before the first heartbeat was
   * answered, and if the edge wrote the record.
   */
  tunnel_ms: ms.default(null),
  /**
   * Until the first content byte, measured on the box from the request's arrival. Excludes edge and
   * tunnel. For an answer in one piece: queue, load and prefill by Ollama's own clock.
   */
  ttft_ms: ms,
  /** Waiting for a slot of the model, on the agent and in Ollama (total - load - prefill - decode). */
  queue_ms: ms,
  load_ms: ms,
  prefill_ms: ms,
  decode_ms: ms,
  /** Where the four phases come from. Null if none is known, and from older versions. */
  phases_source: PhasesSource.nullable().default(null),
  done_reason: z.string().max(64).nullable(),
  key_id: z.string().max(64).nullable(),
  client_ip: z.string().max(64).nullable(),
  user_agent: z.string().max(512).nullable(),
  /**
   * Energy that the GPUs of the box (those that hold the model, if that is known) drew while Ollama
   * had the request, shared equally with the inference requests running beside it. This is the board
   * power that the driver reports, including that of idle GPUs. Null if a GPU reports none, if its
   * readings were too rare for the length of the request, for a request that makes no tokens or
   * vectors, and if the agent restarted before the record left.
   */
  energy_j: z.number().nonnegative().nullable(),
  /** Null if `energy_j` is, and from older versions. */
  energy_method: EnergyMethod.nullable().default(null),
  /** Cost of `energy_j`, by the tariff in force while the request ran. The edge fills it in when it records the request. */
  cost: z.number().nonnegative().nullable().default(null),
  /** ISO 4217; null if `cost` is. */
  cost_currency: z.string().max(3).nullable().default(null),
  co2_g: z.number().nonnegative().nullable().default(null),
  /** How often the tunnel was resumed during the request. */
  resumed: z.int().nonnegative(),
  /** Null in records of earlier versions. */
  source: RecordSource.nullable().default(null),
  /**
   * True if the box runs no model: text, tokens and figures are made up. The edge fills it in, from
   * the hello of the box. Null if no box had the request, and from older versions.
   */
  simulated: z.boolean().nullable().default(null),
  ...ROUTE_FIELDS,
  ...PROMPT_FIT_FIELDS,
  ...CALLER_FIELDS,
});
export type RequestRecord = z.infer<typeof RequestRecord>;

/** Room for the seal of a request: the id of its key and an HMAC, in base64url. */
const SEAL_CHARS_MAX = 64;

/** The edge's signature under the facts that it sends with a request. Opaque to agents. */
export const Seal = z.string().max(SEAL_CHARS_MAX);

/** A record as an agent reports it: with the seal of OPEN, which the ledger does not keep. */
export const ReportedRecord = RequestRecord.extend({ seal: Seal.optional() });
export type ReportedRecord = z.infer<typeof ReportedRecord>;

/** Returns prompt and completion tokens together; null if Ollama reported neither. */
export const tokensUsed = ({
  prompt_tokens,
  completion_tokens,
}: Pick<RequestRecord, "prompt_tokens" | "completion_tokens">): number | null =>
  prompt_tokens === null && completion_tokens === null
    ? null
    : (prompt_tokens ?? 0) + (completion_tokens ?? 0);

/** The measured fields of a request that was not measured. */
export const UNMEASURED = {
  response: null,
  prompt_tokens: null,
  completion_tokens: null,
  ttft_ms: null,
  queue_ms: null,
  load_ms: null,
  prefill_ms: null,
  decode_ms: null,
  phases_source: null,
  tunnel_ms: null,
  done_reason: null,
  energy_j: null,
  energy_method: null,
  cost: null,
  cost_currency: null,
  co2_g: null,
  simulated: null,
  key_name: null,
  ...UNROUTED,
  ...NO_PROMPT_FIT,
} satisfies Partial<RequestRecord>;

const reading = z.number().nullable();
/** Only in samples over ten seconds, and not from older agents. */
const later = reading.default(null);

/**
 * One GPU at one moment, or over ten seconds: figures are then means, and the fields behind
 * `throttle_reasons` are known. `null` if the driver gives no number.
 */
export const GpuSample = z.object({
  at: z.iso.datetime({ precision: 3 }),
  box: BoxName,
  index: z.int().nonnegative(),
  uuid: z.string().max(128).nullable(),
  name: z.string().max(128),
  utilization_percent: reading,
  memory_used_mb: reading,
  memory_total_mb: reading,
  temperature_c: reading,
  power_draw_w: reading,
  power_limit_w: reading,
  sm_clock_mhz: reading,
  fan_percent: reading,
  /**
   * Names of the reasons for which the clocks are throttled now, e.g. `sw_power_cap`; null if
   * unknown.
   */
  throttle_reasons: z.array(z.string().max(64)).max(16).nullable(),
  utilization_max_percent: later,
  memory_used_max_mb: later,
  temperature_max_c: later,
  /** Energy of the GPU in these ten seconds. */
  energy_j: later,
});
export type GpuSample = z.infer<typeof GpuSample>;

/** The fields that a sample of one moment lacks. */
export const OVER_TIME = {
  utilization_max_percent: true,
  memory_used_max_mb: true,
  temperature_max_c: true,
  energy_j: true,
} as const;

/**
 * The machine of a box at one moment, as its agent can read it from Node.
 *
 * The figures describe the machine, not a container or service. The memory limit that the agent runs
 * under (our systemd unit sets one) is the agent's own; Ollama has another limit or none.
 */
export const SystemSample = z.object({
  at: z.iso.datetime({ precision: 3 }),
  /** Busy share of all CPUs since the previous sample, 0 to 100; null in the first sample. */
  cpu_percent: z.number().min(0).max(100).nullable(),
  /** Hardware threads. Node cannot count physical cores. */
  cpu_count_logical: z.int().positive().nullable(),
  /**
   * Mean number of runnable tasks in the last minute; null on Windows, which has no such figure.
   */
  load_1m: z.number().nonnegative().nullable(),
  memory_total_bytes: bytes,
  /** Memory that no program could get. Caches that the system would release do not count. */
  memory_used_bytes: bytes,
  /**
   * The folder whose file system the disk figures describe: the folder of the models, if it is
   * readable.
   */
  disk_path: z.string().max(512).nullable(),
  disk_total_bytes: bytes,
  disk_used_bytes: bytes,
  /** Streams open on the agent. */
  in_flight: z.int().nonnegative(),
  /** Open streams that Ollama has not begun to answer. */
  queued: z.int().nonnegative(),
});
export type SystemSample = z.infer<typeof SystemSample>;

/**
 * Cuts a text to `max` UTF-16 code units and appends a mark that states how much was cut.
 * @example cut("abcdef", 3) // "abc… [3 more characters cut]"
 */
export function cut(text: string, max: number): string {
  if (text.length <= max) return text;
  return `${text.slice(0, max).toWellFormed()}… [${text.length - max} more characters cut]`;
}

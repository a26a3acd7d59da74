/**
 * Records: what is kept of a finished request, and of a GPU and a machine at one moment.
 *
 * Units are in the names. `null` means unknown, never 0: Ollama leaves fields out, and a zero
 * would lower every average.
 */
import { z } from "zod";
import { BOX_NAME, ERROR_CHARS_MAX, PROMPT_CHARS_MAX, RESPONSE_CHARS_MAX } from "./limits.ts";

const ms = z.number().nonnegative().nullable();
const count = z.int().nonnegative().nullable();

/** Not integers: network file systems of 2^63 bytes exist, and a size beyond 2^53 is none that is safe. */
const bytes = z.number().nonnegative().nullable();

/** Room for the mark that says how much was cut. */
const MARK_CHARS = 64;

export const FailedAt = z.enum(["gateway", "tunnel", "ollama"]);
export type FailedAt = z.infer<typeof FailedAt>;

export const Status = z.enum(["success", "error", "cancelled"]);
export type Status = z.infer<typeof Status>;

export const Api = z.enum(["ollama", "openai", "anthropic"]);
export type Api = z.infer<typeof Api>;

export const BoxName = z
  .string()
  .regex(
    BOX_NAME,
    "a box name is 1-63 letters, digits, '.', '_' or '-', and starts with a letter or digit",
  );

/** One finished request. The request id is the key of idempotency everywhere: delivered twice, it counts once. */
export const RequestRecord = z.object({
  request_id: z.uuid(),
  /** When the edge, or the agent's own listener, accepted the request, ISO 8601 UTC with milliseconds. */
  started_at: z.iso.datetime({ precision: 3 }),
  /** The box that served it; null when none was reached. */
  box: BoxName.nullable(),
  /** As the caller wrote it; null where the endpoint names none. */
  model: z.string().max(512).nullable(),
  /** The route pattern, e.g. `/api/chat`: few values. */
  endpoint: z.string().max(128),
  api: Api,
  stream: z.boolean(),
  status: Status,
  /** What the caller was answered. 499 (nginx's "client closed request") when it left before an answer. */
  http_status: z.int().min(100).max(599),
  failed_at: FailedAt.nullable(),
  error_message: z
    .string()
    .max(ERROR_CHARS_MAX + MARK_CHARS)
    .nullable(),
  /** Null when text is not kept (`LOG_CONTENT=off`), or there was none. */
  prompt: z
    .string()
    .max(PROMPT_CHARS_MAX + MARK_CHARS)
    .nullable(),
  response: z
    .string()
    .max(RESPONSE_CHARS_MAX + MARK_CHARS)
    .nullable(),
  prompt_tokens: count,
  completion_tokens: count,
  /**
   * From accepted until the caller had the last byte. Of a call through the tunnel: `edge_ms`, and the time on the
   * box from the request's arrival to the edge's word that the answer is out, which has one round trip of the
   * tunnel in it. Of a call to the agent's own listener: the time there.
   */
  latency_ms: z.number().nonnegative(),
  /**
   * From accepted at the edge to the request's departure for the box: its body read and checked, a box chosen and
   * attached. In whole ms, as the edge's clock stands still while it computes. Null for what never left, for a call
   * to the agent's own listener, and from versions that did not say.
   */
  edge_ms: ms.default(null),
  /**
   * A round trip of the tunnel, as the newest heartbeat before the request measured it: a part of `latency_ms`.
   * Null for a call to the agent's own listener, before the first heartbeat was answered, and where the edge wrote the record.
   */
  tunnel_ms: ms.default(null),
  /** To the first content byte. Measured on the box from the arrival of the request there: neither edge nor tunnel is in it. */
  ttft_ms: ms,
  /** Waiting for a parallel slot of the model: total - load - prefill - decode. */
  queue_ms: ms,
  load_ms: ms,
  prefill_ms: ms,
  decode_ms: ms,
  done_reason: z.string().max(64).nullable(),
  key_id: z.string().max(64).nullable(),
  client_ip: z.string().max(64).nullable(),
  user_agent: z.string().max(512).nullable(),
  /**
   * What the GPUs of the box drew while Ollama had the request, shared equally with the inference requests beside it:
   * board power as nvidia-smi says it, that of an idle GPU included. Null where a GPU does not say, for a request that
   * makes no tokens or vectors, and where an agent was restarted before the record left.
   */
  energy_j: z.number().nonnegative().nullable(),
  /** How often the tunnel was resumed during it. */
  resumed: z.int().nonnegative(),
});
export type RequestRecord = z.infer<typeof RequestRecord>;

/** Prompt and completion tokens; null when Ollama said neither. */
export const tokensUsed = ({
  prompt_tokens,
  completion_tokens,
}: Pick<RequestRecord, "prompt_tokens" | "completion_tokens">): number | null =>
  prompt_tokens === null && completion_tokens === null
    ? null
    : (prompt_tokens ?? 0) + (completion_tokens ?? 0);

/** What is known of a request that was not measured. */
export const UNMEASURED = {
  response: null,
  prompt_tokens: null,
  completion_tokens: null,
  ttft_ms: null,
  queue_ms: null,
  load_ms: null,
  prefill_ms: null,
  decode_ms: null,
  tunnel_ms: null,
  done_reason: null,
  energy_j: null,
} satisfies Partial<RequestRecord>;

const reading = z.number().nullable();

/** One GPU at one moment. `null` where nvidia-smi gives no number (`[N/A]` and its many relatives). */
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
  /** Names of the reasons that hold the clocks down now, e.g. `sw_power_cap`; null when not known. */
  throttle_reasons: z.array(z.string().max(64)).max(16).nullable(),
});
export type GpuSample = z.infer<typeof GpuSample>;

/**
 * The machine of a box at one moment, as its agent can read it from Node.
 *
 * Of the machine, not of a container or service: the memory limit that an agent runs under (our
 * systemd unit sets one) is the agent's own, and Ollama beside it has another or none.
 */
export const SystemSample = z.object({
  at: z.iso.datetime({ precision: 3 }),
  /** Busy part of all CPUs since the sample before, 0 to 100; null in the first one. */
  cpu_percent: z.number().min(0).max(100).nullable(),
  /** Hardware threads. Node cannot tell physical cores. */
  cpu_count_logical: z.int().positive().nullable(),
  /** Runnable tasks, mean of the last minute; null on Windows, which has no such figure. */
  load_1m: z.number().nonnegative().nullable(),
  memory_total_bytes: bytes,
  /** What no program could get: caches that the system would give up are not in it. */
  memory_used_bytes: bytes,
  /** The folder whose file system the disk figures are of: that of the models, where it can be asked. */
  disk_path: z.string().max(512).nullable(),
  disk_total_bytes: bytes,
  disk_used_bytes: bytes,
  /** Streams that were open on the agent. */
  in_flight: z.int().nonnegative(),
  /** Those of them that Ollama had not begun to answer. */
  queued: z.int().nonnegative(),
});
export type SystemSample = z.infer<typeof SystemSample>;

/**
 * Text cut to `max` UTF-16 code units, with a mark that says so.
 * @example cut("abcdef", 3) // "abc… [3 more characters cut]"
 */
export function cut(text: string, max: number): string {
  if (text.length <= max) return text;
  return `${text.slice(0, max).toWellFormed()}… [${text.length - max} more characters cut]`;
}

/**
 * The status of a box, as its running agent reports it to a person on the same machine: the answer of
 * the status socket.
 *
 * The program that reads it may be older or newer than the agent, which is updated from the edge. So
 * fields are only added, and a word that may grow new values is a text.
 */
import * as z from "zod";

const Figure = z.number().nullable();
const Text = z.string().nullable();
const Count = z.int().nonnegative();

const StatusGpu = z.object({
  index: Count,
  name: z.string(),
  utilization_percent: Figure,
  memory_used_mb: Figure,
  memory_total_mb: Figure,
  temperature_c: Figure,
  power_draw_w: Figure,
  power_limit_w: Figure,
});
export type StatusGpu = z.infer<typeof StatusGpu>;

const StatusModel = z.object({
  name: z.string(),
  size_bytes: Figure,
  size_vram_bytes: Figure,
  context_length: Figure,
  /** Null if Ollama does not report it. */
  expires_at: Text,
});
export type StatusModel = z.infer<typeof StatusModel>;

const StatusRequest = z.object({
  request_id: z.string(),
  started_at: z.string(),
  model: Text,
  endpoint: z.string(),
  key_id: Text,
  client_ip: Text,
  /** The phase as in records; null if unknown. */
  phase: Text,
  queue_position: Figure,
  queue_eta_ms: Figure,
  completion_tokens: Figure,
  tokens_per_second: Figure,
});
export type StatusRequest = z.infer<typeof StatusRequest>;

const StatusConcern = z.object({
  /** As in `/api/health`. */
  code: z.string(),
  severity: z.string(),
  sentence: z.string(),
  /** The next step; null if the sentence states it. */
  advice: Text,
});
export type StatusConcern = z.infer<typeof StatusConcern>;

export const LocalStatus = z.object({
  /** By the clock of the box, unix ms, like all times here, except `started_at` of requests. */
  now_ms: z.number(),
  agent: z.object({
    version: z.string(),
    pid: Count,
    started_at_ms: z.number(),
    state_dir: z.string(),
    /** Address of the local listener; null without one. */
    listen: Text,
    is_draining: z.boolean(),
    /** The last update; null without one. */
    update: z.object({ state: z.string(), version: z.string(), reason: Text }).nullable(),
  }),
  box: z.string(),
  simulated: z.boolean(),
  edge: z.object({
    url: z.string(),
    is_up: z.boolean(),
    since_ms: z.number(),
    /** Null before it was reached. */
    version: Text,
    /** Round trip of the tunnel; null while it is down. */
    tunnel_ms: Figure,
    /** Why it is not connected; null while it is, and while the first dial lasts. */
    reason: Text,
    /** The clock of the box minus that of the edge, ms; null before they were compared. */
    clock_skew_ms: Figure,
  }),
  ollama: z.object({
    url: z.string(),
    /** Null before it was polled. */
    reachable: z.boolean().nullable(),
    error: Text,
    version: Text,
    models: Count,
    loaded: z.array(StatusModel),
  }),
  gpu: z.object({ error: Text, driver_version: Text, gpus: z.array(StatusGpu) }),
  /** Null before the first sample. */
  system: z
    .object({
      cpu_percent: Figure,
      memory_used_bytes: Figure,
      memory_total_bytes: Figure,
      disk_used_bytes: Figure,
      disk_total_bytes: Figure,
    })
    .nullable(),
  /** Open requests, oldest first. */
  requests: z.array(StatusRequest),
  records: z.object({
    /** In the spool, and not confirmed by the edge. */
    waiting: Count,
    /** Since the agent started. */
    lost: Count,
  }),
  concerns: z.array(StatusConcern),
});
export type LocalStatus = z.infer<typeof LocalStatus>;

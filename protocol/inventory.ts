/**
 * Inventory and readings: the models, GPUs and requests of a box, with the time they were read.
 *
 * Readings are not acknowledged, because the next ones replace them.
 */
import * as z from "zod";
import { MeteredEnergy } from "./gpu-energy.ts";
import { LISTED_CHARS_MAX, OPEN_REQUESTS_MAX, SYSTEM_SAMPLES_MAX } from "./limits.ts";
import { PINS_PER_BOX_MAX, PinReport } from "./pin.ts";
import { GpuSample, SystemSample } from "./records.ts";
import { UpdateReport } from "./update.ts";

/**
 * An entry of one of Ollama's lists as Ollama sent it, in JSON: the edge merges the lists of several
 * boxes, and Ollama adds fields between releases. Absent from older agents, and for entries that are
 * too long or too many.
 */
const Listed = z.string().max(LISTED_CHARS_MAX).optional();

/** A model on disk (Ollama `/api/tags`). */
export const InstalledModel = z.object({
  name: z.string().max(512),
  size_bytes: z.number().nonnegative().nullable(),
  digest: z.string().max(128).nullable(),
  family: z.string().max(128).nullable(),
  parameter_size: z.string().max(64).nullable(),
  quantization: z.string().max(64).nullable(),
  modified_at: z.string().max(64).nullable(),
  listed: Listed,
});
export type InstalledModel = z.infer<typeof InstalledModel>;

/**
 * Families of models that only embed, as Ollama names them: `bert`, `nomic-bert`,
 * `gemma-embedding`.
 */
const EMBEDS = /bert|embed/i;

/** Returns whether a model only embeds. Ollama serves and loads it by `/api/embed` alone. */
export const embedsOnly = ({ family }: Pick<InstalledModel, "family">): boolean =>
  EMBEDS.test(family ?? "");

/**
 * A model in memory (Ollama `/api/ps`). `size_vram_bytes < size_bytes` means a part runs on the
 * CPU.
 */
export const LoadedModel = z.object({
  name: z.string().max(512),
  size_bytes: z.number().nonnegative().nullable(),
  size_vram_bytes: z.number().nonnegative().nullable(),
  context_length: z.int().nonnegative().nullable(),
  expires_at: z.string().max(64).nullable(),
  listed: Listed,
});
export type LoadedModel = z.infer<typeof LoadedModel>;

/** Returns the share of a model that is in GPU memory, 0 to 1; null if unknown. */
export const gpuShareOf = ({
  size_bytes,
  size_vram_bytes,
}: Pick<LoadedModel, "size_bytes" | "size_vram_bytes">): number | null =>
  size_bytes === null || size_vram_bytes === null || size_bytes === 0
    ? null
    : Math.min(1, size_vram_bytes / size_bytes);

export const Inventory = z.object({
  at: z.iso.datetime({ precision: 3 }),
  /** True if Ollama answered the last poll. */
  reachable: z.boolean(),
  /** The reason why it did not, for people; null if it answered. */
  error: z.string().max(500).nullable(),
  ollama_version: z.string().max(64).nullable(),
  models: z.array(InstalledModel).max(2_000),
  loaded: z.array(LoadedModel).max(200),
});
export type Inventory = z.infer<typeof Inventory>;

export const LostGpu = z.object({
  index: z.int().nonnegative(),
  uuid: z.string().max(128).nullable(),
  name: z.string().max(128),
});
export type LostGpu = z.infer<typeof LostGpu>;

/**
 * The state of the GPU reader. A box without a GPU is normal: `available: false` and the reason.
 */
export const GpuState = z.object({
  available: z.boolean(),
  error: z.string().max(500).nullable(),
  driver_version: z.string().max(64).nullable(),
  /** Samples since the last readings, oldest first. */
  samples: z.array(GpuSample).max(1_000),
  /**
   * Samples over ten seconds since the last readings, oldest first, for the history. Null from
   * older agents, whose samples are the history.
   */
  history: z.array(GpuSample).max(1_000).nullable().default(null),
  /** True if the box has a GPU that should be readable and is not. Older agents omit it. */
  failed: z.boolean().default(false),
  /** GPUs that the agent has read since it started, and can no longer read. */
  lost: z.array(LostGpu).max(64).default([]),
});
export type GpuState = z.infer<typeof GpuState>;

/** The phase of an open request on its box, as in the phases of a record. */
export const OpenPhase = z.enum(["queue", "load", "prefill", "decode"]);
export type OpenPhase = z.infer<typeof OpenPhase>;

/** A request that an agent is serving now. */
export const OpenRequest = z.object({
  request_id: z.uuid(),
  started_at: z.iso.datetime({ precision: 3 }),
  model: z.string().max(512).nullable(),
  endpoint: z.string().max(128),
  key_id: z.string().max(64).nullable(),
  client_ip: z.string().max(64).nullable(),
  is_queued: z
    .boolean()
    .describe("true while the request waits for its model to load or for a parallel slot"),
  queue_position: z
    .int()
    .positive()
    .nullable()
    .default(null)
    .describe(
      "its place among the requests of its model that the agent holds back; null if Ollama has it",
    ),
  queue_eta_ms: z
    .number()
    .nonnegative()
    .nullable()
    .default(null)
    .describe("estimated time until Ollama gets it, from recent service times; null if unknown"),
  phase: OpenPhase.nullable()
    .default(null)
    .describe(
      "its phase now; null if unknown: an answer in one piece, one that Ollama has finished, and what needs no model",
    ),
  completion_tokens: z
    .int()
    .nonnegative()
    .nullable()
    .default(null)
    .describe("output tokens so far; null before the first, and for an answer in one piece"),
  tokens_per_second: z
    .number()
    .nonnegative()
    .nullable()
    .default(null)
    .describe("since its first token; null before the second"),
});
export type OpenRequest = z.infer<typeof OpenRequest>;

/** Models that readings list with their load. */
export const SERVED_MODELS_MAX = 64;

/** A model that has open requests, or whose parallel slots are known. */
export const ModelReport = z.object({
  model: z.string().max(512),
  /** Its open requests, however they came. */
  open: z.int().nonnegative(),
  /** The part of them that came past the edge: through the agent's own listener, or from its bench. */
  local: z.int().nonnegative(),
  /** Requests that Ollama works on at once, as far as the agent knows. */
  slots: z.int().positive(),
});
export type ModelReport = z.infer<typeof ModelReport>;

/** Payload of READINGS. Fields with a default were not sent by agents of 0.1.0. */
export const Readings = z.object({
  /**
   * The agent's wall clock at sending, unix ms. The edge uses it to put sample times on its own
   * clock.
   */
  now_ms: z.number().nullable().default(null),
  inventory: Inventory,
  gpu: GpuState,
  /** The energy of each GPU since the agent started; null from older agents. */
  gpu_energy: MeteredEnergy.nullable().default(null),
  /** Samples of the machine since the last readings, oldest first. */
  system: z.array(SystemSample).max(SYSTEM_SAMPLES_MAX).default([]),
  /** Requests that are open on this agent. */
  in_flight: z.int().nonnegative(),
  /** The open requests that came through the agent's own listener and not through the edge. */
  local_in_flight: z.int().nonnegative().default(0),
  /** The open requests that wait for their model to load or for a parallel slot. */
  queued: z.int().nonnegative(),
  /** The load by model, the busiest first; null from older agents. */
  serving: z.array(ModelReport).max(SERVED_MODELS_MAX).nullable().default(null),
  /** The pins of the box; null from older agents, and until the edge has sent them. */
  pins: z.array(PinReport).max(PINS_PER_BOX_MAX).nullable().default(null),
  /** The open requests themselves, oldest first. Sent only while somebody is watching. */
  requests: z.array(OpenRequest).max(OPEN_REQUESTS_MAX).default([]),
  /** Round trip of the tunnel, by the newest heartbeat; null before the first was answered. */
  tunnel_ms: z.number().nonnegative().nullable().default(null),
  /** Records in the spool that the edge has not confirmed. */
  spooled: z.int().nonnegative(),
  /**
   * Records lost since the agent started: its disk failed for longer than its memory could bridge.
   */
  lost: z.int().nonnegative().nullable().default(null),
  /** The last update of the agent; null without one, and from older agents. */
  update: UpdateReport.nullable().default(null),
});
export type Readings = z.infer<typeof Readings>;

/**
 * Adds Ollama's default tag, `:latest`, to a name without a tag. Ollama ignores case in the host
 * part only.
 */
export const withTag = (model: string): string =>
  model.slice(model.lastIndexOf("/") + 1).includes(":") ? model : `${model}:latest`;

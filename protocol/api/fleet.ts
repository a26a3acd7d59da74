/** `/api/health`, `/api/boxes`, `/api/gpu` and `/api/metrics`: the boxes and their state. */
import * as z from "zod";
import { Concern } from "../concern.ts";
import { GpuEnergy } from "../gpu-energy.ts";
import { InstalledModel, LoadedModel, LostGpu } from "../inventory.ts";
import { BoxName, GpuSample, OVER_TIME, SystemSample } from "../records.ts";
import { SinkName } from "../stores.ts";
import { TakesUpdates, UpdateReport } from "../update.ts";
import { BoxPin } from "./pins.ts";
import type { ApiRoute } from "./route.ts";
import { Count, Figure, Rate, Time } from "./shapes.ts";

export const BoxState = z.enum(["up", "draining", "down"]);

/** A box, in `GET /api/health`. */
export const BoxHealth = z
  .object({
    name: BoxName,
    state: BoxState,
    simulated: z.boolean(),
    last_seen: Time.nullable().describe(
      "time of its agent's last message; null while it is connected",
    ),
    agent_version: z.string(),
    agent_current: z
      .boolean()
      .describe("true if its agent has the version of this edge, and is no other build of it"),
    agent_build: z
      .enum(["same", "other"])
      .nullable()
      .describe(
        "the content of its agent, compared with the file that this edge serves; null if unknown: an older agent, " +
          "a single executable, the package or a part of another program",
      ),
    ollama_version: z.string().nullable(),
    ollama_reachable: z.boolean().nullable(),
  })
  .meta({ id: "BoxHealth" });
export type BoxHealth = z.infer<typeof BoxHealth>;

/** An external store or a collector, in `GET /api/health`. Its records are finished requests and samples. */
export const SinkHealth = z
  .object({
    sink: SinkName,
    state: z.enum(["ok", "failing"]),
    backlog: Count.describe("records in its outbox"),
    last_success: Time.nullable(),
    last_error: z
      .object({ at: Time, message: z.string() })
      .nullable()
      .describe("never contains a secret or a caller's text"),
    next_attempt: Time.nullable().describe("null unless it is failing"),
    delivered: Count,
    dropped: Count.describe("records that were dropped because the outbox was full"),
    set_aside: Count.describe("records that it refused because of their content"),
    clearing: z
      .boolean()
      .describe("true while it still holds cleared data because it could not be reached"),
  })
  .meta({ id: "SinkHealth" });
export type SinkHealth = z.infer<typeof SinkHealth>;

/**
 * `GET /api/health`. It is `degraded` while a concern with `degrades` in `protocol/concerns.ts`
 * lasts.
 */
export const Health = z
  .object({
    status: z.enum(["healthy", "degraded", "unhealthy"]),
    uptime_seconds: z.number(),
    timestamp: Time,
    simulated: z.boolean().describe("true when any box serves made-up numbers"),
    version: z.string(),
    problems: z
      .array(z.string())
      .describe("the concerns that make it degraded, as English sentences; empty when healthy"),
    concerns: z
      .array(Concern)
      .describe(
        "everything that is wrong now, critical concerns first; some of it does not degrade",
      ),
    boxes: z.array(BoxHealth),
    sinks: z
      .array(SinkHealth)
      .describe("the configured external stores and OpenTelemetry collectors; empty without any"),
  })
  .meta({ id: "Health" });
export type Health = z.infer<typeof Health>;

const GpuReading = GpuSample.omit({ at: true, ...OVER_TIME })
  .extend({
    memory_free_mb: Figure,
    timestamp: Time,
    driver_version: z.string().nullable(),
    simulated: z.boolean(),
  })
  .meta({ id: "GpuReading" });
export type GpuReading = z.infer<typeof GpuReading>;

/** `GET /api/gpu`: the newest sample of each GPU of boxes that are up. */
export const Gpu = z
  .object({
    available: z.boolean(),
    gpu_count: Count,
    gpus: z.array(GpuReading),
    // ours
    errors: z
      .array(z.object({ box: BoxName, error: z.string() }))
      .describe("reasons why boxes show no GPU"),
    timestamp: Time,
  })
  .meta({ id: "Gpu" });
export type Gpu = z.infer<typeof Gpu>;

const standing_w = z
  .number()
  .nullable()
  .describe(
    "watts that a model in memory adds while no request is open; null until a minute with and without one was measured",
  );
const EnergyTotal = GpuEnergy.extend({ standing_w });
export type EnergyTotal = z.infer<typeof EnergyTotal>;

/**
 * A box, in `GET /api/boxes`, by its last readings. Fields that can change while it is down are
 * empty or null then.
 */
export const BoxDetail = BoxHealth.extend({
  connected_at: Time.nullable().describe("start of its tunnel; null while it is down"),
  admission: z
    .enum(["certificate", "secret", "open"])
    .nullable()
    .describe(
      "how it may connect: with the certificate of its joining, with its secret in BOX_SECRETS, or because " +
        "the edge is open; null: it may not, e.g. since it was removed",
    ),
  joined_at: Time.nullable().describe("when it joined; null unless it has a certificate"),
  ollama_error: z
    .string()
    .nullable()
    .describe("reason why Ollama does not answer; null if it does"),
  models: z.array(InstalledModel.omit({ listed: true })).describe("models on disk"),
  loaded: z
    .array(
      LoadedModel.omit({ listed: true }).extend({
        gpu_share: Rate.describe("share that is in GPU memory; the rest runs on the CPU"),
      }),
    )
    .describe("models in memory; empty while the box is down"),
  in_flight: Count.nullable().describe("requests that it is serving now"),
  queue_depth: Count.nullable().describe(
    "requests that wait for their model to load or for a parallel slot of its Ollama",
  ),
  tunnel_ms: z
    .number()
    .nonnegative()
    .nullable()
    .describe("round trip of its tunnel, as last measured by its agent; null while it is down"),
  spooled: Count.nullable().describe("records on the box that the edge has not confirmed"),
  lost: Count.nullable().describe(
    "records that its agent has lost since it started because its disk failed; normally 0",
  ),
  gpus: z.array(GpuReading).describe("the newest reading of each GPU, as in /api/gpu"),
  pins: z.array(BoxPin).describe("models that it keeps in memory, as in /api/pins"),
  vram: z
    .object({
      total_bytes: Count.nullable(),
      free_bytes: Count.nullable().describe("a model of this size, with its context, fits at once"),
      free_after_unload_bytes: Count.nullable().describe(
        "free after the models that no request uses are unloaded, as Ollama does when it needs room",
      ),
    })
    .describe("memory of all its GPUs; null where a GPU does not report it, and while it is down"),
  energy: EnergyTotal.nullable().describe(
    "energy of all its GPUs since this edge has known them: while requests were open or somebody used a model past the agent (active), while only a model was in memory (loaded), and otherwise (idle); null if none was measured",
  ),
  gpu_energy: z
    .array(EnergyTotal.extend({ index: Count, uuid: z.string().nullable(), name: z.string() }))
    .describe("the same for each GPU"),
  gpu_error: z.string().nullable().describe("reason why it has no GPU reading; null if it has one"),
  gpu_failed: z
    .boolean()
    .describe("true if it has a GPU that should be readable and is not; false without a GPU"),
  lost_gpus: z
    .array(LostGpu)
    .describe("GPUs that were read since its agent started, and no longer can be"),
  takes_updates: TakesUpdates.nullable().describe(
    "whether POST /api/boxes/{name}/update works: no, because a setting of its agent forbids it, or because it has not joined; null: its agent is too old",
  ),
  update: UpdateReport.omit({ at_ms: true })
    .extend({ at: Time })
    .nullable()
    .describe(
      "the last update of its agent: in progress, done, failed before it changed anything, or rolled back, and why; null without one",
    ),
  system: SystemSample.nullable().describe(
    "the newest sample of the machine; null if it is older than 3 minutes",
  ),
  clock_skew_ms: z
    .number()
    .describe(
      "clock of the box minus clock of the edge; a message's time in transit makes it smaller",
    ),
  readings_at: Time.nullable().describe("arrival of its agent's last readings"),
}).meta({ id: "BoxDetail" });
export type BoxDetail = z.infer<typeof BoxDetail>;

/** A box that may connect and is in no other list, because the edge has not seen its agent. */
export const NeverConnected = z
  .object({
    name: BoxName,
    admission: z.enum(["certificate", "secret"]),
    joined_at: BoxDetail.shape.joined_at,
    next_step: z.string().describe("the step to take on the machine, as a sentence"),
  })
  .meta({ id: "NeverConnected" });
export type NeverConnected = z.infer<typeof NeverConnected>;

/** `GET /api/boxes`, in order of name. */
export const Boxes = z
  .object({
    boxes: z.array(BoxDetail),
    never_connected: z
      .array(NeverConnected)
      .describe(
        "boxes that may connect and have not, or not since they were forgotten; empty with `box`",
      ),
    timestamp: Time,
  })
  .meta({ id: "Boxes" });
export type Boxes = z.infer<typeof Boxes>;

export const BoxQuery = z.strictObject({ box: BoxName.optional().describe("only this box") });

const BoxPath = z.object({ name: BoxName });

/** `DELETE /api/boxes/{name}`. */
const BoxForgotten = z
  .object({ status: z.literal("deleted"), box: BoxName })
  .meta({ id: "BoxForgotten" });

export const FLEET_ROUTES = {
  health: {
    method: "GET",
    path: "/api/health",
    scope: "stats",
    tag: "Boxes",
    summary: "Boxes, external stores, and current concerns",
    answer: Health,
  },
  boxes: {
    method: "GET",
    path: "/api/boxes",
    scope: "stats",
    tag: "Boxes",
    summary: "Each box: state, versions, models on disk and in memory, requests, GPUs, machine",
    description:
      "A box that may connect and never has is in `never_connected`. With `box`, it is unknown: 404, code box_not_found.",
    query: BoxQuery,
    answer: Boxes,
  },
  forgetBox: {
    method: "DELETE",
    audit: "box_forgotten",
    path: "/api/boxes/{name}",
    scope: "admin",
    tag: "Boxes",
    summary: "Remove a box",
    description: [
      "Takes the certificate of a box that joined back, closes its tunnel, and removes the box and its pins.",
      "It cannot return unless it joins again. A box that did not join is registered again when it connects, and is",
      "refused with 409 while it is connected. The records, sums and energy of a removed box stay until their retention.",
    ].join(" "),
    params: BoxPath,
    answer: BoxForgotten,
  },
  gpu: {
    method: "GET",
    path: "/api/gpu",
    scope: "stats",
    tag: "Boxes",
    summary: "The newest reading of each GPU",
    query: BoxQuery,
    answer: Gpu,
  },
  metrics: {
    method: "GET",
    path: "/api/metrics",
    scope: "metrics",
    tag: "Boxes",
    summary: "All metrics for Prometheus",
    description:
      "Returns OpenMetrics 1.0 if the Accept header contains application/openmetrics-text.",
    answer: null,
    media: {
      "text/plain": "Prometheus text format 0.0.4",
      "application/openmetrics-text": "OpenMetrics 1.0",
    },
  },
} as const satisfies Record<string, ApiRoute>;

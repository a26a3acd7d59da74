/** The answers of `/api/health`, `/api/boxes` and `/api/gpu`: which boxes there are, and how they are. */
import { z } from "zod";
import { Concern } from "../concerns.ts";
import { InstalledModel, LoadedModel } from "../inventory.ts";
import { BoxName, GpuSample, SystemSample } from "../records.ts";
import type { ApiRoute } from "./route.ts";
import { Count, Rate, Time } from "./shapes.ts";

export const BoxState = z.enum(["up", "draining", "down"]);

/** A box, in `GET /api/health`. */
export const BoxHealth = z
  .object({
    name: BoxName,
    state: BoxState,
    simulated: z.boolean(),
    last_seen: Time.nullable().describe(
      "when its agent was last heard; null while it is connected",
    ),
    ollama_version: z.string().nullable(),
    ollama_reachable: z.boolean().nullable(),
  })
  .meta({ id: "BoxHealth" });
export type BoxHealth = z.infer<typeof BoxHealth>;

/** A store that the edge writes to, in `GET /api/health`. Records are finished requests and GPU samples. */
export const SinkHealth = z
  .object({
    sink: z.enum(["clickhouse", "postgres"]),
    state: z.enum(["ok", "failing"]),
    backlog: Count.describe("records that wait for it"),
    last_success: Time.nullable(),
    last_error: z
      .object({ at: Time, message: z.string() })
      .nullable()
      .describe("never a secret, never a text of a caller"),
    next_attempt: Time.nullable().describe("null while it does not fail"),
    delivered: Count,
    dropped: Count.describe("records that it never got, since more waited than can be kept"),
    set_aside: Count.describe("records that it refused for what is in them"),
    clearing: z
      .boolean()
      .describe("true while it holds what was cleared: it could not be reached then"),
  })
  .meta({ id: "SinkHealth" });
export type SinkHealth = z.infer<typeof SinkHealth>;

/** `GET /api/health`. `degraded`: no box is up, an Ollama does not answer, or a store does not get what it should. */
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
      .describe("the stores that are written to; none when EXPORTER_TYPE is none"),
  })
  .meta({ id: "Health" });
export type Health = z.infer<typeof Health>;

const GpuReading = GpuSample.omit({ at: true })
  .extend({ timestamp: Time, driver_version: z.string().nullable(), simulated: z.boolean() })
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
      .describe("why a box shows no GPU"),
    timestamp: Time,
  })
  .meta({ id: "Gpu" });
export type Gpu = z.infer<typeof Gpu>;

/** A box, in `GET /api/boxes`. What its agent said last; what may have changed since it was lost is empty or null then. */
export const BoxDetail = BoxHealth.extend({
  connected_at: Time.nullable().describe("when its tunnel came up; null while it is down"),
  agent_version: z.string(),
  ollama_error: z.string().nullable().describe("why Ollama does not answer; null when it does"),
  models: z.array(InstalledModel).describe("on disk"),
  loaded: z
    .array(
      LoadedModel.extend({
        gpu_share: Rate.describe("part of it that is in GPU memory; the rest runs on the CPU"),
      }),
    )
    .describe("in memory; empty while the box is down"),
  in_flight: Count.nullable().describe("requests that it serves now"),
  queue_depth: Count.nullable().describe("those that its Ollama has not begun to answer"),
  tunnel_ms: z
    .number()
    .nonnegative()
    .nullable()
    .describe("a round trip of its tunnel, as its agent last measured it; null while it is down"),
  spooled: Count.nullable().describe("finished requests that wait on the box to be counted"),
  lost: Count.nullable().describe(
    "finished requests that its agent has lost since it started, its disk having failed; 0 is what it should be",
  ),
  gpus: z.array(GpuReading).describe("the newest reading of each, as in /api/gpu"),
  gpu_error: z
    .string()
    .nullable()
    .describe("why there is no reading of a GPU; null when there is one"),
  system: SystemSample.nullable().describe(
    "the newest sample of the machine; null when there is none of the last minutes",
  ),
  clock_skew_ms: z
    .number()
    .describe(
      "how far the clock of the box is ahead of the edge's, less the time a message takes from there",
    ),
  readings_at: Time.nullable().describe("when its agent last said all this"),
}).meta({ id: "BoxDetail" });
export type BoxDetail = z.infer<typeof BoxDetail>;

/** `GET /api/boxes`: in order of name. */
export const Boxes = z.object({ boxes: z.array(BoxDetail), timestamp: Time }).meta({ id: "Boxes" });
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
    scope: "read",
    tag: "Boxes",
    summary: "Boxes, their Ollamas, and what is wrong",
    answer: Health,
  },
  boxes: {
    method: "GET",
    path: "/api/boxes",
    scope: "read",
    tag: "Boxes",
    summary: "Each box: state, versions, models on disk and in memory, requests, GPUs, machine",
    description: "A box that has never connected is unknown: 404, code box_not_found.",
    query: BoxQuery,
    answer: Boxes,
  },
  forgetBox: {
    method: "DELETE",
    path: "/api/boxes/{name}",
    scope: "admin",
    tag: "Boxes",
    summary: "Forget a box that is gone for good",
    description:
      "What it did stays counted. 409 while it is connected; one that connects again is known again.",
    params: BoxPath,
    answer: BoxForgotten,
  },
  gpu: {
    method: "GET",
    path: "/api/gpu",
    scope: "read",
    tag: "Boxes",
    summary: "The newest reading of each GPU",
    query: BoxQuery,
    answer: Gpu,
  },
  metrics: {
    method: "GET",
    path: "/api/metrics",
    scope: "read",
    tag: "Boxes",
    summary: "All metrics for Prometheus",
    description: "OpenMetrics 1.0 when the header Accept asks for application/openmetrics-text.",
    answer: null,
    media: {
      "text/plain": "Prometheus text format 0.0.4",
      "application/openmetrics-text": "OpenMetrics 1.0",
    },
  },
} as const satisfies Record<string, ApiRoute>;

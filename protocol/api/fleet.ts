/** The answers of `/api/health` and `/api/gpu`: which boxes there are, and how they are. */
import { z } from "zod";
import { BoxName, GpuSample } from "../records.ts";
import type { ApiRoute } from "./route.ts";
import { count, time } from "./shapes.ts";

export const BoxState = z.enum(["up", "draining", "down"]);

/** A box, in `GET /api/health`. */
const BoxHealth = z
  .object({
    name: BoxName,
    state: BoxState,
    simulated: z.boolean(),
    last_seen: time.nullable().describe("when its agent was last heard; null while it is connected"),
    ollama_version: z.string().nullable(),
    ollama_reachable: z.boolean().nullable(),
  })
  .meta({ id: "BoxHealth" });

/** `GET /api/health`. `degraded`: no box is up, or an Ollama does not answer. */
export const Health = z
  .object({
    status: z.enum(["healthy", "degraded", "unhealthy"]),
    uptime_seconds: z.number(),
    timestamp: time,
    simulated: z.boolean().describe("true when any box serves made-up numbers"),
    version: z.string(),
    problems: z.array(z.string()).describe("why it is not healthy, in words; empty when it is"),
    boxes: z.array(BoxHealth),
  })
  .meta({ id: "Health" });
export type Health = z.infer<typeof Health>;

/** `GET /api/gpu`: the newest sample of each GPU of boxes that are up. */
export const Gpu = z
  .object({
    available: z.boolean(),
    gpu_count: count,
    gpus: z.array(GpuSample.omit({ at: true }).extend({ timestamp: time, driver_version: z.string().nullable(), simulated: z.boolean() })),
    // ours
    errors: z.array(z.object({ box: BoxName, error: z.string() })).describe("why a box shows no GPU"),
    timestamp: time,
  })
  .meta({ id: "Gpu" });
export type Gpu = z.infer<typeof Gpu>;

export const BoxQuery = z.strictObject({ box: BoxName.optional().describe("only this box") });

export const FLEET_ROUTES = {
  health: {
    method: "GET",
    path: "/api/health",
    scope: "read",
    tag: "Boxes",
    summary: "Boxes, their Ollamas, and what is wrong",
    answer: Health,
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
    media: { "text/plain": "Prometheus text format 0.0.4", "application/openmetrics-text": "OpenMetrics 1.0" },
  },
} as const satisfies Record<string, ApiRoute>;

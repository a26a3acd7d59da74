/** `/api/system` and `/api/gpu/history`: the machines under the boxes, now and over time. */
import * as z from "zod";
import { BoxName } from "../records.ts";
import { BoxQuery } from "./fleet.ts";
import type { ApiRoute } from "./route.ts";
import { Count, Figure, Gib, Percent, Store, Time } from "./shapes.ts";

/**
 * A machine, or several combined: sizes are summed, and the CPU is weighted by the number of CPUs.
 */
const machine = {
  available: z.boolean().describe("true if there is a sample of the last 3 minutes"),
  cpu_percent: Percent.describe("busy share of all CPUs over ten seconds"),
  cpu_count: Count.nullable().describe(
    "physical cores; always null, because an agent does not measure them",
  ),
  cpu_count_logical: Count.nullable(),
  memory_total_gb: Gib.describe("in units of 2^30 bytes, like all sizes"),
  memory_used_gb: Gib,
  memory_available_gb: Gib,
  memory_percent: Percent,
  // ours
  disk_total_gb: Gib.describe("size of the file system that holds the models"),
  disk_used_gb: Gib,
  disk_percent: Percent,
};
const error = z.string().nullable().describe("reason why there is no sample; null if there is one");

const BoxSystem = z
  .object({
    box: BoxName,
    ...machine,
    timestamp: Time.nullable().describe("time of the sample"),
    error,
  })
  .meta({ id: "BoxSystem" });
export type BoxSystem = z.infer<typeof BoxSystem>;

/** `GET /api/system`: the machines of all boxes that are up, combined and one by one. */
export const System = z
  .object({ ...machine, timestamp: Time, error, boxes: z.array(BoxSystem) })
  .meta({ id: "System" });
export type System = z.infer<typeof System>;

/** One bucket of the machines' history, as means. Every figure is null if no box sent a sample. */
export const SystemPoint = z
  .object({
    timestamp: Time.describe("start of the bucket"),
    cpu_percent: Percent,
    memory_percent: Percent,
    memory_used_gb: Gib,
    memory_total_gb: Gib,
    gpu_available: z
      .boolean()
      .nullable()
      .describe("true if any GPU was read; null in an empty bucket"),
    gpu_utilization_percent: Percent.describe("mean over all GPUs"),
    vram_used_gb: Gib,
    vram_total_gb: Gib,
    gpu_temperature_celsius: z.number().nullable().describe("temperature of the hottest GPU"),
    queue_depth: Figure.describe(
      "requests that waited for their model to load or for a parallel slot",
    ),
    // ours
    in_flight: Figure,
    disk_used_gb: Gib,
    disk_total_gb: Gib,
    power_draw_w: Figure.describe("sum over all GPUs"),
    energy_j: Figure.describe("energy of all GPUs in the bucket; null from older agents"),
  })
  .meta({ id: "SystemPoint" });
export type SystemPoint = z.infer<typeof SystemPoint>;

/** Seconds by name. The edge keeps samples for a day; older ones come from an external store. */
export const SYSTEM_RANGES = {
  "5m": 300,
  "15m": 900,
  "1h": 3_600,
  "6h": 21_600,
  "24h": 86_400,
  "7d": 7 * 86_400,
  "30d": 30 * 86_400,
} as const;

/** `GET /api/system/history`: one point per bucket, including empty buckets. */
export const SystemHistory = z
  .object({
    time_range: z.string(),
    data_points: Count,
    data: z.array(SystemPoint),
    store: Store.describe("where the data comes from"),
  })
  .meta({ id: "SystemHistory" });
export type SystemHistory = z.infer<typeof SystemHistory>;

export const SystemHistoryQuery = BoxQuery.extend({
  time_range: z
    .enum(Object.keys(SYSTEM_RANGES) as (keyof typeof SYSTEM_RANGES)[])
    .default("1h")
    .describe("default 1h"),
  max_points: z.coerce
    .number()
    .int()
    .min(10)
    .max(500)
    .default(120)
    .describe("10 to 500, default 120; fewer if buckets would be shorter than two samples"),
});

const column = z.array(z.number().nullable());

/** `GET /api/gpu/history`: one value per bucket, null in an empty bucket. */
export const GpuHistory = z
  .object({
    time_range: z.string(),
    timestamps: z.array(Time).describe("starts of the buckets"),
    gpus: z
      .array(
        z.object({
          box: BoxName,
          index: Count,
          name: z.string(),
          utilization_percent: column,
          memory_used_mb: column,
          temperature_c: column,
          power_draw_w: column,
          sm_clock_mhz: column,
          // ours, null from older agents
          utilization_max_percent: column.describe("highest reading of the bucket"),
          memory_used_max_mb: column,
          temperature_max_c: column,
          energy_j: column.describe("energy in the bucket"),
        }),
      )
      .describe("in order of box and index"),
    store: Store.describe("where the data comes from"),
  })
  .meta({ id: "GpuHistory" });
export type GpuHistory = z.infer<typeof GpuHistory>;

export const SYSTEM_ROUTES = {
  system: {
    method: "GET",
    path: "/api/system",
    scope: "stats",
    tag: "Boxes",
    summary: "CPU, memory and disk of the machines under the boxes",
    query: BoxQuery,
    answer: System,
  },
  systemHistory: {
    method: "GET",
    path: "/api/system/history",
    scope: "stats",
    tag: "Boxes",
    summary:
      "CPU, memory, disk, GPU and queue depth over 5 min to 24 h, or up to 30 days with ClickHouse or Postgres",
    description:
      "Means over equal buckets, for all boxes together. Sizes, power, requests and queue depth are summed. " +
      "The CPU is weighted by the number of CPUs, utilization is the mean over the GPUs, " +
      "and the temperature is that of the hottest GPU.",
    query: SystemHistoryQuery,
    answer: SystemHistory,
  },
  gpuHistory: {
    method: "GET",
    path: "/api/gpu/history",
    scope: "stats",
    tag: "Boxes",
    summary: "Each GPU over 5 min to 24 h, or up to 30 days with ClickHouse or Postgres",
    description:
      "Means over equal buckets, with the highest utilization, memory and temperature and the energy of each.",
    query: SystemHistoryQuery,
    answer: GpuHistory,
  },
} as const satisfies Record<string, ApiRoute>;

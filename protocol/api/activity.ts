/**
 * `/api/stats/activity`: the requests of any period, over time, in parts, and by latency. It has what a
 * page about a period draws, in one answer.
 */
import * as z from "zod";
import { IN_ORDER, isInOrder, periodFields, STARTS_ONCE, startsOnce } from "./period.ts";
import type { ApiRoute } from "./route.ts";
import { Count, Figure, KeyNarrowing, Rate, Store, Time } from "./shapes.ts";

/** Lengths of a bucket, seconds. */
export const ACTIVITY_STEPS = [
  10, 60, 300, 900, 1_800, 3_600, 10_800, 21_600, 43_200, 86_400, 604_800,
] as const;
/** More bars are too thin to see and to click. */
export const ACTIVITY_POINTS_MAX = 100;
export const ACTIVITY_SECONDS_MAX = 365 * 86_400;
/** As many colours differ clearly. */
export const ACTIVITY_GROUPS_MAX = 10;

/** Figures of requests, of one bucket or of the whole period. */
const figures = {
  requests: Count,
  errors: Count,
  cancelled: Count,
  resumes: Count.describe("how often a request resumed after the tunnel to its box was cut"),
  tokens: Count.describe("generated (completion) tokens"),
  prompt_tokens: Count,
  requests_per_minute: z.number(),
  tokens_per_second: z.number(),
  error_rate: Rate,
  avg_latency_ms: Figure,
  latency_p50_ms: Figure,
  latency_p95_ms: Figure,
  latency_p99_ms: Figure,
  ttft_p50_ms: Figure,
  ttft_p95_ms: Figure,
  energy_j: Figure.describe("energy of the requests whose energy is known; null if none is"),
  energy_j_per_1k_tokens: Figure.describe(
    "per 1,000 completion tokens of these requests, including the energy of their prompts",
  ),
  cost: Figure.describe("cost of energy_j, as far as a tariff was in force; null if unknown"),
  cost_per_million_output: Figure.describe(
    "cost per million completion tokens, without their prompts, as in /api/costs",
  ),
};

const ActivityFigures = z.object(figures).meta({ id: "ActivityFigures" });
export type ActivityFigures = z.infer<typeof ActivityFigures>;

const ActivityPoint = z
  .object({ timestamp: Time.describe("start of the bucket"), ...figures })
  .meta({ id: "ActivityPoint" });
export type ActivityPoint = z.infer<typeof ActivityPoint>;

export const ACTIVITY_SPLITS = ["model", "box", "key"] as const;
export type ActivitySplit = (typeof ACTIVITY_SPLITS)[number];

const ActivityGroup = z
  .object({
    group: z
      .string()
      .nullable()
      .describe("model, box or id of a key; null: no model, no box, or no key"),
    is_rest: z
      .boolean()
      .describe(`true: all groups after the first ${ACTIVITY_GROUPS_MAX} together`),
    name: z
      .string()
      .nullable()
      .describe("split=key: the name of the key now; null if it is gone, and in other answers"),
    requests: z.array(Count).describe("one figure per point"),
    total: Count.describe("requests of the whole period"),
    errors: Count,
    tokens: Count.describe("generated (completion) tokens"),
    tokens_per_second: z.number(),
    ttft_p95_ms: Figure.describe("null also for groups that were not counted apart"),
    energy_j: Figure.describe("as in the total"),
    cost_per_million_output: Figure.describe("as in the total; null like ttft_p95_ms"),
  })
  .meta({ id: "ActivityGroup" });
export type ActivityGroup = z.infer<typeof ActivityGroup>;

const Latencies = z
  .object({
    bounds_ms: z
      .array(z.number())
      .describe("bounds of the bands, ascending; a band contains its upper bound"),
    counts: z
      .array(z.array(Count))
      .describe("one list per point: successful inference requests of each band"),
  })
  .meta({ id: "Latencies" });
export type Latencies = z.infer<typeof Latencies>;

const Groups = z.array(ActivityGroup).nullable();

/** `GET /api/stats/activity`. */
export const Activity = z
  .object({
    from: Time.describe("start of the first bucket"),
    to: Time.describe("end of the last bucket, which may be ahead"),
    step_seconds: z
      .int()
      .positive()
      .describe(`length of a bucket: ${ACTIVITY_STEPS.join(", ")}`),
    store: Store.describe("the store that it was read from"),
    since: Time.nullable().describe(
      "when counting began. An earlier bucket without requests is unknown, although its counts are 0",
    ),
    cost_currency: z.string().nullable().describe("ISO 4217; null until a tariff was set"),
    total: ActivityFigures,
    points: z.array(ActivityPoint).describe("one per bucket, including empty ones"),
    groups: z
      .object({ model: Groups, box: Groups, key: Groups })
      .describe("most requests first; null unless split= names it, and from an external store"),
    latencies: Latencies.nullable().describe("null if unknown, as from an external store"),
  })
  .meta({ id: "Activity" });
export type Activity = z.infer<typeof Activity>;

export const ActivityQuery = z
  .strictObject({
    ...periodFields(ACTIVITY_SECONDS_MAX),
    split: z
      .string()
      .transform((names) => names.split(","))
      .pipe(z.array(z.enum(ACTIVITY_SPLITS)).min(1))
      .optional()
      .describe("also counts each model, box or key: one of them, or several with commas"),
    ...KeyNarrowing.shape,
  })
  .refine(startsOnce, STARTS_ONCE)
  .refine(isInOrder, IN_ORDER);
export type ActivityQuery = z.infer<typeof ActivityQuery>;

export const ACTIVITY_ROUTES = {
  activity: {
    method: "GET",
    path: "/api/stats/activity",
    scope: "stats",
    tag: "Statistics",
    summary: "The requests of any period: over time, by model, box or key, and by latency",
    description: [
      `At most ${ACTIVITY_POINTS_MAX} buckets, of the shortest length that makes so few. Buckets begin at multiples of their length, so the first may`,
      "begin before the period and the last end after it. Buckets of 10 s, and those by key that are shorter than an hour, cover only requests",
      "that are still in the logs. Periods that the edge no longer has are read from ClickHouse or Postgres, without groups and latencies.",
    ].join(" "),
    query: ActivityQuery,
    answer: Activity,
  },
} as const satisfies Record<string, ApiRoute>;

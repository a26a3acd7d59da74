/** `/api/stats/logs/facets`: how many finished requests have which status, model, box, key and kind. */
import * as z from "zod";
import { CALL_KINDS } from "../call-kind.ts";
import { Status } from "../records.ts";
import { LOG_SELECTION } from "./logs.ts";
import { Count, Time } from "./shapes.ts";

/** Values of one facet, the most frequent ones. */
export const FACET_VALUES_MAX = 50;
/** Buckets of the histogram: one is a few pixels wide. */
export const HISTOGRAM_BUCKETS_MAX = 120;

const facet = <Value extends z.ZodType>(value: Value, describe: string) =>
  z.array(z.object({ value, requests: Count })).describe(describe);

const counts = z.array(Count);

/** The facets by which requests are counted. */
export const FACETS = ["status", "model", "box", "key", "kind"] as const;
export type Facet = (typeof FACETS)[number];

export const LogFacets = z
  .object({
    total: Count.describe("the requests that match"),
    oldest: Time.nullable().describe(
      "when the oldest request began that the edge itself keeps; older ones are not counted here. null without requests",
    ),
    status: facet(Status, "requests by status"),
    model: facet(z.string(), "by model, as callers wrote it"),
    box: facet(z.string(), "by box"),
    key: z
      .array(z.object({ value: z.string(), name: z.string().nullable(), requests: Count }))
      .describe("by id of the key, with its name today"),
    kind: facet(z.enum(CALL_KINDS), "by kind of call"),
    histogram: z
      .object({
        from: Time,
        bucket_ms: Count.positive(),
        success: counts,
        error: counts,
        cancelled: counts,
      })
      .describe(
        "the requests that match, by the time of their acceptance, from since until until; without since from the oldest one",
      ),
  })
  .meta({ id: "LogFacets" });
export type LogFacets = z.infer<typeof LogFacets>;

export const LogFacetsQuery = z.strictObject({
  ...LOG_SELECTION,
  buckets: z.coerce
    .number()
    .int()
    .min(1)
    .max(HISTOGRAM_BUCKETS_MAX)
    .default(60)
    .describe("bars of the histogram; default 60"),
});
export type LogFacetsQuery = z.infer<typeof LogFacetsQuery>;

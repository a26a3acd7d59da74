/** `/api/live`: everything that a page shows of now, in one answer, or as a stream of them. */
import { z } from "zod";
import { OpenRequest } from "../inventory.ts";
import { BoxName } from "../records.ts";
import { BoxDetail, Health } from "./fleet.ts";
import type { ApiRoute } from "./route.ts";
import { Count, Figure, Rate, Time } from "./shapes.ts";
import { CurrentStats } from "./stats.ts";

/** A box, without the list of what is on its disk: that one is long, and changes seldom. */
const LiveBox = BoxDetail.omit({ models: true });
export type LiveBox = z.infer<typeof LiveBox>;

/** A request that is served now. */
const InFlight = OpenRequest.extend({ box: BoxName });
export type InFlight = z.infer<typeof InFlight>;

/** `GET /api/live`. */
export const Live = z
  .object({
    health: Health,
    stats: CurrentStats,
    recent: z
      .object({
        minutes: Count,
        requests: Count,
        errors: Count,
        error_rate: Rate,
        latency_p95_ms: Figure,
      })
      .describe("the last minutes: what is wrong now, and not what ever was"),
    boxes: z.array(LiveBox).describe("in order of name"),
    in_flight: z.array(InFlight).describe("the oldest first; at most 100 of each box"),
    timestamp: Time,
  })
  .meta({ id: "Live" });
export type Live = z.infer<typeof Live>;

/** Seconds between two events. A page that wants fewer asks again each time. */
const EVERY_SECONDS_MAX = 30;

export const LiveQuery = z.strictObject({
  every: z.coerce
    .number()
    .int()
    .min(1)
    .max(EVERY_SECONDS_MAX)
    .default(5)
    .describe("seconds between two events; default 5"),
});

export const LIVE_ROUTES = {
  live: {
    method: "GET",
    path: "/api/live",
    scope: "read",
    tag: "Live",
    summary: "Everything of now: health, totals, boxes, requests in flight",
    description:
      "One answer, or a stream of them when the header Accept asks for text/event-stream. The stream ends after some minutes: ask again.",
    query: LiveQuery,
    answer: Live,
    media: { "text/event-stream": "one event per interval; each holds the whole JSON answer" },
  },
} as const satisfies Record<string, ApiRoute>;

/** `/api/live`: the current state that the page shows, once or as a stream. */
import * as z from "zod";
import { OpenRequest } from "../inventory.ts";
import { BoxName } from "../records.ts";
import { BoxDetail, Boxes, Health } from "./fleet.ts";
import type { ApiRoute } from "./route.ts";
import { Count, Figure, KeyNarrowing, Rate, Time } from "./shapes.ts";
import { CurrentStats } from "./stats.ts";

/** A box without the models on its disk: that list is long and rarely changes. */
const LiveBox = BoxDetail.omit({ models: true });
export type LiveBox = z.infer<typeof LiveBox>;

/** A request in flight. */
const InFlight = OpenRequest.extend({
  box: BoxName,
  key_name: z.string().nullable().describe("the name of its key; null without a key"),
});
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
      .describe("the last minutes, for judging the present"),
    boxes: z.array(LiveBox).describe("in order of name"),
    never_connected: Boxes.shape.never_connected,
    in_flight: z.array(InFlight).describe("oldest first, at most 100 of each box"),
    timestamp: Time,
  })
  .meta({ id: "Live" });
export type Live = z.infer<typeof Live>;

/** Seconds between two events. A page that wants fewer events sends single requests. */
const EVERY_SECONDS_MAX = 30;

export const LiveQuery = z.strictObject({
  every: z.coerce
    .number()
    .int()
    .min(1)
    .max(EVERY_SECONDS_MAX)
    .default(5)
    .describe("seconds between two events; default 5"),
  key: KeyNarrowing.shape.key.describe(
    "stats, recent and in_flight only of this key; health and boxes are always those of all",
  ),
});

export type LiveQuery = z.infer<typeof LiveQuery>;

export const LIVE_ROUTES = {
  live: {
    method: "GET",
    path: "/api/live",
    scope: "stats",
    tag: "Live",
    summary: "The current state: health, totals, boxes, requests in flight",
    description:
      "One answer, or a stream if the Accept header contains text/event-stream. It ends after some minutes: reconnect. It also ends within a second of its key.",
    query: LiveQuery,
    answer: Live,
    media: { "text/event-stream": "one event per interval, each with the whole JSON answer" },
  },
} as const satisfies Record<string, ApiRoute>;

/** `/api/events`: the events of boxes, their Ollamas and their models. */
import * as z from "zod";
import { EVENT_KINDS, MachineEvent } from "../events.ts";
import type { ApiRoute } from "./route.ts";
import { Count, Narrowing, Time } from "./shapes.ts";

/** `GET /api/events`, newest first. */
export const Events = z
  .object({
    events: z.array(MachineEvent),
    next_cursor: Count.nullable().describe("the cursor of the next page; null on the last"),
    kept: Count.describe("events that the edge keeps at most"),
    timestamp: Time,
  })
  .meta({ id: "Events" });
export type Events = z.infer<typeof Events>;

export const EventsQuery = Narrowing.extend({
  kind: z
    .string()
    .transform((kinds) => kinds.split(","))
    .pipe(z.array(z.enum(EVENT_KINDS)).min(1))
    .optional()
    .describe("only these kinds, with commas between them"),
  since: Time.optional().describe("only events from this time on"),
  until: Time.optional().describe("only events before this time"),
  limit: z.coerce.number().int().min(1).max(1_000).default(100),
  cursor: z.coerce.number().int().positive().optional().describe("next_cursor of the page before"),
}).strict();
export type EventsQuery = z.infer<typeof EventsQuery>;

export const EVENT_ROUTES = {
  events: {
    method: "GET",
    path: "/api/events",
    scope: "stats",
    tag: "Events",
    summary: "List the events of boxes, their Ollamas and their models, newest first",
    description: [
      "Tunnels that were cut and came back, starts and updates of agents, Ollamas and the edge, models that were pulled, deleted, loaded",
      "and unloaded, and concerns that began and ended. An event that is repeated within ten minutes is counted and not listed again.",
      "Requests are not events: see /api/stats/logs.",
    ].join(" "),
    query: EventsQuery,
    answer: Events,
  },
} as const satisfies Record<string, ApiRoute>;

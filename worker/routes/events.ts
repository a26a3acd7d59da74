/** `/api/events`: the events of boxes, their Ollamas and their models. */
import { Hono } from "hono";
import { EVENT_ROUTES } from "../../protocol/api/events.ts";
import { aggregatorOf } from "../aggregator/stub.ts";
import type { Env } from "../env.ts";
import { serveRoute } from "./api-route.ts";

export const eventRoutes = new Hono<Env>();

serveRoute(eventRoutes, EVENT_ROUTES.events, async ({ query }, c) =>
  aggregatorOf(c.env).events(query),
);

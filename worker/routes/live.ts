/**
 * `GET /api/live`: the current state, once or as a stream.
 *
 * The cost of a stream: an open response costs a Worker nothing while it waits, because CPU and
 * requests are billed. A stream is one request, and polling every 5 s would be 120 in ten minutes. Each
 * event calls each Box once and the Aggregator five times: 8 object calls with three boxes. Eight hours
 * a day are 1,010,000 calls a month, which is $0.15 at $0.15 a million. A viewer keeps the objects awake
 * anyway, because agents then send readings every 2 s: 4 objects x 0.128 GB x 634,000 s is 325,000 GB-s,
 * within the 400,000 that the plan includes. A socket held by an object would cost the same and need
 * more code.
 */
import { Hono } from "hono";
import { LIVE_ROUTES, type Live } from "../../protocol/api/live.ts";
import type { Bindings, Env } from "../env.ts";
import { statusesAndRequests } from "../gateway/fleet.ts";
import { serveRoute } from "./api-route.ts";
import { AGGREGATOR_CALLS, readHealth } from "./read-health.ts";

/** One invocation can call objects 1,000 times. The page opens a new stream when one ends. */
const CALLS_MAX = 900;
/** The registry, then the rest. */
const CALLS_PER_EVENT = 1 + AGGREGATOR_CALLS;

export const liveRoutes = new Hono<Env>();

serveRoute(liveRoutes, LIVE_ROUTES.live, async ({ query }, c) => {
  // The first state is read before the response starts, so that an error still gets its own status.
  const first = await liveOf(c.env);
  if (!/\btext\/event-stream\b/.test(c.req.header("accept") ?? "")) return first;
  return new Response(events(c.env, first, query.every * 1_000), {
    headers: { "content-type": "text/event-stream; charset=utf-8" },
  });
});

async function liveOf(env: Bindings): Promise<Live> {
  const { live, requests } = await statusesAndRequests(env);
  const now = await readHealth(env, live);
  return { ...now, in_flight: requests, timestamp: now.health.timestamp };
}

/** Produces each event when the reader is ready for it: without a reader, no object is called. */
function events(env: Bindings, first: Live, everyMs: number): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  const eventOf = (live: Live) => encoder.encode(`data: ${JSON.stringify(live)}\n\n`);
  const callsPerEvent = CALLS_PER_EVENT + first.boxes.length;
  let calls = 0;
  return new ReadableStream({
    start: (controller) => controller.enqueue(eventOf(first)),
    async pull(controller) {
      calls += callsPerEvent;
      if (calls + callsPerEvent > CALLS_MAX) return controller.close();
      await scheduler.wait(everyMs);
      controller.enqueue(eventOf(await liveOf(env)));
    },
  });
}

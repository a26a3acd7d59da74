/**
 * `GET /api/live`: now, once or as a stream.
 *
 * What a stream costs. An open response costs a Worker nothing while it waits: CPU and requests are
 * billed, and a stream is one request where polling every 5 s is 120 in ten minutes. Each event asks
 * the Boxes once and the Aggregator five times: with three boxes 8 calls of objects, or for 8 hours
 * a day in a month 1,010,000, $0.15 at $0.15 a million. That someone looks keeps the objects awake
 * anyway, since their agents speak every 2 s then: 4 objects x 0.128 GB x 634,000 s is 325,000 GB-s,
 * within the 400,000 that the plan includes. A socket held by an object would cost the same, and code.
 */
import { Hono } from "hono";
import { LIVE_ROUTES, type Live } from "../../protocol/api/live.ts";
import type { Bindings, Env } from "../env.ts";
import { statusesAndRequests } from "../gateway/fleet.ts";
import { serveRoute } from "./api-route.ts";
import { AGGREGATOR_CALLS, readHealth } from "./read-health.ts";

/** One invocation may call objects 1,000 times. The page asks for the next stream. */
const CALLS_MAX = 900;
/** The registry, then the rest. */
const CALLS_PER_EVENT = 1 + AGGREGATOR_CALLS;

export const liveRoutes = new Hono<Env>();

serveRoute(liveRoutes, LIVE_ROUTES.live, async ({ query }, c) => {
  // The first before the answer begins: an error still has its own status then.
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

/** Made as it is read: nobody reads, nobody is asked. */
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

/**
 * `GET /api/live`: the current state, once or as a stream.
 *
 * The cost of a stream: an open response costs a Worker nothing while it waits, because CPU and
 * requests are billed. A stream is one request, and polling every 5 s would be 120 in ten minutes. An
 * event calls the Aggregator once, and every other one calls each Box.
 * docs/cost.md states the sum. A socket held by an object would cost the same and need more code.
 */
import { Hono } from "hono";
import { LIVE_ROUTES, type Live } from "../../protocol/api/live.ts";
import type { Bindings, Env } from "../env.ts";
import { look } from "../gateway/look.ts";
import { serveRoute } from "./api-route.ts";
import { readHealth } from "./read-health.ts";

/** One invocation can call objects 1,000 times. The page opens a new stream when one ends. */
const CALLS_MAX = 900;
/** The Aggregator's state, and the names of the boxes before they are called. */
const CALLS_PER_EVENT = 2;

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
  await look(env);
  return readHealth(env);
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

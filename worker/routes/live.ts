/**
 * `GET /api/live`: the current state, once or as a stream.
 *
 * The cost of a stream: an open response costs a Worker nothing while it waits, because CPU and
 * requests are billed. A stream is one request, and polling every 5 s would be 120 in ten minutes. An
 * event calls the Aggregator once, and every other one calls each Box.
 * docs/cost.md states the sum. A stream of a key that the edge made also has that key checked every
 * second, which calls the Aggregator. A socket held by an object would cost the same and need more code.
 */
import { Hono } from "hono";
import { LIVE_ROUTES, type Live, type LiveQuery } from "../../protocol/api/live.ts";
import { aggregatorOf } from "../aggregator/stub.ts";
import type { Bindings, Env } from "../env.ts";
import { invocationOf } from "../gateway/known-fleet.ts";
import { isStillValid } from "../gateway/known-keys.ts";
import { look } from "../gateway/look.ts";
import { acceptsEvents, EVENT_HEADERS, serveRoute } from "./api-route.ts";
import { readHealth } from "./read-health.ts";

/** One invocation can call objects 1,000 times. The page opens a new stream when one ends. */
const CALLS_MAX = 900;
/** The Aggregator's state, and the names of the boxes before they are called. */
const CALLS_PER_EVENT = 2;

export const liveRoutes = new Hono<Env>();

/** A key that was revoked reads nothing after a second. */
const KEY_CHECK_MS = 900;

serveRoute(liveRoutes, LIVE_ROUTES.live, async ({ query, principal }, c) => {
  // The first state is read before the response starts, so that an error still gets its own status.
  const first = await liveOf(c.env, query.key);
  if (!acceptsEvents(c)) return first;
  const shell = invocationOf(c);
  const keyId = principal.key?.issued.id ?? null;
  const mayRead = async () => keyId === null || isStillValid(shell, keyId, "stats");
  return new Response(events(c.env, first, query, mayRead), {
    headers: EVENT_HEADERS,
  });
});

async function liveOf(env: Bindings, key: string | undefined): Promise<Live> {
  await look(env);
  const live = await readHealth(env);
  if (key === undefined) return live;
  const in_flight = live.in_flight.filter(({ key_id }) => key_id === key);
  return { ...live, ...(await aggregatorOf(env).watchedOfKey(key)), in_flight };
}

/** Produces each event when the reader is ready for it: without a reader, no object is called. */
function events(
  env: Bindings,
  first: Live,
  { every, key }: LiveQuery,
  mayRead: () => Promise<boolean>,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  const eventOf = (live: Live) => encoder.encode(`data: ${JSON.stringify(live)}\n\n`);
  const everyMs = every * 1_000;
  const checks = Math.ceil(everyMs / KEY_CHECK_MS);
  const callsPerEvent = CALLS_PER_EVENT + first.boxes.length + checks + (key === undefined ? 0 : 1);
  let calls = 0;
  return new ReadableStream({
    start: (controller) => controller.enqueue(eventOf(first)),
    async pull(controller) {
      calls += callsPerEvent;
      if (calls + callsPerEvent > CALLS_MAX) return controller.close();
      for (let leftMs = everyMs; leftMs > 0; leftMs -= KEY_CHECK_MS) {
        await scheduler.wait(Math.min(leftMs, KEY_CHECK_MS));
        if (!(await mayRead())) return controller.close();
      }
      controller.enqueue(eventOf(await liveOf(env, key)));
    },
  });
}

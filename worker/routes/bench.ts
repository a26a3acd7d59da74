/** `/api/bench`: measures boxes, and compares the results. */

import { Hono } from "hono";
import { BENCH_ROUTES } from "../../protocol/api/bench.ts";
import { BENCH_ROUTE } from "../../protocol/bench.ts";
import { EVENT_SILENCE_MS } from "../../protocol/limits.ts";
import { isCloudModel } from "../../protocol/model-name.ts";
import { aggregatorOf } from "../aggregator/stub.ts";
import type { Env } from "../env.ts";
import { type FailureReason, failureOfError, GatewayError } from "../errors.ts";
import { callTarget } from "../gateway/management-call.ts";
import { benchEvents } from "../models/bench-events.ts";
import { demandUse } from "../principal.ts";
import { serveRoute } from "./api-route.ts";

export const benchRoutes = new Hono<Env>();

serveRoute(benchRoutes, BENCH_ROUTES.bench, async ({ query: { box, model, limit } }, c) =>
  aggregatorOf(c.env).bench({ box, model }, limit),
);

serveRoute(
  benchRoutes,
  BENCH_ROUTES.benchBox,
  async ({ params: { name: box }, body, principal }, c) => {
    const { model } = body;
    demandUse(principal, model, box);
    if (isCloudModel(model)) throw new GatewayError({ reason: "cloud_model", model });
    const known = (await aggregatorOf(c.env).registry()).find(({ name }) => name === box);
    if (known === undefined) throw new GatewayError({ reason: "box_unknown", box });
    const { agent_version, runs_bench, simulated } = known.hello;
    // An older agent would answer that the path is not allowed.
    if (known.state !== "down" && runs_bench !== true)
      throw new GatewayError({
        reason: "agent_too_old",
        box,
        version: agent_version,
        lacks: "run a bench",
      });
    const left = new AbortController();
    const requestId = c.get("requestId");
    const answer = await callTarget(c, principal, {
      target: { route: BENCH_ROUTE, path: BENCH_ROUTE.path, model },
      body,
      box,
      requestId,
      signal: AbortSignal.any([c.req.raw.signal, left.signal]),
    }).catch((error: unknown) => {
      throw new GatewayError(ownFailure(failureOfError(error), box, model));
    });
    const events = benchEvents(answer.body ?? new Blob().stream(), {
      keepAliveMs: EVENT_SILENCE_MS,
      onLeft: () => left.abort(),
      keep: async (result) => {
        // A box is not trusted with the name of another, nor with the mark of a simulated one.
        const run = { ...result, id: requestId, box, simulated, agent_version };
        await aggregatorOf(c.env).addBench(run);
        return run;
      },
    });
    return new Response(events, {
      headers: {
        "content-type": "text/event-stream; charset=utf-8",
        "cache-control": "no-store",
        "x-request-id": requestId,
      },
    });
  },
);

const NOT_FOUND = 404;
const CONFLICT = 409;

/** The agent refuses a bench in Ollama's form; these refusals are its own. */
function ownFailure(failure: FailureReason, box: string, model: string): FailureReason {
  if (failure.reason !== "box_answered") return failure;
  if (failure.status === CONFLICT) return { reason: "bench_running", box };
  if (failure.status === NOT_FOUND)
    return { reason: "model_unknown", model, where: `on box ${box}` };
  return failure;
}

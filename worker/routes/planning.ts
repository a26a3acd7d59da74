/** `/api/plan`, `/api/models/load` and `/unload`: where models are in memory, or would fit. */
import { type Context, Hono } from "hono";
import { PLANNING_ROUTES } from "../../protocol/api/planning.ts";
import { withTag } from "../../protocol/inventory.ts";
import { EVENT_SILENCE_MS } from "../../protocol/limits.ts";
import { isCloudModel } from "../../protocol/model-name.ts";
import { newRequestId } from "../../protocol/request-id.ts";
import { aggregatorOf } from "../aggregator/stub.ts";
import { loadPlace } from "../answers/plan.ts";
import type { Env } from "../env.ts";
import { GatewayError } from "../errors.ts";
import { targetOf } from "../gateway/call.ts";
import { untilReported } from "../gateway/fleet.ts";
import { fleetFor, invocationOf } from "../gateway/known-fleet.ts";
import { freshBoxes, look } from "../gateway/look.ts";
import { callTarget } from "../gateway/management-call.ts";
import { loadEvents } from "../models/load-events.ts";
import { demandUse, mayChange, type Principal } from "../principal.ts";
import { isLoadedOn } from "../registered-box.ts";
import { acceptsEvents, EVENT_HEADERS, serveRoute } from "./api-route.ts";

export const planningRoutes = new Hono<Env>();

serveRoute(planningRoutes, PLANNING_ROUTES.plan, async ({ query }, c) => {
  await look(c.env); // the free memory of now
  const plan = await aggregatorOf(c.env).plan(query);
  if (plan === null) throw unknown(query.model, "on any registered box");
  return plan;
});

serveRoute(planningRoutes, PLANNING_ROUTES.loadModel, async ({ body, principal }, c) => {
  const { model, context, keep_alive } = body;
  if (isCloudModel(model)) throw new GatewayError({ reason: "cloud_model", model });
  demandUse(principal, model, body.box ?? null);
  await freshBoxes(c.env, body.box);
  const plan = await aggregatorOf(c.env).plan({ model, context });
  const mayLoad = (box: string) => mayChange(principal, box);
  const box = body.box ?? (plan === null ? null : loadPlace(plan, mayLoad));
  if (box === null) throw unknown(model, "on any connected box");
  const embeds = await isEmbedder(c, box, model);
  const options = context === undefined ? {} : { options: { num_ctx: context } };
  const call = embeds
    ? { path: "/api/embed", body: { model, input: [], keep_alive, ...options } }
    : { path: "/api/generate", body: { model, stream: false, keep_alive, ...options } };
  const left = new AbortController();
  const signal = AbortSignal.any([c.req.raw.signal, left.signal]);
  const load = async () => {
    const boxes = await placedOn(c, principal, model, [box], { ...call, signal });
    await untilReported(c.env, (each) => each.name !== box || isLoadedOn(each, model));
    return { status: "loaded" as const, model, boxes };
  };
  if (!acceptsEvents(c)) return load();
  const onLeft = () => left.abort();
  return new Response(
    loadEvents({ model, box }, load(), { keepAliveMs: EVENT_SILENCE_MS, onLeft }),
    { headers: EVENT_HEADERS },
  );
});

serveRoute(planningRoutes, PLANNING_ROUTES.unloadModel, async ({ body, principal }, c) => {
  const { model } = body;
  demandUse(principal, model, body.box ?? null);
  const fresh = await freshBoxes(c.env, body.box);
  const loaded = fresh.filter(
    (box) => box.state !== "down" && isLoadedOn(box, model) && mayChange(principal, box.name),
  );
  const names = body.box === undefined ? loaded.map(({ name }) => name) : [body.box];
  const call = { path: "/api/generate", body: { model, stream: false, keep_alive: 0 } };
  const { signal } = c.req.raw;
  const boxes = await placedOn(c, principal, model, names, { ...call, signal });
  await untilReported(c.env, (box) => !names.includes(box.name) || !isLoadedOn(box, model));
  return { status: "unloaded" as const, model, boxes };
});

/** In Ollama's API, a request without a prompt loads a model, and `keep_alive: 0` unloads it. */
const placedOn = (
  c: Context<Env>,
  principal: Principal,
  model: string,
  boxes: readonly string[],
  { path, body, signal }: { path: string; body: object; signal: AbortSignal },
) =>
  Promise.all(
    boxes.map(async (box, _, { length }) => {
      const requestId = length === 1 ? c.get("requestId") : newRequestId(Date.now());
      const target = targetOf("POST", path);
      const wantedReason = "planned" as const;
      const call = { target, body, box, wantedReason, requestId, signal };
      const answer = await callTarget(c, principal, call).catch((error: unknown) => {
        throw isUnknown(error) ? unknown(model, `on box ${box}`) : error;
      });
      await answer.arrayBuffer();
      return { box, request_id: requestId };
    }),
  );

const NOT_FOUND = 404;

const isUnknown = (error: unknown): boolean =>
  error instanceof GatewayError &&
  error.failure.reason === "box_answered" &&
  error.failure.failedAt === null &&
  error.failure.status === NOT_FOUND;

const unknown = (model: string, where: string) =>
  new GatewayError({ reason: "model_unknown", model, where });

/** Returns whether a model only embeds: Ollama refuses to load it by another call. */
async function isEmbedder(c: Context<Env>, name: string, model: string): Promise<boolean> {
  const { boxes } = await fleetFor(invocationOf(c), Date.now(), () => true);
  const embedders = boxes.find((box) => box.name === name)?.embedders ?? [];
  return embedders.some((each) => withTag(each) === withTag(model));
}

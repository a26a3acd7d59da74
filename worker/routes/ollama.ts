/** `/api/ollama`: the models of all boxes. */

import { type Context, Hono } from "hono";
import { OLLAMA_API_ROUTES } from "../../protocol/api/ollama.ts";
import { EVENT_SILENCE_MS } from "../../protocol/limits.ts";
import { isCloudModel } from "../../protocol/model-name.ts";
import { newRequestId } from "../../protocol/request-id.ts";
import { aggregatorOf } from "../aggregator/stub.ts";
import type { Env } from "../env.ts";
import { failureOfError, GatewayError } from "../errors.ts";
import { untilReported } from "../gateway/fleet.ts";
import { freshBoxes } from "../gateway/look.ts";
import { type BoxOutcome, callBox, failureOfBoxes } from "../gateway/management-call.ts";
import { ABOUT_CATALOGUE } from "../models/catalogue.ts";
import { installedByName, installedModels } from "../models/installed.ts";
import { libraryModels, searchLibrary } from "../models/library.ts";
import { pullEvents } from "../models/pull.ts";
import { mayChange, type Principal } from "../principal.ts";
import { isInstalledOn, type RegisteredBox } from "../registered-box.ts";
import { serveRoute } from "./api-route.ts";

export const ollamaRoutes = new Hono<Env>();

// Read from the inventories, without a call to Ollama: the page's refreshes must not count as
// requests.
serveRoute(ollamaRoutes, OLLAMA_API_ROUTES.installedModels, async ({ query: { box } }, c) => {
  const boxes = await freshBoxes(c.env, box);
  // Its models are unknown while it is down; an empty list would mean that it has none.
  if (box !== undefined && boxes[0]?.state === "down")
    throw new GatewayError({ reason: "box_down", box });
  return installedModels(boxes);
});

serveRoute(
  ollamaRoutes,
  OLLAMA_API_ROUTES.pullModel,
  async ({ body, query: { box }, principal }, c) => {
    const { insecure } = body;
    const model = body.name ?? body.model ?? "";
    if (isCloudModel(model)) throw new GatewayError({ reason: "cloud_model", model });
    const boxes =
      box === undefined ? await boxesThat(c, principal, ({ state }) => state === "up") : [box];
    const left = new AbortController();
    const signal = AbortSignal.any([c.req.raw.signal, left.signal]);
    const pulls = boxes.map((name, _, { length }) => {
      const requestId = requestIdOf(c, length);
      const call = {
        method: "POST",
        path: "/api/pull",
        body: { model, insecure, stream: true },
        box: name,
        requestId,
        signal,
      } as const;
      return {
        box: name,
        requestId,
        body: callBox(c, principal, call).then(({ body }) => body ?? new Blob().stream()),
      };
    });
    // One pull that has begun has progress to show. If none can begin, the answer is an error, not
    // a stream.
    const hasBegun = await Promise.any(pulls.map((pull) => pull.body)).catch(() => null);
    if (hasBegun === null)
      throw new GatewayError(
        failureOfBoxes(await outcomesOf(pulls.map((pull) => ({ ...pull, done: pull.body })))),
      );
    const events = pullEvents(pulls, {
      keepAliveMs: EVENT_SILENCE_MS,
      onLeft: () => left.abort(),
      beforeDone: (names) =>
        untilReported(c.env, (each) => !names.includes(each.name) || isInstalledOn(each, model)),
    });
    return new Response(events, {
      headers: {
        "content-type": "text/event-stream; charset=utf-8",
        "cache-control": "no-store",
        "x-request-id": c.get("requestId"),
      },
    });
  },
);

serveRoute(
  ollamaRoutes,
  OLLAMA_API_ROUTES.deleteModel,
  async ({ params: { name: model }, query: { box }, principal }, c) => {
    const boxes =
      box === undefined
        ? await boxesThat(
            c,
            principal,
            (each) => each.state !== "down" && isInstalledOn(each, model),
          )
        : [box];
    if (boxes.length === 0)
      throw new GatewayError({ reason: "model_unknown", model, where: "on any connected box" });
    const { signal } = c.req.raw;
    const deletions = boxes.map((name, _, { length }) => {
      const requestId = requestIdOf(c, length);
      const call = {
        method: "DELETE",
        path: "/api/delete",
        body: { model },
        box: name,
        requestId,
        signal,
      } as const;
      return {
        box: name,
        requestId,
        done: callBox(c, principal, call).then((answer) => answer.arrayBuffer()),
      };
    });
    const outcomes = (await outcomesOf(deletions)).map((outcome): BoxOutcome => {
      const { failure } = outcome;
      const isUnknown =
        failure?.reason === "box_answered" && failure.failedAt === null && failure.status === 404;
      return isUnknown
        ? {
            ...outcome,
            failure: { reason: "model_unknown", model, where: `on box ${outcome.box}` },
          }
        : outcome;
    });
    const deleted = new Set(
      outcomes.filter(({ failure }) => failure === null).map(({ box: name }) => name),
    );
    await untilReported(c.env, (each) => !deleted.has(each.name) || !isInstalledOn(each, model));
    if (deleted.size < outcomes.length) throw new GatewayError(failureOfBoxes(outcomes));
    return {
      status: "deleted" as const,
      model,
      boxes: outcomes.map(({ box: name, requestId }) => ({ box: name, request_id: requestId })),
    };
  },
);

serveRoute(ollamaRoutes, OLLAMA_API_ROUTES.library, async ({ query: { q, category } }, c) => {
  const [repository, boxes] = await Promise.all([
    aggregatorOf(c.env).repositoryList({}),
    aggregatorOf(c.env).registry(),
  ]);
  const models = searchLibrary(
    libraryModels(repository.models, installedByName(boxes)),
    q ?? "",
    category,
  );
  return { models, total: models.length, catalogue: ABOUT_CATALOGUE };
});

/**
 * Returns the names of the caller's boxes that meet the condition.
 * @throws {GatewayError} if none of them is connected at all
 */
async function boxesThat(
  c: Context<Env>,
  principal: Principal,
  condition: (box: RegisteredBox) => boolean,
): Promise<string[]> {
  const boxes = (await freshBoxes(c.env)).filter(({ name }) => mayChange(principal, name));
  if (boxes.every(({ state }) => state === "down")) throw new GatewayError({ reason: "no_box" });
  return boxes.filter(condition).map(({ name }) => name);
}

/** Returns the call's own id if it makes one request, and a new id for each of several. */
const requestIdOf = (c: Context<Env>, requests: number): string =>
  requests === 1 ? c.get("requestId") : newRequestId(Date.now());

const outcomesOf = (
  calls: readonly { box: string; requestId: string; done: Promise<unknown> }[],
): Promise<BoxOutcome[]> =>
  Promise.all(
    calls.map(({ box, requestId, done }) =>
      done.then(
        () => ({ box, requestId, failure: null }),
        (error: unknown) => ({ box, requestId, failure: failureOfError(error) }),
      ),
    ),
  );

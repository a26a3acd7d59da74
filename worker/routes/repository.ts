/** `/api/models/repository`: the model repository. */
import { Hono } from "hono";
import { REPOSITORY_ROUTES } from "../../protocol/api/repository.ts";
import { aggregatorOf } from "../aggregator/stub.ts";
import type { Env } from "../env.ts";
import { GatewayError } from "../errors.ts";
import { forgetBoxes } from "../gateway/known-fleet.ts";
import { demandUse } from "../principal.ts";
import type { RepositoryResult } from "../repository/model-repository.ts";
import { serveRoute } from "./api-route.ts";

export const repositoryRoutes = new Hono<Env>();

serveRoute(repositoryRoutes, REPOSITORY_ROUTES.repository, async ({ query }, c) =>
  aggregatorOf(c.env).repositoryList(query),
);

serveRoute(
  repositoryRoutes,
  REPOSITORY_ROUTES.addToRepository,
  async ({ body: { model_name, ...edit }, principal }, c) => {
    demandUse(principal, model_name, null);
    return orThrow(await aggregatorOf(c.env).repositoryPut(model_name, edit));
  },
);

serveRoute(repositoryRoutes, REPOSITORY_ROUTES.syncRepository, async (_, c) =>
  orThrow(await aggregatorOf(c.env).repositorySync()),
);

serveRoute(
  repositoryRoutes,
  REPOSITORY_ROUTES.toggleFavorite,
  async ({ params: { name }, principal }, c) => {
    demandUse(principal, name, null);
    return orThrow(await aggregatorOf(c.env).repositoryToggleFavorite(name));
  },
);

serveRoute(repositoryRoutes, REPOSITORY_ROUTES.repositoryModel, async ({ params: { name } }, c) =>
  orThrow(await aggregatorOf(c.env).repositoryFind(name)),
);

serveRoute(
  repositoryRoutes,
  REPOSITORY_ROUTES.changeRepositoryModel,
  async ({ params: { name }, body, principal }, c) => {
    demandUse(principal, name, null);
    const model = orThrow(await aggregatorOf(c.env).repositoryChange(name, body));
    forgetBoxes(); // the cache also holds the default model, which may have changed
    return model;
  },
);

serveRoute(
  repositoryRoutes,
  REPOSITORY_ROUTES.removeFromRepository,
  async ({ params: { name }, principal }, c) => {
    demandUse(principal, name, null);
    const model_name = orThrow(await aggregatorOf(c.env).repositoryRemove(name));
    forgetBoxes();
    return { status: "deleted" as const, model_name };
  },
);

/** @throws {GatewayError} */
function orThrow<Answer>(outcome: RepositoryResult<Answer>): Answer {
  if ("failure" in outcome) throw new GatewayError(outcome.failure);
  return outcome.answer;
}

/** The routes of the model repository with Postgres configured. */
import { env, exports } from "cloudflare:workers";
import { afterEach, beforeAll, expect, test } from "vitest";
import { RepositoryModels } from "../../protocol/api/repository.ts";
import { ApiError } from "../../protocol/api/shapes.ts";
import { aggregatorOf } from "../../worker/aggregator/stub.ts";
import { settingsOf } from "../../worker/settings.ts";
import {
  callApi,
  exerciseRepositoryRoutes,
  REPOSITORY_PATH,
} from "../workerd/repository-routes.ts";
import { faults, storesIn } from "./fresh-stores.ts";

beforeAll(() => storesIn(settingsOf(env).stores).postgres.migrate());

afterEach(() => faults("postgres", []));

test("the routes add, show, change, toggle, sync and delete entries of any name", () =>
  exerciseRepositoryRoutes("postgres"));

test("a request does not wait for Postgres to find the default, and a change that Postgres rejects is an error with its reason", async () => {
  await callApi("POST", REPOSITORY_PATH, { model_name: "chosen" });
  await callApi("PUT", `${REPOSITORY_PATH}/chosen`, { is_default: true });
  await faults("postgres", [
    { times: 1, delayMs: 2_000 },
    { times: 1_000, status: 503 },
  ]);
  const slow = callApi("GET", REPOSITORY_PATH);
  const began = Date.now();
  expect((await aggregatorOf(env).fleet()).defaultModel).toBe("chosen");
  expect(Date.now() - began).toBeLessThan(1_000);
  expect((await slow)[0]).toBe(200);

  const [status, answer] = await callApi("PUT", `${REPOSITORY_PATH}/chosen`, { is_default: false });
  expect([status, ApiError.parse(answer).error]).toMatchObject([
    503,
    {
      code: "store_unavailable",
      failed_at: "gateway",
      message: expect.stringContaining("is in postgres, which answered HTTP 503"),
    },
  ]);
  for (const [method, path, body] of [
    ["POST", REPOSITORY_PATH, { model_name: "other" }],
    ["POST", `${REPOSITORY_PATH}/sync`],
    ["POST", `${REPOSITORY_PATH}/chosen/favorite`],
    ["DELETE", `${REPOSITORY_PATH}/chosen`],
  ] as const)
    expect((await callApi(method, path, body))[0], `${method} ${path}`).toBe(503);
  const [read, all] = await callApi("GET", REPOSITORY_PATH);
  expect(read).toBe(200);
  expect(RepositoryModels.parse(all)).toMatchObject({
    store: "durable_object",
    problem: expect.stringMatching(/^postgres answered HTTP 503; this is/),
  });
  expect((await aggregatorOf(env).fleet()).defaultModel).toBe("chosen");
  const { problems } = (await (
    await exports.default.fetch("http://localhost/api/health")
  ).json()) as { problems: string[] };
  expect(problems).toContainEqual(
    "Model repository cannot be changed and may be out of date: postgres answered HTTP 503",
  );
});

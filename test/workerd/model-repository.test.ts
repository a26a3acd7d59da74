/** The model repository inside the Aggregator, and its routes. */
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { expect, test } from "vitest";
import {
  REPOSITORY_MODELS_MAX,
  RepositoryEntry,
  RepositoryModels,
  RepositorySync,
} from "../../protocol/api/repository.ts";
import { ApiError } from "../../protocol/api/shapes.ts";
import type { Aggregator } from "../../worker/aggregator/aggregator.ts";
import { helloOf, readingsOf, recordOf } from "../support/records.ts";
import { freshAggregator } from "./fresh-aggregator.ts";
import { callApi, exerciseRepositoryRoutes, REPOSITORY_PATH } from "./repository-routes.ts";

const pulled = (model: string, rest: Parameters<typeof recordOf>[1] = {}, n = 0) =>
  recordOf(
    Date.now() - 10_000,
    { endpoint: "/api/pull", model, prompt_tokens: null, completion_tokens: null, ...rest },
    n,
  );

const FULL = { failure: { reason: "repository_full" } };
const unknown = (model: string) => ({
  failure: { reason: "model_unknown", model, where: "in the repository" },
});

/** The entry of an answer. */
const entryOf = (outcome: object): RepositoryEntry =>
  RepositoryEntry.parse("answer" in outcome ? outcome.answer : outcome);
const syncOf = (outcome: object): RepositorySync =>
  RepositorySync.parse("answer" in outcome ? outcome.answer : outcome);

test("an entry that was added is what was said of it, and says what nobody knows as null or 0", async () => {
  const aggregator = await freshAggregator();
  const added = entryOf(
    await aggregator.repositoryPut("hf.co/user/model:Q4_K_M", { description: "Mine" }),
  );
  expect(added).toMatchObject({
    model_name: "hf.co/user/model:Q4_K_M",
    display_name: null,
    description: "Mine",
    category: "general",
    size_label: null,
    size_bytes: null,
    is_favorite: false,
    is_installed: false,
    is_default: false,
    download_count: 0,
    usage_count: 0,
    total_tokens_generated: 0,
    last_used_at: null,
    installed_at: null,
    installed_on: [],
  });
  const again = await aggregator.repositoryPut("hf.co/user/model:Q4_K_M", {
    category: "code",
    display_name: "Model",
  });
  expect(entryOf(again)).toMatchObject({
    id: added.id,
    description: "Mine",
    category: "code",
    display_name: "Model",
  });
  expect(
    entryOf(await aggregator.repositoryPut("hf.co/user/model:Q4_K_M", { description: null })),
  ).toMatchObject({
    description: null,
    category: "code",
    store: "durable_object",
    problem: null,
  });
});

test.each([
  ["llama3.2", "llama3.2:latest"],
  ["llama3.2:latest", "llama3.2"],
  ["hf.co/user/model:latest", "hf.co/user/model"],
  ["qwen3:8b", "qwen3:8b"],
])("%s is found as %s", async (added, asked) => {
  const aggregator = await freshAggregator();
  const { id } = entryOf(await aggregator.repositoryPut(added, {}));
  const name = added.replace(/:latest$/, "");
  expect(entryOf(await aggregator.repositoryFind(asked))).toMatchObject({ id, model_name: name });
  expect(entryOf(await aggregator.repositoryPut(asked, {}))).toMatchObject({ id });
  expect(await aggregator.repositoryRemove(asked)).toEqual({ answer: name });
  expect(await aggregator.repositoryFind(added)).toEqual(unknown(added));
});

test("one model is the default at most, also after a restart, and none when it is deleted", async () => {
  const aggregator = await freshAggregator();
  for (const name of ["a", "b", "c"]) await aggregator.repositoryPut(name, {});
  const defaults = async () =>
    RepositoryModels.parse(await aggregator.repositoryList({}))
      .models.filter(({ is_default }) => is_default)
      .map(({ model_name }) => model_name);
  await aggregator.repositoryChange("a", { is_default: true });
  await aggregator.repositoryChange("b", { is_default: true, description: "the other" });
  expect(await defaults()).toEqual(["b"]);
  await aggregator.repositoryChange("b", { is_default: true });
  await aggregator.repositoryChange("c", { is_favorite: true });
  expect(await defaults()).toEqual(["b"]);
  await evictDurableObject(aggregator);
  expect((await aggregator.fleet()).defaultModel).toBe("b");
  await aggregator.repositoryChange("b", { is_default: false });
  expect(await defaults()).toEqual([]);
  await aggregator.repositoryChange("c", { is_default: true });
  await aggregator.repositoryRemove("c");
  expect((await aggregator.fleet()).defaultModel).toBeNull();
});

test("storage itself refuses a second default", async () => {
  const aggregator = await freshAggregator();
  await aggregator.repositoryPut("a", { is_default: true });
  await runInDurableObject(aggregator, (_, { storage }) => {
    const insert =
      "INSERT INTO repository (model_name, category, is_default, created_at_ms, updated_at_ms) VALUES ('b', 'x', 1, 0, 0)";
    expect(() => storage.sql.exec(insert)).toThrow(/UNIQUE/);
  });
});

test("a favourite is toggled; what is not there is not changed", async () => {
  const aggregator = await freshAggregator();
  await aggregator.repositoryPut("a", {});
  expect(entryOf(await aggregator.repositoryToggleFavorite("a:latest"))).toMatchObject({
    is_favorite: true,
  });
  expect(entryOf(await aggregator.repositoryToggleFavorite("a"))).toMatchObject({
    is_favorite: false,
  });
  expect(await aggregator.repositoryToggleFavorite("b")).toEqual(unknown("b"));
  expect(await aggregator.repositoryChange("b", { is_favorite: true })).toEqual(unknown("b"));
  expect(await aggregator.repositoryRemove("b")).toEqual(unknown("b"));
});

test("ids are never used again", async () => {
  const aggregator = await freshAggregator();
  const { id } = entryOf(await aggregator.repositoryPut("a", {}));
  await aggregator.repositoryRemove("a");
  expect(entryOf(await aggregator.repositoryPut("a", {})).id).toBeGreaterThan(id);
});

test("a sync adds what the boxes that are up have, once, and leaves what was said", async () => {
  const aggregator = await freshAggregator();
  const readings = readingsOf(Date.now(), [
    "llama3.2:latest",
    "nomic-embed-text:latest",
    "hf.co/user/model:Q4_K_M",
  ]);
  const [first] = readings.inventory.models;
  if (first !== undefined)
    Object.assign(first, { size_bytes: 2_000, modified_at: "2026-09-14T08:21:07.412000001+02:00" });
  await aggregator.connected(helloOf("basil"));
  await aggregator.read("basil", readings);
  await aggregator.connected(helloOf("cinder"));
  await aggregator.read("cinder", readingsOf(Date.now(), ["gone:1b"]));
  await aggregator.gone("cinder", Date.now());
  await aggregator.repositoryPut("llama3.2", { category: "mine" });

  const synced = syncOf(await aggregator.repositorySync());
  expect(synced).toMatchObject({
    status: "synced",
    installed_count: 3,
    added: ["nomic-embed-text", "hf.co/user/model:Q4_K_M"],
  });
  const byName = new Map(synced.models.map((model) => [model.model_name, model]));
  expect(byName.get("llama3.2")).toMatchObject({
    category: "mine",
    is_installed: true,
    installed_on: ["atlas", "basil"],
    size_bytes: 2_000,
    installed_at: "2026-09-14T06:21:07.412Z",
  });
  expect(byName.get("nomic-embed-text")).toMatchObject({ category: "embedding", size_bytes: null });
  expect(syncOf(await aggregator.repositorySync())).toEqual({ ...synced, added: [] });

  await aggregator.gone("basil", Date.now());
  expect(entryOf(await aggregator.repositoryFind("nomic-embed-text"))).toMatchObject({
    is_installed: false,
    installed_on: [],
  });
  expect(await aggregator.repositoryList({ installed_only: true })).toMatchObject({
    total: 1,
    installed_count: 1,
  });
});

test("downloads are pulls that succeeded, each once, however often its record comes", async () => {
  const aggregator = await freshAggregator();
  await aggregator.repositoryPut("mine", {});
  const records = [
    pulled("mine:latest"),
    pulled("mine", { status: "error" }, 1),
    pulled("mine", { status: "cancelled" }, 2),
    pulled("mine", { endpoint: "/api/create" }, 3),
    pulled("mine", { box: "basil" }, 4),
    pulled("new/model:1b", {}, 5),
    pulled("not a name", {}, 6),
  ];
  await aggregator.ingest(records);
  await aggregator.ingest([...records, ...records]);
  await evictDurableObject(aggregator);
  await aggregator.ingest(records);
  const { models } = RepositoryModels.parse(await aggregator.repositoryList({}));
  expect(models.map(({ model_name, download_count }) => [model_name, download_count])).toEqual([
    ["mine", 2],
    ["new/model:1b", 1],
  ]);
  expect(models[0]?.installed_at).not.toBeNull();
});

test("a download that is not counted for a failing transaction leaves no trace", async () => {
  const aggregator = await freshAggregator();
  await runInDurableObject(aggregator, async (instance: Aggregator, { storage }) => {
    storage.sql.exec("ALTER TABLE rollup RENAME TO hidden");
    await expect(instance.ingest([pulled("a")])).rejects.toThrow("rollup");
    storage.sql.exec("ALTER TABLE hidden RENAME TO rollup");
  });
  expect((await aggregator.repositoryList({})).total).toBe(0);
  await aggregator.ingest([pulled("a")]);
  expect(entryOf(await aggregator.repositoryFind("a"))).toMatchObject({ download_count: 1 });
});

test("use comes from the ledger's counts: inference calls, their tokens, and the last call", async () => {
  const aggregator = await freshAggregator();
  const now = Date.now();
  await aggregator.repositoryPut("llama3.2", {});
  await aggregator.ingest([
    recordOf(now - 9_000, { completion_tokens: 100 }),
    recordOf(now - 8_000, { completion_tokens: 11, box: null, model: "llama3.2:latest" }),
    recordOf(now - 7_000, { endpoint: "/api/show", completion_tokens: null, latency_ms: 500 }),
    recordOf(now - 6_000, { model: "invented" }),
  ]);
  expect(entryOf(await aggregator.repositoryFind("llama3.2"))).toMatchObject({
    usage_count: 2,
    total_tokens_generated: 111,
    last_used_at: new Date(now - 6_500).toISOString(),
    download_count: 0,
  });
});

test("the list is filtered, and the default, favourites and much used models come first", async () => {
  const aggregator = await freshAggregator();
  for (const name of ["zeta", "beta", "llama3.2", "alpha"])
    await aggregator.repositoryPut(name, { category: name === "beta" ? "code" : "general" });
  await aggregator.repositoryChange("zeta", { is_default: true });
  await aggregator.repositoryChange("beta", { is_favorite: true });
  await aggregator.ingest([recordOf(Date.now() - 5_000)]);
  const names = async (query: Parameters<typeof aggregator.repositoryList>[0]) =>
    RepositoryModels.parse(await aggregator.repositoryList(query)).models.map(
      ({ model_name }) => model_name,
    );
  expect(await names({})).toEqual(["zeta", "beta", "llama3.2", "alpha"]);
  expect(await names({ category: "code" })).toEqual(["beta"]);
  expect(await names({ favorites_only: true })).toEqual(["beta"]);
  expect(await names({ installed_only: true })).toEqual(["llama3.2"]);
  expect(await names({ installed_only: true, category: "code" })).toEqual([]);
  expect(await aggregator.repositoryList({})).toMatchObject({
    total: 4,
    favorites_count: 1,
    installed_count: 1,
  });
});

test("the repository has a bound, and says so; what is in it can still be changed", async () => {
  const aggregator = await freshAggregator();
  await runInDurableObject(aggregator, (_, { storage }) => {
    storage.sql.exec(
      `INSERT INTO repository (model_name, category, created_at_ms, updated_at_ms)
       WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) SELECT 'm:' || i, 'general', 0, 0 FROM n`,
      REPOSITORY_MODELS_MAX - 1,
    );
  });
  expect(entryOf(await aggregator.repositoryPut("last", {})).model_name).toBe("last");
  expect(await aggregator.repositoryPut("one-more", {})).toEqual(FULL);
  expect(await aggregator.repositorySync()).toEqual(FULL);
  await aggregator.ingest([pulled("one-more"), pulled("last", {}, 1)]);
  expect(await aggregator.repositoryFind("one-more")).toEqual(unknown("one-more"));
  expect(entryOf(await aggregator.repositoryFind("last"))).toMatchObject({ download_count: 1 });
  expect(entryOf(await aggregator.repositoryPut("m:1", { description: "still" }))).toMatchObject({
    description: "still",
  });
  expect((await aggregator.repositoryList({})).total).toBe(REPOSITORY_MODELS_MAX);
});

test("the routes add, show, change, toggle, sync and delete, whatever the name", () =>
  exerciseRepositoryRoutes("durable_object"));

const BAD: [
  method: string,
  path: string,
  body: unknown,
  status: number,
  code: string,
  message: RegExp,
][] = [
  ["GET", `${REPOSITORY_PATH}?favorites_only=yes`, undefined, 400, "bad_request", /favorites_only/],
  ["GET", `${REPOSITORY_PATH}?installed_only=1`, undefined, 400, "bad_request", /installed_only/],
  ["GET", `${REPOSITORY_PATH}?category=`, undefined, 400, "bad_request", /category/],
  ["GET", `${REPOSITORY_PATH}?box=atlas`, undefined, 400, "bad_request", /box/],
  [
    "GET",
    `${REPOSITORY_PATH}/unheard-of`,
    undefined,
    404,
    "model_not_found",
    /no model named unheard-of in the repository/,
  ],
  ["GET", `${REPOSITORY_PATH}/a%20b`, undefined, 400, "bad_request", /name of a model/],
  ["GET", `${REPOSITORY_PATH}/%zz`, undefined, 400, "bad_request", /name of a model/],
  ["GET", `${REPOSITORY_PATH}/a?x=1`, undefined, 400, "bad_request", /x/],
  ["POST", REPOSITORY_PATH, "", 400, "bad_request", /empty/],
  ["POST", REPOSITORY_PATH, "{", 400, "bad_request", /not valid JSON/],
  ["POST", REPOSITORY_PATH, [], 400, "bad_request", /expected object/],
  ["POST", REPOSITORY_PATH, {}, 400, "bad_request", /model_name/],
  ["POST", REPOSITORY_PATH, { model_name: 7 }, 400, "bad_request", /model_name/],
  ["POST", REPOSITORY_PATH, { model_name: "" }, 400, "bad_request", /model_name/],
  ["POST", REPOSITORY_PATH, { model_name: "a b" }, 400, "bad_request", /name of a model/],
  ["POST", REPOSITORY_PATH, { model_name: "a".repeat(351) }, 400, "bad_request", /model_name/],
  ["POST", REPOSITORY_PATH, { model_name: "a", category: null }, 400, "bad_request", /category/],
  [
    "POST",
    REPOSITORY_PATH,
    { model_name: "a", category: "c".repeat(65) },
    400,
    "bad_request",
    /category/,
  ],
  [
    "POST",
    REPOSITORY_PATH,
    { model_name: "a", description: "d".repeat(2_001) },
    400,
    "bad_request",
    /description/,
  ],
  ["POST", REPOSITORY_PATH, { model_name: "a", size_label: 2 }, 400, "bad_request", /size_label/],
  [
    "POST",
    REPOSITORY_PATH,
    { model_name: "a", is_favorite: true },
    400,
    "bad_request",
    /is_favorite/,
  ],
  ["PUT", `${REPOSITORY_PATH}/a`, {}, 400, "bad_request", /at least one/],
  ["PUT", `${REPOSITORY_PATH}/a`, { is_default: "true" }, 400, "bad_request", /is_default/],
  ["PUT", `${REPOSITORY_PATH}/a`, { size_label: "2 GB" }, 400, "bad_request", /size_label/],
  ["PUT", `${REPOSITORY_PATH}/a`, { display_name: "  " }, 400, "bad_request", /display_name/],
  [
    "PUT",
    `${REPOSITORY_PATH}/unheard-of`,
    { is_favorite: true },
    404,
    "model_not_found",
    /unheard-of/,
  ],
  [
    "PUT",
    `${REPOSITORY_PATH}/hf.co/unheard/of:Q4`,
    { is_favorite: true },
    404,
    "model_not_found",
    /hf\.co\/unheard\/of:Q4/,
  ],
  [
    "POST",
    `${REPOSITORY_PATH}/unheard-of/favorite`,
    undefined,
    404,
    "model_not_found",
    /unheard-of/,
  ],
  ["POST", `${REPOSITORY_PATH}/sync?box=a`, undefined, 400, "bad_request", /box/],
  ["DELETE", `${REPOSITORY_PATH}/unheard-of`, undefined, 404, "model_not_found", /unheard-of/],
  ["DELETE", REPOSITORY_PATH, undefined, 405, "method_not_allowed", /accepts GET, POST/],
  ["POST", `${REPOSITORY_PATH}/a`, {}, 405, "method_not_allowed", /accepts/],
  ["PATCH", `${REPOSITORY_PATH}/a`, {}, 405, "method_not_allowed", /accepts/],
];

test.each(BAD)(
  "bad input %#: %s %s is told in the one shape",
  async (method, path, body, status, code, message) => {
    const [told, answer] = await callApi(method, path, body);
    expect([told, ApiError.parse(answer).error]).toEqual([
      status,
      {
        code,
        message: expect.stringMatching(message),
        failed_at: "gateway",
        request_id: expect.any(String),
      },
    ]);
  },
);

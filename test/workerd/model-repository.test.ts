/** The model repository inside the Aggregator. */
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { expect, test } from "vitest";
import {
  REPOSITORY_MODELS_MAX,
  RepositoryEntry,
  RepositoryModels,
  RepositorySync,
} from "../../protocol/api/repository.ts";
import type { Aggregator } from "../../worker/aggregator/aggregator.ts";
import { helloOf, readingsOf, recordOf } from "../support/records.ts";
import { freshAggregator } from "./fresh-aggregator.ts";

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

/** Parses the entry of an answer. */
const entryOf = (outcome: object): RepositoryEntry =>
  RepositoryEntry.parse("answer" in outcome ? outcome.answer : outcome);
const syncOf = (outcome: object): RepositorySync =>
  RepositorySync.parse("answer" in outcome ? outcome.answer : outcome);

test("returns an added entry with its given fields, and null or 0 for everything unknown", async () => {
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
  const changed = await aggregator.repositoryPut("hf.co/user/model:Q4_K_M", {
    category: "code",
    display_name: "Model",
  });
  expect(entryOf(changed)).toMatchObject({
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
])("finds %s as %s", async (added, name) => {
  const aggregator = await freshAggregator();
  const { id } = entryOf(await aggregator.repositoryPut(added, {}));
  const stored = added.replace(/:latest$/, "");
  expect(entryOf(await aggregator.repositoryFind(name))).toMatchObject({ id, model_name: stored });
  expect(entryOf(await aggregator.repositoryPut(name, {}))).toMatchObject({ id });
  expect(await aggregator.repositoryRemove(name)).toEqual({ answer: stored });
  expect(await aggregator.repositoryFind(added)).toEqual(unknown(added));
});

test("keeps at most one default, also after a restart, and none once it is deleted", async () => {
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

test("refuses a second default in the storage itself", async () => {
  const aggregator = await freshAggregator();
  await aggregator.repositoryPut("a", { is_default: true });
  await runInDurableObject(aggregator, (_, { storage }) => {
    const insert =
      "INSERT INTO repository (model_name, category, is_default, created_at_ms, updated_at_ms) " +
      "VALUES ('b', 'x', 1, 0, 0)";
    expect(() => storage.sql.exec(insert)).toThrow(/UNIQUE/);
  });
});

test("toggles a favourite, and changes nothing for an unknown model", async () => {
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

test("never reuses an id", async () => {
  const aggregator = await freshAggregator();
  const { id } = entryOf(await aggregator.repositoryPut("a", {}));
  await aggregator.repositoryRemove("a");
  expect(entryOf(await aggregator.repositoryPut("a", {})).id).toBeGreaterThan(id);
});

test("adds the models of the boxes that are up in a sync, once, and leaves existing entries alone", async () => {
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

test("counts each successful pull as one download, however often its record arrives", async () => {
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

test("leaves no trace of a download whose transaction failed", async () => {
  const aggregator = await freshAggregator();
  await runInDurableObject(aggregator, async (instance: Aggregator, { storage }) => {
    storage.sql.exec(
      "CREATE TRIGGER full BEFORE INSERT ON ledger_pages BEGIN SELECT RAISE(ABORT, 'disk is full'); END",
    );
    await expect(instance.ingest([pulled("a")])).rejects.toThrow("disk is full");
    storage.sql.exec("DROP TRIGGER full");
  });
  expect((await aggregator.repositoryList({})).total).toBe(0);
  await aggregator.ingest([pulled("a")]);
  expect(entryOf(await aggregator.repositoryFind("a"))).toMatchObject({ download_count: 1 });
});

test("takes use from the ledger: inference calls, their tokens and the last call", async () => {
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

test("filters the list, and puts the default, favourites and the most used models first", async () => {
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

test("rejects a new model at the size limit but still updates existing ones", async () => {
  const aggregator = await freshAggregator();
  await runInDurableObject(aggregator, (_, { storage }) => {
    storage.sql.exec(
      `INSERT INTO repository (model_name, category, created_at_ms, updated_at_ms)
       WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
       SELECT 'm:' || i, 'general', 0, 0 FROM n`,
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

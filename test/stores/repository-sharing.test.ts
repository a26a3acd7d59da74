/** Several edges share one model repository in Postgres, and each pull counts once. */
import { expect, test } from "vitest";
import { NOW, useFreshStores } from "./delivered.ts";
import { onFreshStorage } from "./edge.ts";
import { faults } from "./fresh-stores.ts";
import { defaultsOf, edgeOn, type RepositoryEdge, twoEdges } from "./repository-edge.ts";

const MINUTE_MS = 60_000;

useFreshStores();

test("each pull counts once, whatever is lost on the way to Postgres, even across a restart", async () => {
  await onFreshStorage(async (storage) => {
    let edge = edgeOn(storage);
    await edge.put("a");
    let nowMs = NOW;
    for (let round = 0; round < 30; round++) {
      edge.local.countDownload("a", nowMs);
      if (round % 3 === 0) edge.local.countDownload("new/model:1b", nowMs);
      if (round % 4 !== 0)
        await faults("postgres", [{ times: 1, drop: round % 2 === 0 ? "after" : "before" }]);
      if (round % 5 === 0) edge = edgeOn(storage);
      nowMs += MINUTE_MS;
      await edge.shared.keepUp(nowMs);
      // This reads the copy, so it returns at once.
      expect(edge.local.all()[0]?.download_count).toBe(round + 1);
    }
    await faults("postgres", []);
    expect(await edge.downloads()).toEqual({ a: 30, "new/model:1b": 10 });
    expect(edge.copy.hasUnsent()).toBe(false);
  });
});

test("a pull that is counted during a request to Postgres is neither lost nor counted twice", async () => {
  await onFreshStorage(async (storage) => {
    const { shared, local, copy, put, downloads } = edgeOn(storage);
    await put("a");
    local.countDownload("a", NOW);
    await faults("postgres", [{ times: 1, delayMs: 200 }]);
    const asked = shared.read(NOW);
    await scheduler.wait(50);
    local.countDownload("a", NOW + 1);
    local.countDownload("b", NOW + 1);
    await asked;
    expect(
      local.all().map(({ model_name, download_count }) => [model_name, download_count]),
    ).toEqual([
      ["a", 2],
      ["b", 1],
    ]);
    expect(copy.hasUnsent()).toBe(true);
    expect(await downloads()).toEqual({ a: 2, b: 1 });
    expect(copy.hasUnsent()).toBe(false);
  });
});

test("a model that is pulled while it is being removed starts again at one download", async () => {
  await onFreshStorage(async (storage) => {
    const { shared, local, put, downloads } = edgeOn(storage);
    await put("a");
    for (let n = 0; n < 3; n++) local.countDownload("a", NOW);
    await faults("postgres", [{ times: 1, delayMs: 200 }]);
    const removed = shared.write({ kind: "remove", name: "a" }, NOW);
    await scheduler.wait(50);
    local.countDownload("a", NOW);
    await removed;
    expect(await downloads()).toEqual({ a: 1 });
  });
});

test("two edges share the repository: one reads the other's change at once and serves it within a minute", async () => {
  const [a, b] = twoEdges();
  await a(({ put }) => put("model:1b", { is_favorite: true }));
  expect(await b(({ shared }) => shared.read(NOW))).toMatchObject({
    models: [{ model_name: "model:1b", is_favorite: true }],
  });
  await b(({ shared }) =>
    shared.write({ kind: "change", name: "model:1b", edit: { is_default: true } }, NOW),
  );
  await a(async ({ shared, local }) => {
    await shared.keepUp(NOW);
    expect(local.defaultModel()).toBe("model:1b");
    for (let n = 0; n < 2; n++) local.countDownload("model:1b", NOW);
    await shared.read(NOW);
  });
  await b(async ({ shared, local, downloads }) => {
    local.countDownload("model:1b", NOW);
    expect(await downloads()).toEqual({ "model:1b": 3 });
    await shared.write({ kind: "remove", name: "model:1b" }, NOW);
  });
  await a(async ({ shared, local, downloads }) => {
    await shared.keepUp(NOW);
    expect(local.all()).toEqual([]);
    // The count starts again.
    local.countDownload("model:1b", NOW);
    expect(await downloads()).toEqual({ "model:1b": 1 });
  });
});

test("two edges that choose a default at the same time both succeed, and one model is the default", async () => {
  const [a, b] = twoEdges();
  await a(async ({ put }) => void (await Promise.all(["x", "y"].map((name) => put(name)))));
  for (let round = 0; round < 10; round++) {
    const choose = (name: string) => async (edge: RepositoryEdge) =>
      void (await edge.shared.write({ kind: "change", name, edit: { is_default: true } }, NOW));
    await Promise.all([a(choose("x")), b(choose("y"))]);
    const { models } = await a(({ shared }) => shared.read(NOW));
    expect(defaultsOf(models)).toHaveLength(1);
  }
});

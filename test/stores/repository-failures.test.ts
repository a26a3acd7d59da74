/**
 * The model repository while Postgres is down, slow or without tables: requests never wait for it.
 */
import { expect, test } from "vitest";
import { StoreError } from "../../worker/export/external-store.ts";
import { LocalRepository } from "../../worker/repository/local.ts";
import { NOW, useFreshStores } from "./delivered.ts";
import { onFreshStorage } from "./edge.ts";
import { faults, freshStores, statements } from "./fresh-stores.ts";
import { edgeOn, namesOf } from "./repository-edge.ts";

const MINUTE_MS = 60_000;

useFreshStores();

test("while Postgres is down reads report it, a change fails without a trace, and requests still have their default", async () => {
  await onFreshStorage(async (storage) => {
    const { shared, local, put } = edgeOn(storage);
    await put("a", { is_default: true });
    await faults("postgres", [{ times: 1_000, status: 503 }]);
    const { store, problem, models } = await shared.read(NOW);
    expect([store, namesOf(models)]).toEqual(["durable_object", ["a"]]);
    expect(problem).toBe(
      `postgres answered HTTP 503; this is the edge's copy of ${new Date(NOW).toISOString()}`,
    );
    for (const write of [
      { kind: "put", name: "b", edit: {} },
      { kind: "change", name: "a", edit: { is_default: false } },
      { kind: "toggle_favorite", name: "a" },
      { kind: "remove", name: "a" },
      { kind: "add_found", found: [{ name: "c", installedAtMs: NOW }] },
    ] as const)
      await expect(shared.write(write, NOW)).rejects.toThrow(
        new StoreError("unavailable", "answered HTTP 503"),
      );
    expect(shared.failure).toBe("answered HTTP 503");
    expect(local.all()).toEqual(models);
    // The edge retries even if nothing else happens.
    expect(shared.dueMs()).toBe(NOW + MINUTE_MS);
    await faults("postgres", []);
    expect((await shared.read(NOW)).models).toMatchObject([
      { model_name: "a", is_default: true, is_favorite: false },
    ]);
    expect([shared.failure, shared.dueMs()]).toEqual([null, null]);
  });
});

test("concurrent readers of a slow store share one answer, and an older change does not overtake a newer one", async () => {
  await onFreshStorage(async (storage) => {
    const { shared, local, put } = edgeOn(storage);
    await put("a");
    await faults("postgres", [{ times: 1, delayMs: 300 }]);
    const reads = Array.from({ length: 5 }, () => shared.read(NOW));
    const written = put("b");
    expect((await Promise.all(reads)).map(({ models }) => models.length)).toEqual([1, 1, 1, 1, 1]);
    await written;
    expect(await statements("postgres")).toHaveLength(2);
    expect(namesOf(local.all())).toEqual(["a", "b"]);
  });
});

test("a read waits at most five seconds for a store that hangs", async () => {
  await onFreshStorage(async (storage) => {
    const { shared, put } = edgeOn(storage);
    await put("a");
    await faults("postgres", [{ times: 1, delayMs: 20_000 }]);
    const began = Date.now();
    expect(await shared.read(NOW)).toMatchObject({
      store: "durable_object",
      models: [{ model_name: "a" }],
    });
    expect(Date.now() - began).toBeLessThan(10_000);
  });
});

test("an edge that never reached Postgres reports it and retries once a minute", async () => {
  await onFreshStorage(async (storage) => {
    await new LocalRepository(storage).write({ kind: "put", name: "a", edit: {} }, NOW);
    const { shared } = edgeOn(storage);
    expect(shared.dueMs()).toBe(0);
    await faults("postgres", [{ times: 1_000, status: 503 }]);
    expect(await shared.read(NOW)).toMatchObject({
      problem:
        "postgres answered HTTP 503; this is the edge's copy from before it was ever reached",
    });
    expect(shared.dueMs()).toBe(NOW + MINUTE_MS);
  });
});

test("missing tables are named, with the command to run", async () => {
  const empty = await freshStores(false);
  await onFreshStorage(async (storage) => {
    const { shared } = edgeOn(storage, empty.settings.configured.postgres);
    expect((await shared.read(NOW)).problem).toMatch(/lacks a table: run npm run migrate/);
    await empty.postgres.migrate();
    expect((await shared.read(NOW)).store).toBe("postgres");
  });
});

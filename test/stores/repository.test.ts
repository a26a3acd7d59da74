/** The model repository in Postgres: shared, never in the way of a call, and every pull counted once. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { REPOSITORY_MODELS_MAX } from "../../protocol/api/repository.ts";
import { StoreError } from "../../worker/export/external-store.ts";
import { RepositoryCopy } from "../../worker/repository/copy.ts";
import { LocalRepository } from "../../worker/repository/local.ts";
import { PostgresRepository } from "../../worker/repository/postgres.ts";
import { SharedRepository } from "../../worker/repository/shared.ts";
import type { RepositoryWrite, StoredModel } from "../../worker/repository/stored.ts";
import { onFreshStorage, onStorageOf } from "./edge.ts";
import { type FreshStores, faults, freshStores, statements } from "./fresh-stores.ts";

const NOW = Date.UTC(2026, 10, 24, 12);
const MINUTE_MS = 60_000;

let stores: FreshStores;

beforeEach(async () => {
  stores = await freshStores();
});

afterEach(() => faults("postgres", []));

function edgeOn(storage: DurableObjectStorage, settings = stores.settings.configured.postgres) {
  if (settings === null) throw new Error("Postgres is configured in these tests");
  const local = new LocalRepository(storage);
  const copy = new RepositoryCopy(storage);
  const shared = new SharedRepository(copy, new PostgresRepository(settings));
  const put = (name: string, edit = {}) => shared.write({ kind: "put", name, edit }, NOW);
  const downloads = async () =>
    Object.fromEntries(
      (await shared.read(NOW)).models.map((model) => [model.model_name, model.download_count]),
    );
  return { local, copy, shared, put, downloads };
}

const namesOf = (models: readonly StoredModel[]) => models.map(({ model_name }) => model_name);
const defaultsOf = (models: readonly StoredModel[]) =>
  namesOf(models.filter(({ is_default }) => is_default));

/** What people edit, and nothing that depends on where it is. */
const saidOf = (models: readonly StoredModel[]) => models.map(({ id: _, ...entry }) => entry);

const WRITES: [what: string, writes: RepositoryWrite[]][] = [
  [
    "an entry that is added",
    [
      {
        kind: "put",
        name: "hf.co/user/model:Q4_K_M",
        edit: { description: "Mine", size_label: "2 GB" },
      },
    ],
  ],
  [
    "an entry that is added again",
    ["a", "a:latest"].map((name) => ({ kind: "put", name, edit: { category: name.slice(0, 3) } })),
  ],
  [
    "an entry that is added as the default",
    ["a", "b"].map((name) => ({ kind: "put", name, edit: { is_default: true } })),
  ],
  [
    "a text that is emptied",
    ["Mine", null].map((description) => ({ kind: "put", name: "a", edit: { description } })),
  ],
  [
    "what is not there",
    (["change", "put"] as const).map((kind) => ({ kind, name: "b", edit: { is_default: true } })),
  ],
  [
    "a default that is not there",
    ["a", "a", "b"].map((name, n) => ({
      kind: n === 0 ? "put" : "change",
      name,
      edit: { is_default: true },
    })),
  ],
  [
    "a favourite",
    ["a", "a", "b"].map((name, n) =>
      n === 0 ? { kind: "put", name, edit: {} } : { kind: "toggle_favorite", name },
    ),
  ],
  [
    "an entry that is removed",
    ["a", "a", "a"].map((name, n) =>
      n === 0 ? { kind: "put", name, edit: {} } : { kind: "remove", name },
    ),
  ],
  [
    "what boxes have",
    [
      { kind: "put", name: "b", edit: { category: "mine" } },
      ...[1, 2].map(() => ({
        kind: "add_found" as const,
        found: ["a:1b", "b:latest"].map((name) => ({ name, installedAtMs: NOW - 5_000 })),
      })),
    ],
  ],
  [
    "a text that no store takes",
    [
      {
        kind: "put",
        name: "a",
        edit: { description: "nul\0 half \ud83d '); --", display_name: '"\\$1' },
      },
    ],
  ],
];

test.each(WRITES)("%s is the same there as in the object", async (_what, writes) => {
  const inTheObject = await onFreshStorage(async (storage) => {
    const local = new LocalRepository(storage);
    const changed = [];
    for (const [n, write] of writes.entries())
      changed.push((await local.write(write, NOW + n)).changed);
    return { changed, models: saidOf(local.all()) };
  });
  await onFreshStorage(async (storage) => {
    const { shared, local } = edgeOn(storage);
    const changed = [];
    for (const [n, write] of writes.entries())
      changed.push((await shared.write(write, NOW + n)).changed);
    const read = await shared.read(NOW);
    expect({ changed, models: saidOf(read.models) }).toEqual(inTheObject);
    expect(read).toMatchObject({ store: "postgres", problem: null });
    // The copy says the same to the number.
    expect(local.all()).toEqual(read.models);
  });
});

test("what an edge had before there was a Postgres moves over once, also when the answer is lost, and what is there stays", async () => {
  await stores.ask.postgres(
    "INSERT INTO model_repository (model_name, description) VALUES ('shared', 'by hand')",
  );
  await onFreshStorage(async (storage) => {
    const local = new LocalRepository(storage);
    for (let n = 0; n < 3; n++) local.countDownload("pulled:1b", NOW + n);
    local.countDownload("shared", NOW);
    await local.write(
      {
        kind: "put",
        name: "chosen",
        edit: { is_default: true, is_favorite: true, description: "nul\0 \ud83d" },
      },
      NOW,
    );
    const before = local.all();
    await faults("postgres", [{ times: 2, drop: "after" }]);
    const { shared, copy } = edgeOn(storage);
    for (let n = 0; n < 4; n++) await shared.keepUp(NOW + n * MINUTE_MS);
    const { models, store } = await shared.read(NOW);
    expect(store).toBe("postgres");
    expect(models).toMatchObject([
      {
        model_name: "chosen",
        is_default: true,
        is_favorite: true,
        created_at_ms: NOW,
        description: "nul\ufffd \ufffd",
      },
      {
        model_name: "pulled:1b",
        download_count: 3,
        category: before[1]?.category,
        installed_at_ms: NOW + 2,
      },
      { model_name: "shared", download_count: 1, description: "by hand", installed_at_ms: NOW },
    ]);
    expect(copy.hasUnsent()).toBe(false);
    expect(local.defaultModel()).toBe("chosen");
  });
});

test("a default that was chosen in Postgres is not taken by an edge that joins", async () => {
  await stores.ask.postgres(
    "INSERT INTO model_repository (model_name, is_default) VALUES ('theirs', true)",
  );
  await onFreshStorage(async (storage) => {
    await new LocalRepository(storage).write(
      { kind: "put", name: "ours", edit: { is_default: true } },
      NOW,
    );
    const { shared, local } = edgeOn(storage);
    expect(local.defaultModel()).toBe("ours");
    await shared.keepUp(NOW);
    expect(defaultsOf(local.all())).toEqual(["theirs"]);
    expect(namesOf(local.all())).toEqual(["ours", "theirs"]);
  });
});

test("pulls are counted once, whatever is lost between them and Postgres, also over a restart", async () => {
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
      // Of the copy, so at once.
      expect(edge.local.all()[0]?.download_count).toBe(round + 1);
    }
    await faults("postgres", []);
    expect(await edge.downloads()).toEqual({ a: 30, "new/model:1b": 10 });
    expect(edge.copy.hasUnsent()).toBe(false);
  });
});

test("a pull that is counted while Postgres is asked is neither lost nor counted twice", async () => {
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

type Edge = ReturnType<typeof edgeOn>;

test("a model that is pulled while it is removed begins anew", async () => {
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

test("two edges share it: what one says the other reads at once, and serves within a minute", async () => {
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
    // It begins anew.
    local.countDownload("model:1b", NOW);
    expect(await downloads()).toEqual({ "model:1b": 1 });
  });
});

test("of edges that choose a default at the same time none fails, and one model is the default", async () => {
  const [a, b] = twoEdges();
  await a(async ({ put }) => void (await Promise.all(["x", "y"].map((name) => put(name)))));
  for (let round = 0; round < 10; round++) {
    const choose = (name: string) => async (edge: Edge) =>
      void (await edge.shared.write({ kind: "change", name, edit: { is_default: true } }, NOW));
    await Promise.all([a(choose("x")), b(choose("y"))]);
    const { models } = await a(({ shared }) => shared.read(NOW));
    expect(defaultsOf(models)).toHaveLength(1);
  }
});

/** Each has an object of its own, and is made anew each time: as after a crash. */
const twoEdges = () =>
  ["a", "b"].map((name) => {
    const object = `${name}-${crypto.randomUUID()}`;
    return <Result>(work: (edge: Edge) => Promise<Result>) =>
      onStorageOf(object, (storage) => work(edgeOn(storage)));
  }) as [OnEdge, OnEdge];
type OnEdge = <Result>(work: (edge: Edge) => Promise<Result>) => Promise<Result>;

test("what a person changes in the table is read, and the table refuses what must not be", async () => {
  await onFreshStorage(async (storage) => {
    const { shared, put, local } = edgeOn(storage);
    await put("a", { is_default: true });
    await stores.ask.postgres(
      "UPDATE model_repository SET description = 'by hand' WHERE model_name = 'a'",
    );
    await stores.ask.postgres(
      "INSERT INTO model_repository (model_name) VALUES ('hf.co/user/b:Q4')",
    );
    expect((await shared.read(NOW)).models).toMatchObject([
      { model_name: "a", description: "by hand" },
      {
        model_name: "hf.co/user/b:Q4",
        category: "general",
        is_favorite: false,
        download_count: 0,
        installed_at_ms: null,
      },
    ]);
    await expect(
      stores.ask.postgres("UPDATE model_repository SET is_default = true"),
    ).rejects.toThrow(/model_repository_default/);
    await expect(
      stores.ask.postgres("INSERT INTO model_repository (model_name) VALUES ('a:latest')"),
    ).rejects.toThrow(/check/);
    await stores.ask.postgres(
      "UPDATE model_repository SET model_name = 'renamed' WHERE model_name = 'a'",
    );
    await shared.read(NOW);
    expect(namesOf(local.all())).toEqual(["hf.co/user/b:Q4", "renamed"]);
    expect(local.defaultModel()).toBe("renamed");
  });
});

test("while Postgres is down what is read says so, a change fails and leaves no trace, and calls have their default", async () => {
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
    // It is asked again, though nothing else may happen.
    expect(shared.dueMs()).toBe(NOW + MINUTE_MS);
    await faults("postgres", []);
    expect((await shared.read(NOW)).models).toMatchObject([
      { model_name: "a", is_default: true, is_favorite: false },
    ]);
    expect([shared.failure, shared.dueMs()]).toEqual([null, null]);
  });
});

test("readers of a store that is slow wait for one answer, and a change is not overtaken by an older one", async () => {
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

test("a store that hangs is waited for no longer than five seconds", async () => {
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

test("an edge that never reached Postgres says so, and goes on trying once a minute", async () => {
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

test("tables that are missing are named, with what to run", async () => {
  const empty = await freshStores(false);
  await onFreshStorage(async (storage) => {
    const { shared } = edgeOn(storage, empty.settings.configured.postgres);
    expect((await shared.read(NOW)).problem).toMatch(/lacks a table: run npm run migrate/);
    await empty.postgres.migrate();
    expect((await shared.read(NOW)).store).toBe("postgres");
  });
});

test("it has a bound, and what is in it can still be changed", async () => {
  await stores.ask.postgres(
    `INSERT INTO model_repository (model_name) SELECT 'm:' || n FROM generate_series(1, ${REPOSITORY_MODELS_MAX - 1}) AS n`,
  );
  await onFreshStorage(async (storage) => {
    const { shared, put } = edgeOn(storage);
    const found = (names: string[]): RepositoryWrite => ({
      kind: "add_found",
      found: names.map((name) => ({ name, installedAtMs: NOW })),
    });
    expect((await shared.write(found(["x", "y"]), NOW)).changed).toBeNull();
    expect((await put("last")).changed).toEqual(["last"]);
    const full = await put("one-more");
    expect([full.changed, full.models.length]).toEqual([null, REPOSITORY_MODELS_MAX]);
    expect((await put("m:1", { description: "still" })).changed).toEqual(["m:1"]);
    expect((await shared.write(found(["m:1", "last"]), NOW)).changed).toEqual([]);
  });
});

test("a copy of what did not change writes no row", async () => {
  await onFreshStorage(async (storage) => {
    const { shared, put } = edgeOn(storage);
    for (const name of ["a", "b", "c"]) await put(name, { description: name });
    storage.sql.exec("CREATE TABLE written (name TEXT)");
    storage.sql.exec(
      "CREATE TRIGGER written AFTER INSERT ON repository BEGIN INSERT INTO written VALUES (NEW.model_name); END",
    );
    await shared.read(NOW);
    await shared.write({ kind: "toggle_favorite", name: "b" }, NOW);
    expect(storage.sql.exec("SELECT name FROM written").toArray()).toEqual([{ name: "b" }]);
  });
});

test("clearing the data leaves it as it is", async () => {
  await onFreshStorage(async (storage) => {
    const { put, downloads, local } = edgeOn(storage);
    await put("a");
    local.countDownload("a", NOW);
    await stores.postgres.clear({ logs: true, metrics: true });
    expect(await downloads()).toEqual({ a: 1 });
  });
});

/**
 * The model repository in Postgres: the same entries and changes as in the object, shared and
 * bounded.
 */
import { expect, test } from "vitest";
import { REPOSITORY_MODELS_MAX } from "../../protocol/api/repository.ts";
import { LocalRepository } from "../../worker/repository/local.ts";
import type { RepositoryWrite } from "../../worker/repository/stored.ts";
import { NOW, stores, useFreshStores } from "./delivered.ts";
import { onFreshStorage } from "./edge.ts";
import { faults } from "./fresh-stores.ts";
import { defaultsOf, edgeOn, namesOf, withoutIds } from "./repository-edge.ts";

const MINUTE_MS = 60_000;

useFreshStores();

const WRITES: [description: string, writes: RepositoryWrite[]][] = [
  [
    "adding an entry",
    [
      {
        kind: "put",
        name: "hf.co/user/model:Q4_K_M",
        edit: { description: "Mine", size_label: "2 GB" },
      },
    ],
  ],
  [
    "adding an entry again",
    ["a", "a:latest"].map((name) => ({ kind: "put", name, edit: { category: name.slice(0, 3) } })),
  ],
  [
    "adding an entry as the default",
    ["a", "b"].map((name) => ({ kind: "put", name, edit: { is_default: true } })),
  ],
  [
    "emptying a text",
    ["Mine", null].map((description) => ({ kind: "put", name: "a", edit: { description } })),
  ],
  [
    "changing a missing entry",
    (["change", "put"] as const).map((kind) => ({ kind, name: "b", edit: { is_default: true } })),
  ],
  [
    "choosing a missing default",
    ["a", "a", "b"].map((name, n) => ({
      kind: n === 0 ? "put" : "change",
      name,
      edit: { is_default: true },
    })),
  ],
  [
    "choosing a favourite",
    ["a", "a", "b"].map((name, n) =>
      n === 0 ? { kind: "put", name, edit: {} } : { kind: "toggle_favorite", name },
    ),
  ],
  [
    "removing an entry",
    ["a", "a", "a"].map((name, n) =>
      n === 0 ? { kind: "put", name, edit: {} } : { kind: "remove", name },
    ),
  ],
  [
    "a synchronisation with the boxes",
    [
      { kind: "put", name: "b", edit: { category: "mine" } },
      ...[1, 2].map(() => ({
        kind: "add_found" as const,
        found: ["a:1b", "b:latest"].map((name) => ({ name, installedAtMs: NOW - 5_000 })),
      })),
    ],
  ],
  [
    "a text with characters that no store accepts",
    [
      {
        kind: "put",
        name: "a",
        edit: { description: "nul\0 half \ud83d '); --", display_name: '"\\$1' },
      },
    ],
  ],
];

test.each(WRITES)(
  "%s has the same effect in Postgres as in the object",
  async (_description, writes) => {
    const inTheObject = await onFreshStorage(async (storage) => {
      const local = new LocalRepository(storage);
      const changed = [];
      for (const [n, write] of writes.entries())
        changed.push((await local.write(write, NOW + n)).changed);
      return { changed, models: withoutIds(local.all()) };
    });
    await onFreshStorage(async (storage) => {
      const { shared, local } = edgeOn(storage);
      const changed = [];
      for (const [n, write] of writes.entries())
        changed.push((await shared.write(write, NOW + n)).changed);
      const read = await shared.read(NOW);
      expect({ changed, models: withoutIds(read.models) }).toEqual(inTheObject);
      expect(read).toMatchObject({ store: "postgres", problem: null });
      // The copy is identical, including the ids.
      expect(local.all()).toEqual(read.models);
    });
  },
);

test("entries from before Postgres was configured move there once, even if the answer is lost, and overwrite nothing", async () => {
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

test("an edge that joins does not replace the default chosen in Postgres", async () => {
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

test("changes that a person makes in the table are read, and the table rejects invalid ones", async () => {
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

test("rejects a new model at the size limit but still updates existing ones", async () => {
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

test("copying an unchanged repository writes no row", async () => {
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

test("clearing the data does not change the repository", async () => {
  await onFreshStorage(async (storage) => {
    const { put, downloads, local } = edgeOn(storage);
    await put("a");
    local.countDownload("a", NOW);
    await stores.postgres.clear({ logs: true, metrics: true });
    expect(await downloads()).toEqual({ a: 1 });
  });
});

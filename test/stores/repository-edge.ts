/** Edges whose model repository is in the Postgres of the current test. */
import { RepositoryCopy } from "../../worker/repository/copy.ts";
import { LocalRepository } from "../../worker/repository/local.ts";
import { PostgresRepository } from "../../worker/repository/postgres.ts";
import { SharedRepository } from "../../worker/repository/shared.ts";
import type { StoredModel } from "../../worker/repository/stored.ts";
import { NOW, stores } from "./delivered.ts";
import { onStorageOf } from "./edge.ts";

export function edgeOn(
  storage: DurableObjectStorage,
  settings = stores.settings.configured.postgres,
) {
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

export const namesOf = (models: readonly StoredModel[]) =>
  models.map(({ model_name }) => model_name);
export const defaultsOf = (models: readonly StoredModel[]) =>
  namesOf(models.filter(({ is_default }) => is_default));

/** The choices that people made, without the ids, which depend on the store. */
export const withoutIds = (models: readonly StoredModel[]) =>
  models.map(({ id: _, ...rest }) => rest);

export type RepositoryEdge = ReturnType<typeof edgeOn>;

/** Makes two edges. Each has its own object and is created again for each use, as after a crash. */
export const twoEdges = () =>
  ["a", "b"].map((name) => {
    const object = `${name}-${crypto.randomUUID()}`;
    return <Result>(work: (edge: RepositoryEdge) => Promise<Result>) =>
      onStorageOf(object, (storage) => work(edgeOn(storage)));
  }) as [OnEdge, OnEdge];
export type OnEdge = <Result>(work: (edge: RepositoryEdge) => Promise<Result>) => Promise<Result>;

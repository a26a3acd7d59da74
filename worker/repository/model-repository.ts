/**
 * The model repository: stored preferences, shown together with what the boxes and the ledger know.
 */
import type {
  RepositoryEntry,
  RepositoryModel,
  RepositoryModels,
  RepositoryQuery,
  RepositorySync,
} from "../../protocol/api/repository.ts";
import type { KeyedCell } from "../counting/cell.ts";
import { shortName } from "../counting/model-key.ts";
import type { FailureReason } from "../errors.ts";
import { StoreError } from "../export/external-store.ts";
import { installedByName } from "../models/installed.ts";
import type { RegisteredBox } from "../registered-box.ts";
import { repositoryAnswer, repositoryModels } from "./shown.ts";
import type {
  ModelEdit,
  Repository,
  RepositoryRead,
  RepositoryWrite,
  StoredModel,
} from "./stored.ts";

/** Current facts from outside the repository. */
export type Known = { boxes: RegisteredBox[]; lifetime: KeyedCell[]; nowMs: number };

/**
 * A result instead of an exception, because an error loses its fields on its way out of an object.
 */
export type RepositoryResult<Answer> = { answer: Answer } | { failure: FailureReason };

export class ModelRepository {
  readonly #repository: Repository;
  readonly #known: () => Known;

  constructor(repository: Repository, known: () => Known) {
    this.#repository = repository;
    this.#known = known;
  }

  async list(query: RepositoryQuery): Promise<RepositoryModels> {
    return this.#listed(await this.#repository.read(this.#known().nowMs), query);
  }

  async find(name: string): Promise<RepositoryResult<RepositoryEntry>> {
    return this.#entry(name, await this.#repository.read(this.#known().nowMs));
  }

  /** Adds the model, or changes its entry. */
  put(name: string, edit: ModelEdit): Promise<RepositoryResult<RepositoryEntry>> {
    return this.#write({ kind: "put", name, edit }, (after) => this.#entry(name, after));
  }

  change(name: string, edit: ModelEdit): Promise<RepositoryResult<RepositoryEntry>> {
    return this.#write({ kind: "change", name, edit }, (after) => this.#entry(name, after));
  }

  toggleFavorite(name: string): Promise<RepositoryResult<RepositoryEntry>> {
    return this.#write({ kind: "toggle_favorite", name }, (after) => this.#entry(name, after));
  }

  /** @returns the removed model's name in the repository */
  remove(name: string): Promise<RepositoryResult<string>> {
    return this.#write({ kind: "remove", name }, ({ changed: [removed] }) =>
      removed === undefined ? unknown(name) : { answer: removed },
    );
  }

  /** Adds the models that the boxes have. */
  sync(): Promise<RepositoryResult<RepositorySync>> {
    const { boxes, nowMs } = this.#known();
    const found = [...installedByName(boxes)].map(([name, { installedAtMs }]) => ({
      name,
      installedAtMs: installedAtMs ?? nowMs,
    }));
    return this.#write({ kind: "add_found", found }, (after) => {
      const { models, installed_count, store, problem } = this.#listed(after, {
        installed_only: true,
      });
      return {
        answer: { status: "synced", installed_count, models, added: after.changed, store, problem },
      };
    });
  }

  async #write<Answer>(
    write: RepositoryWrite,
    answerOf: (after: Written) => RepositoryResult<Answer>,
  ): Promise<RepositoryResult<Answer>> {
    try {
      const { changed, ...after } = await this.#repository.write(write, this.#known().nowMs);
      return changed === null
        ? { failure: { reason: "repository_full" } }
        : answerOf({ ...after, changed });
    } catch (error) {
      if (error instanceof StoreError)
        return { failure: { reason: "repository_unavailable", detail: error.message } };
      throw error;
    }
  }

  #listed({ models, store, problem }: RepositoryRead, query: RepositoryQuery): RepositoryModels {
    return { ...repositoryAnswer(this.#shown(models), query), store, problem };
  }

  #entry(
    name: string,
    { models, store, problem }: RepositoryRead,
  ): RepositoryResult<RepositoryEntry> {
    const [model] = this.#shown(models.filter(({ model_name }) => model_name === shortName(name)));
    return model === undefined ? unknown(name) : { answer: { ...model, store, problem } };
  }

  #shown(stored: readonly StoredModel[]): RepositoryModel[] {
    const { boxes, lifetime } = this.#known();
    return repositoryModels(stored, boxes, lifetime);
  }
}

type Written = RepositoryRead & { changed: string[] };

const unknown = (model: string) => ({
  failure: { reason: "model_unknown" as const, model, where: "in the repository" },
});

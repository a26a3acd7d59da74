/** The model repository: the stored decisions, shown with what is known of the models elsewhere. */
import type { RepositoryModel, RepositoryModels, RepositoryQuery, RepositorySync } from "../../protocol/api/repository.ts";
import type { KeyedCell } from "../counting/cell.ts";
import type { RegisteredBox } from "../registered.ts";
import type { RepositoryStore, SaidOfModel, StoredModel } from "../store/repository.ts";
import { installedByName } from "./installed.ts";
import { repositoryAnswer, repositoryModels } from "./repository.ts";

/** What is known beside the store, at this moment. */
export type Known = { boxes: RegisteredBox[]; lifetime: KeyedCell[]; nowMs: number };

export class ModelRepository {
  readonly #store: RepositoryStore;
  readonly #known: () => Known;

  constructor(store: RepositoryStore, known: () => Known) {
    this.#store = store;
    this.#known = known;
  }

  list(query: RepositoryQuery): RepositoryModels {
    return repositoryAnswer(this.#shown(this.#store.all()), query);
  }

  /** Whether or not a box has it. */
  defaultModel(): string | null {
    return this.#store.defaultModel();
  }

  /** Null when there is no such model. */
  find(name: string): RepositoryModel | null {
    const stored = this.#store.find(name);
    return stored === null ? null : (this.#shown([stored])[0] ?? null);
  }

  /** Adds the model, or changes what is said of it. Null when there is no room for another one. */
  put(name: string, said: SaidOfModel): RepositoryModel | null {
    return this.#store.put(name, said, this.#known().nowMs) ? this.find(name) : null;
  }

  /** Null when there is no such model. */
  change(name: string, said: SaidOfModel): RepositoryModel | null {
    return this.#store.change(name, said, this.#known().nowMs) ? this.find(name) : null;
  }

  /** Null when there is no such model. */
  toggleFavorite(name: string): RepositoryModel | null {
    const stored = this.#store.find(name);
    return stored === null ? null : this.change(name, { is_favorite: !stored.is_favorite });
  }

  /** False when there was no such model. */
  remove(name: string): boolean {
    return this.#store.remove(name);
  }

  /** Adds what the boxes have. Null, and nothing is added, when there is no room for all of it. */
  sync(): RepositorySync | null {
    const { boxes, nowMs } = this.#known();
    const found = [...installedByName(boxes)].map(([name, { installedAtMs }]) => ({ name, installedAtMs: installedAtMs ?? nowMs }));
    const added = this.#store.addFound(found, nowMs);
    if (added === null) return null;
    const { models, installed_count } = this.list({ installed_only: true });
    return { status: "synced", installed_count, models, added };
  }

  #shown(stored: readonly StoredModel[]): RepositoryModel[] {
    const { boxes, lifetime } = this.#known();
    return repositoryModels(stored, boxes, lifetime);
  }
}

/**
 * The model repository in storage: what people decided about models, and how often each was pulled.
 *
 * Nothing that is known elsewhere is stored here: `models/repository.ts` adds it when an entry is shown.
 */
import { z } from "zod";
import { REPOSITORY_MODELS_MAX } from "../../protocol/api/repository.ts";
import { ModelName } from "../../protocol/api/shapes.ts";
import { shortName } from "../counting/model-key.ts";
import { categoryOf } from "../models/catalogue.ts";

const flag = z.literal([0, 1]).transform((value) => value === 1);

const StoredModel = z.object({
  id: z.number(),
  /** Without `:latest`. */
  model_name: z.string(),
  display_name: z.string().nullable(),
  description: z.string().nullable(),
  category: z.string(),
  size_label: z.string().nullable(),
  is_favorite: flag,
  is_default: flag,
  download_count: z.number(),
  installed_at_ms: z.number().nullable(),
  created_at_ms: z.number(),
  updated_at_ms: z.number(),
});
export type StoredModel = z.infer<typeof StoredModel>;

/** What a person may say of a model. What is left out stays as it is. */
export type SaidOfModel = {
  [Field in "display_name" | "description" | "category" | "size_label" | "is_favorite" | "is_default"]?: StoredModel[Field] | undefined;
};

/** A model that boxes have. */
export type FoundModel = { name: string; installedAtMs: number };

const GENERAL = "general";

const Count = z.object({ models: z.number() });
const Name = z.object({ model_name: z.string() });

/** Names are taken with or without `:latest`. */
export class RepositoryStore {
  readonly #storage: DurableObjectStorage;
  readonly #sql: SqlStorage;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
    this.#sql = storage.sql;
  }

  /** In order of name. */
  all(): StoredModel[] {
    return this.#sql
      .exec("SELECT * FROM repository ORDER BY model_name")
      .toArray()
      .map((row) => StoredModel.parse(row));
  }

  find(name: string): StoredModel | null {
    const [row] = this.#sql.exec("SELECT * FROM repository WHERE model_name = ?", shortName(name)).toArray();
    return row === undefined ? null : StoredModel.parse(row);
  }

  defaultModel(): string | null {
    const [row] = this.#sql.exec("SELECT model_name FROM repository WHERE is_default = 1").toArray();
    return row === undefined ? null : Name.parse(row).model_name;
  }

  /** Adds the model, or changes what is said of it. @returns false when it is new and there is no room. */
  put(name: string, said: SaidOfModel, nowMs: number): boolean {
    return this.#storage.transactionSync(() => {
      if (this.find(name) === null) {
        if (this.#room() < 1) return false;
        this.#add(name, GENERAL, nowMs);
      }
      return this.change(name, said, nowMs);
    });
  }

  /** @returns false when there is no such model. */
  change(name: string, said: SaidOfModel, nowMs: number): boolean {
    return this.#storage.transactionSync(() => {
      const before = this.find(name);
      if (before === null) return false;
      const given = Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined));
      const after: StoredModel = { ...before, ...given };
      if (after.is_default) this.#sql.exec("UPDATE repository SET is_default = 0 WHERE is_default = 1 AND id <> ?", after.id);
      this.#sql.exec(
        `UPDATE repository SET display_name = ?, description = ?, category = ?, size_label = ?, is_favorite = ?, is_default = ?,
         updated_at_ms = ? WHERE id = ?`,
        after.display_name,
        after.description,
        after.category,
        after.size_label,
        Number(after.is_favorite),
        Number(after.is_default),
        nowMs,
        after.id,
      );
      return true;
    });
  }

  /** @returns false when there was no such model. */
  remove(name: string): boolean {
    return this.#sql.exec("DELETE FROM repository WHERE model_name = ? RETURNING id", shortName(name)).toArray().length > 0;
  }

  /**
   * Adds the models that are not there yet.
   * @returns their names; null, and none is added, when there is no room for all.
   */
  addFound(found: readonly FoundModel[], nowMs: number): string[] | null {
    return this.#storage.transactionSync(() => {
      const fresh = found.filter(({ name }) => this.find(name) === null);
      if (fresh.length > this.#room()) return null;
      for (const { name } of fresh) this.#add(name, categoryOf(name), nowMs);
      for (const { name, installedAtMs } of found) {
        const sql = "UPDATE repository SET installed_at_ms = ? WHERE model_name = ? AND installed_at_ms IS NULL";
        this.#sql.exec(sql, installedAtMs, shortName(name));
      }
      return fresh.map(({ name }) => shortName(name));
    });
  }

  /** Counts a pull that succeeded; the model joins the repository with it, while there is room. */
  countDownload(name: string, atMs: number): void {
    if (!ModelName.safeParse(name).success) return;
    if (this.find(name) === null) {
      if (this.#room() < 1) return;
      this.#add(name, categoryOf(name), atMs);
    }
    this.#sql.exec(
      "UPDATE repository SET download_count = download_count + 1, installed_at_ms = max(coalesce(installed_at_ms, 0), ?) WHERE model_name = ?",
      atMs,
      shortName(name),
    );
  }

  #add(name: string, category: string, nowMs: number): void {
    this.#sql.exec(
      "INSERT INTO repository (model_name, category, created_at_ms, updated_at_ms) VALUES (?, ?, ?, ?)",
      shortName(name),
      category,
      nowMs,
      nowMs,
    );
  }

  #room(): number {
    return REPOSITORY_MODELS_MAX - Count.parse(this.#sql.exec("SELECT count(*) AS models FROM repository").one()).models;
  }
}

/**
 * The model repository in the object's own storage.
 *
 * Without Postgres this is the repository itself. With Postgres it is the last known copy (see
 * `copy.ts`): it serves the calls, and pulls are counted in it first.
 */
import * as z from "zod";
import { REPOSITORY_MODELS_MAX } from "../../protocol/api/repository.ts";
import { ModelName } from "../../protocol/api/shapes.ts";
import { shortName } from "../counting/model-key.ts";
import { categoryOf } from "../models/catalogue.ts";
import {
  editOf,
  type FoundModel,
  type ModelEdit,
  type Repository,
  type RepositoryRead,
  type RepositoryWrite,
  type RepositoryWritten,
  StoredModel,
} from "./stored.ts";

const flag = z.literal([0, 1]).transform((value) => value === 1);

/** An entry with the downloads that this edge counted. */
export const EdgeModel = StoredModel.extend({ own_downloads: z.number() });
export type EdgeModel = z.infer<typeof EdgeModel>;

/**
 * `is_unsent` marks an entry that Postgres, if configured, may lack or whose downloads it may lack.
 */
const Row = EdgeModel.extend({ is_favorite: flag, is_default: flag, is_unsent: flag });
export type RepositoryRow = z.infer<typeof Row>;

export const REPOSITORY_COLUMNS = Object.keys(Row.shape) as (keyof RepositoryRow)[];

/** Returns the rows in order of name. */
export const repositoryRows = (sql: SqlStorage): RepositoryRow[] =>
  Array.from(sql.exec("SELECT * FROM repository ORDER BY model_name"), (row) => Row.parse(row));

const GENERAL = "general";

const Count = z.object({ models: z.number() });
const Name = z.object({ model_name: z.string() });

export class LocalRepository implements Repository {
  readonly #storage: DurableObjectStorage;
  readonly #sql: SqlStorage;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
    this.#sql = storage.sql;
  }

  async read(): Promise<RepositoryRead> {
    return { store: "durable_object", problem: null, models: this.all() };
  }

  async write(write: RepositoryWrite, nowMs: number): Promise<RepositoryWritten> {
    const changed = this.#storage.transactionSync(() => this.#write(write, nowMs));
    return { store: "durable_object", problem: null, models: this.all(), changed };
  }

  /** Returns the models in order of name. */
  all(): StoredModel[] {
    return repositoryRows(this.#sql).map(({ own_downloads: _, is_unsent: __, ...model }) => model);
  }

  defaultModel(): string | null {
    const [row] = this.#sql
      .exec("SELECT model_name FROM repository WHERE is_default = 1")
      .toArray();
    return row === undefined ? null : Name.parse(row).model_name;
  }

  /**
   * Counts a successful pull, within the transaction of its record. Also adds the model to the
   * repository if there is room.
   */
  countDownload(name: string, atMs: number): void {
    if (!ModelName.safeParse(name).success) return;
    if (this.#find(name) === null) {
      if (this.#room() < 1) return;
      this.#add(name, categoryOf(name), atMs);
    }
    this.#sql.exec(
      `UPDATE repository SET download_count = download_count + 1, own_downloads = own_downloads + 1, is_unsent = 1,
       installed_at_ms = max(coalesce(installed_at_ms, 0), ?) WHERE model_name = ?`,
      atMs,
      shortName(name),
    );
  }

  #write(write: RepositoryWrite, nowMs: number): string[] | null {
    switch (write.kind) {
      case "put":
        if (this.#find(write.name) === null) {
          if (this.#room() < 1) return null;
          this.#add(write.name, GENERAL, nowMs);
        }
        return this.#change(write.name, write.edit, nowMs);
      case "change":
        return this.#change(write.name, write.edit, nowMs);
      case "toggle_favorite":
        return this.#change(
          write.name,
          { is_favorite: this.#find(write.name)?.is_favorite !== true },
          nowMs,
        );
      case "remove":
        return this.#names(
          "DELETE FROM repository WHERE model_name = ? RETURNING model_name",
          shortName(write.name),
        );
      case "add_found":
        return this.#addFound(write.found, nowMs);
    }
  }

  #change(name: string, edit: ModelEdit, nowMs: number): string[] {
    const before = this.#find(name);
    if (before === null) return [];
    const after = { ...before, ...editOf(edit) };
    if (after.is_default)
      this.#sql.exec(
        "UPDATE repository SET is_default = 0 WHERE is_default = 1 AND id <> ?",
        after.id,
      );
    return this.#names(
      `UPDATE repository SET display_name = ?, description = ?, category = ?, size_label = ?, is_favorite = ?,
       is_default = ?, updated_at_ms = ? WHERE id = ? RETURNING model_name`,
      after.display_name,
      after.description,
      after.category,
      after.size_label,
      Number(after.is_favorite),
      Number(after.is_default),
      nowMs,
      after.id,
    );
  }

  #addFound(found: readonly FoundModel[], nowMs: number): string[] | null {
    const fresh = found.filter(({ name }) => this.#find(name) === null);
    if (fresh.length > this.#room()) return null;
    for (const { name } of fresh) this.#add(name, categoryOf(name), nowMs);
    for (const { name, installedAtMs } of found) {
      const sql =
        "UPDATE repository SET installed_at_ms = ? WHERE model_name = ? AND installed_at_ms IS NULL";
      this.#sql.exec(sql, installedAtMs, shortName(name));
    }
    return fresh.map(({ name }) => shortName(name));
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

  #find(name: string): RepositoryRow | null {
    const [row] = this.#sql
      .exec("SELECT * FROM repository WHERE model_name = ?", shortName(name))
      .toArray();
    return row === undefined ? null : Row.parse(row);
  }

  #names(sql: string, ...values: (string | number | null)[]): string[] {
    return this.#sql
      .exec(sql, ...values)
      .toArray()
      .map((row) => Name.parse(row).model_name);
  }

  #room(): number {
    return (
      REPOSITORY_MODELS_MAX -
      Count.parse(this.#sql.exec("SELECT count(*) AS models FROM repository").one()).models
    );
  }
}

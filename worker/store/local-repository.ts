/**
 * The model repository in the object's own storage.
 *
 * The repository itself where there is no Postgres. Where there is, the last known copy of the one
 * there: what calls are served by, and what pulls are counted in first, whether or not Postgres is up.
 */
import { z } from "zod";
import { REPOSITORY_MODELS_MAX } from "../../protocol/api/repository.ts";
import { ModelName } from "../../protocol/api/shapes.ts";
import { shortName } from "../counting/model-key.ts";
import { categoryOf } from "../models/catalogue.ts";
import {
  type FoundModel,
  givenOf,
  type Repository,
  type RepositoryRead,
  type RepositoryWrite,
  type RepositoryWritten,
  type SaidOfModel,
  StoredModel,
} from "../models/stored-repository.ts";

const flag = z.literal([0, 1]).transform((value) => value === 1);

/** An entry, and how many of its downloads this edge counted. */
export const EdgeModel = StoredModel.extend({ own_downloads: z.number() });
export type EdgeModel = z.infer<typeof EdgeModel>;

const Row = EdgeModel.extend({ is_favorite: flag, is_default: flag, is_unsent: flag });
type Row = z.infer<typeof Row>;

const COLUMNS = Object.keys(Row.shape) as (keyof Row)[];

const GENERAL = "general";

const Count = z.object({ models: z.number() });
const Name = z.object({ model_name: z.string() });
const Copy = z.object({ edge: z.uuid(), copied_at_ms: z.number().nullable() });

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

  /** In order of name. */
  all(): StoredModel[] {
    return this.#rows().map(({ is_unsent: _, ...model }) => storedOf(model));
  }

  defaultModel(): string | null {
    const [row] = this.#sql.exec("SELECT model_name FROM repository WHERE is_default = 1").toArray();
    return row === undefined ? null : Name.parse(row).model_name;
  }

  /** Counts a pull that succeeded; the model joins the repository with it, while there is room. Within the transaction of its record. */
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

  /** The name of this edge among those that share a Postgres: made once. */
  edge(): string {
    this.#sql.exec("INSERT OR IGNORE INTO repository_copy (id, edge) VALUES (1, ?)", crypto.randomUUID());
    return Copy.parse(this.#sql.exec("SELECT edge, copied_at_ms FROM repository_copy").one()).edge;
  }

  /** When {@link copy} was called last, unix ms; null when it never was. */
  copiedAtMs(): number | null {
    const [row] = this.#sql.exec("SELECT edge, copied_at_ms FROM repository_copy").toArray();
    return row === undefined ? null : Copy.parse(row).copied_at_ms;
  }

  hasUnsent(): boolean {
    return this.#sql.exec("SELECT 1 FROM repository WHERE is_unsent = 1 LIMIT 1").toArray().length > 0;
  }

  /** What Postgres has yet to hear of: entries that it may not have, and pulls. */
  unsent(): EdgeModel[] {
    return this.#rows()
      .filter(({ is_unsent }) => is_unsent)
      .map(({ is_unsent: _, ...model }) => model);
  }

  /**
   * Becomes a copy of what Postgres has. Rows are billed, so only those that differ are written.
   * @param sent  what was {@link unsent} when Postgres was told: what was counted since then stays to be sent
   */
  copy(models: readonly EdgeModel[], sent: readonly EdgeModel[], nowMs: number): void {
    const edge = this.edge();
    this.#storage.transactionSync(() => {
      const before = new Map(this.#rows().map((row) => [row.model_name, row]));
      const after = models.map((model) => withPulls(model, before.get(model.model_name)));
      const names = new Set(models.map(({ model_name }) => model_name));
      const ids = new Set(models.map(({ id }) => id));
      const sentOf = new Map(sent.map(({ model_name, own_downloads }) => [model_name, own_downloads]));
      const isMissing = (row: Row) => !names.has(row.model_name) && row.is_unsent && row.own_downloads > (sentOf.get(row.model_name) ?? 0);
      const pulledMeanwhile = [...before.values()].filter(isMissing).map((row) => ({ ...row, id: ids.has(row.id) ? null : row.id }));
      const next = [...after, ...pulledMeanwhile];
      const isThere = (row: (typeof next)[number]) => {
        const known = before.get(row.model_name);
        return known !== undefined && COLUMNS.every((column) => known[column] === row[column]);
      };
      const same = new Set(next.filter(isThere).map(({ model_name }) => model_name));
      // All that goes, first: neither a default nor an id may be there twice.
      for (const name of before.keys()) if (!same.has(name)) this.#sql.exec("DELETE FROM repository WHERE model_name = ?", name);
      for (const row of next) if (!same.has(row.model_name)) this.#insert(row);
      this.#sql.exec("UPDATE repository_copy SET edge = ?, copied_at_ms = ?", edge, nowMs);
    });
  }

  #write(write: RepositoryWrite, nowMs: number): string[] | null {
    switch (write.kind) {
      case "put":
        if (this.#find(write.name) === null) {
          if (this.#room() < 1) return null;
          this.#add(write.name, GENERAL, nowMs);
        }
        return this.#change(write.name, write.said, nowMs);
      case "change":
        return this.#change(write.name, write.said, nowMs);
      case "toggle_favorite":
        return this.#change(write.name, { is_favorite: this.#find(write.name)?.is_favorite !== true }, nowMs);
      case "remove":
        return this.#names("DELETE FROM repository WHERE model_name = ? RETURNING model_name", shortName(write.name));
      case "add_found":
        return this.#addFound(write.found, nowMs);
    }
  }

  #change(name: string, said: SaidOfModel, nowMs: number): string[] {
    const before = this.#find(name);
    if (before === null) return [];
    const after = { ...before, ...givenOf(said) };
    if (after.is_default) this.#sql.exec("UPDATE repository SET is_default = 0 WHERE is_default = 1 AND id <> ?", after.id);
    return this.#names(
      `UPDATE repository SET display_name = ?, description = ?, category = ?, size_label = ?, is_favorite = ?, is_default = ?,
       updated_at_ms = ? WHERE id = ? RETURNING model_name`,
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
      const sql = "UPDATE repository SET installed_at_ms = ? WHERE model_name = ? AND installed_at_ms IS NULL";
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

  #insert(row: Omit<Row, "id"> & { id: number | null }): void {
    const values = COLUMNS.map((column) => {
      const value = row[column];
      return typeof value === "boolean" ? Number(value) : value;
    });
    this.#sql.exec(`INSERT INTO repository (${COLUMNS.join(", ")}) VALUES (?${", ?".repeat(COLUMNS.length - 1)})`, ...values);
  }

  #rows(): Row[] {
    return this.#sql
      .exec("SELECT * FROM repository ORDER BY model_name")
      .toArray()
      .map((row) => Row.parse(row));
  }

  #find(name: string): Row | null {
    const [row] = this.#sql.exec("SELECT * FROM repository WHERE model_name = ?", shortName(name)).toArray();
    return row === undefined ? null : Row.parse(row);
  }

  #names(sql: string, ...values: (string | number | null)[]): string[] {
    return this.#sql
      .exec(sql, ...values)
      .toArray()
      .map((row) => Name.parse(row).model_name);
  }

  #room(): number {
    return REPOSITORY_MODELS_MAX - Count.parse(this.#sql.exec("SELECT count(*) AS models FROM repository").one()).models;
  }
}

export const storedOf = ({ own_downloads: _, ...model }: EdgeModel): StoredModel => model;

/** An entry of Postgres with the pulls that were counted here while Postgres was told of those before. */
function withPulls(model: EdgeModel, here: Row | undefined): Row {
  const more = here?.is_unsent ? Math.max(0, here.own_downloads - model.own_downloads) : 0;
  if (here === undefined || more === 0) return { ...model, is_unsent: false };
  return {
    ...model,
    download_count: model.download_count + more,
    own_downloads: model.own_downloads + more,
    installed_at_ms: Math.max(model.installed_at_ms ?? 0, here.installed_at_ms ?? 0),
    is_unsent: true,
  };
}

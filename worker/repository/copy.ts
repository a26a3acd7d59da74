/**
 * The model repository in the object's storage as a copy of the one in Postgres.
 *
 * What Postgres has yet to hear of is marked as such: entries from before there was a Postgres, and
 * pulls, which are counted here first. Of these an edge tells how many it has counted in all, so
 * that telling it twice does no harm.
 */
import { z } from "zod";
import { type EdgeModel, REPOSITORY_COLUMNS, type RepositoryRow, repositoryRows } from "./local.ts";
import type { StoredModel } from "./stored.ts";

const Copy = z.object({ edge: z.uuid(), copied_at_ms: z.number().nullable() });

export class RepositoryCopy {
  readonly #storage: DurableObjectStorage;
  readonly #sql: SqlStorage;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
    this.#sql = storage.sql;
  }

  /** In order of name. */
  models(): StoredModel[] {
    return repositoryRows(this.#sql).map(({ is_unsent: _, ...model }) => storedOf(model));
  }

  /** The name of this edge among those that share a Postgres: made once. */
  edge(): string {
    this.#sql.exec(
      "INSERT OR IGNORE INTO repository_copy (id, edge) VALUES (1, ?)",
      crypto.randomUUID(),
    );
    return Copy.parse(this.#sql.exec("SELECT edge, copied_at_ms FROM repository_copy").one()).edge;
  }

  /** When it was {@link replace}d last, unix ms; null when it never was. */
  copiedAtMs(): number | null {
    const [row] = this.#sql.exec("SELECT edge, copied_at_ms FROM repository_copy").toArray();
    return row === undefined ? null : Copy.parse(row).copied_at_ms;
  }

  hasUnsent(): boolean {
    return (
      this.#sql.exec("SELECT 1 FROM repository WHERE is_unsent = 1 LIMIT 1").toArray().length > 0
    );
  }

  /** What Postgres has yet to hear of: entries that it may not have, and pulls. */
  unsent(): EdgeModel[] {
    return repositoryRows(this.#sql)
      .filter(({ is_unsent }) => is_unsent)
      .map(({ is_unsent: _, ...model }) => model);
  }

  /**
   * Becomes what Postgres has. Rows are billed, so only those that differ are written.
   * @param sent  what was {@link unsent} when Postgres was told: what was counted since then stays to be sent
   */
  replace(models: readonly EdgeModel[], sent: readonly EdgeModel[], nowMs: number): void {
    this.edge();
    this.#storage.transactionSync(() => {
      const before = new Map(repositoryRows(this.#sql).map((row) => [row.model_name, row]));
      const after = models.map((model) => withPulls(model, before.get(model.model_name)));
      const names = new Set(models.map(({ model_name }) => model_name));
      const ids = new Set(models.map(({ id }) => id));
      const sentOf = new Map(
        sent.map(({ model_name, own_downloads }) => [model_name, own_downloads]),
      );
      const pulledMeanwhile = [...before.values()].flatMap((row) => {
        const pulls =
          row.is_unsent && !names.has(row.model_name)
            ? row.own_downloads - (sentOf.get(row.model_name) ?? 0)
            : 0;
        return pulls > 0
          ? [
              {
                ...row,
                id: ids.has(row.id) ? null : row.id,
                own_downloads: pulls,
                download_count: pulls,
              },
            ]
          : [];
      });
      const next = [...after, ...pulledMeanwhile];
      const isThere = (row: (typeof next)[number]) => {
        const known = before.get(row.model_name);
        return (
          known !== undefined && REPOSITORY_COLUMNS.every((column) => known[column] === row[column])
        );
      };
      const same = new Set(next.filter(isThere).map(({ model_name }) => model_name));
      // All that goes, first: neither a default nor an id may be there twice.
      for (const name of before.keys())
        if (!same.has(name)) this.#sql.exec("DELETE FROM repository WHERE model_name = ?", name);
      for (const row of next) if (!same.has(row.model_name)) this.#insert(row);
      this.#sql.exec("UPDATE repository_copy SET copied_at_ms = ?", nowMs);
    });
  }

  #insert(row: Omit<RepositoryRow, "id"> & { id: number | null }): void {
    const values = REPOSITORY_COLUMNS.map((column) => {
      const value = row[column];
      return typeof value === "boolean" ? Number(value) : value;
    });
    this.#sql.exec(
      `INSERT INTO repository (${REPOSITORY_COLUMNS.join(", ")}) VALUES (?${", ?".repeat(REPOSITORY_COLUMNS.length - 1)})`,
      ...values,
    );
  }
}

export const storedOf = ({ own_downloads: _, ...model }: EdgeModel): StoredModel => model;

/** An entry of Postgres with the pulls that were counted here while Postgres was told of those before. */
function withPulls(model: EdgeModel, here: RepositoryRow | undefined): RepositoryRow {
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

/**
 * The copy of the Postgres model repository in the object's own storage.
 *
 * Rows that Postgres has not received yet are marked as unsent: entries from before Postgres was
 * configured, and pulls, which are counted here first. An edge sends its total count of pulls, so
 * that sending it twice does no harm.
 */
import * as z from "zod";
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

  /** Returns the models in order of name. */
  models(): StoredModel[] {
    return repositoryRows(this.#sql).map(({ is_unsent: _, ...model }) => storedOf(model));
  }

  /** Returns this edge's id among those that share a Postgres. Created once. */
  edge(): string {
    this.#sql.exec(
      "INSERT OR IGNORE INTO repository_copy (id, edge) VALUES (1, ?)",
      crypto.randomUUID(),
    );
    return Copy.parse(this.#sql.exec("SELECT edge, copied_at_ms FROM repository_copy").one()).edge;
  }

  /** Returns when the copy was last {@link replace}d, unix ms; null if never. */
  copiedAtMs(): number | null {
    const [row] = this.#sql.exec("SELECT edge, copied_at_ms FROM repository_copy").toArray();
    return row === undefined ? null : Copy.parse(row).copied_at_ms;
  }

  hasUnsent(): boolean {
    return (
      this.#sql.exec("SELECT 1 FROM repository WHERE is_unsent = 1 LIMIT 1").toArray().length > 0
    );
  }

  /** Returns the entries and pull counts that Postgres may not have. */
  unsent(): EdgeModel[] {
    return repositoryRows(this.#sql)
      .filter(({ is_unsent }) => is_unsent)
      .map(({ is_unsent: _, ...model }) => model);
  }

  /**
   * Makes the copy equal to Postgres. Row writes are billed, so only rows that differ are written.
   * @param sent  the {@link unsent} entries that Postgres received; pulls counted since then stay unsent
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
      // Deletes come first, because a default or an id must not exist twice.
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
      `INSERT INTO repository (${REPOSITORY_COLUMNS.join(", ")})
       VALUES (${REPOSITORY_COLUMNS.map(() => "?").join(", ")})`,
      ...values,
    );
  }
}

export const storedOf = ({ own_downloads: _, ...model }: EdgeModel): StoredModel => model;

/** Adds the pulls that were counted here while the earlier ones were sent to Postgres. */
function withPulls(model: EdgeModel, here: RepositoryRow | undefined): RepositoryRow {
  const added = here?.is_unsent ? Math.max(0, here.own_downloads - model.own_downloads) : 0;
  if (here === undefined || added === 0) return { ...model, is_unsent: false };
  return {
    ...model,
    download_count: model.download_count + added,
    own_downloads: model.own_downloads + added,
    installed_at_ms: Math.max(model.installed_at_ms ?? 0, here.installed_at_ms ?? 0),
    is_unsent: true,
  };
}

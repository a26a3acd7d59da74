/**
 * The model repository in Postgres: one table of entries that several edges, and people with `psql`,
 * may share, and one table with the pulls that each edge counted.
 *
 * Each exchange is one transaction: it sends what is unsent, makes a change, and reads all entries
 * afterwards. Writers lock each other out, so that at most one model becomes the default and the
 * limit holds. Sending twice is safe: an edge sends its total count of pulls, not an increment, and
 * an entry that already exists stays unchanged.
 */
import * as z from "zod";
import { REPOSITORY_MODELS_MAX } from "../../protocol/api/repository.ts";
import { shortName } from "../counting/model-key.ts";
import { jsonRow, PostgresClient, rowsOf, type Statement } from "../export/postgres/client.ts";
import type { PostgresSettings } from "../export/postgres/settings.ts";
import { wellFormed } from "../export/rows.ts";
import { categoryOf } from "../models/catalogue.ts";
import { EdgeModel } from "./local.ts";
import { editOf, type FoundModel, type ModelEdit, type RepositoryWrite } from "./stored.ts";

export type RepositoryExchange = {
  /** The id of the edge among those that share the tables. */
  edge: string;
  unsent: readonly EdgeModel[];
  /** Null: only reads. */
  write: RepositoryWrite | null;
  nowMs: number;
  signal: AbortSignal;
};
export type RepositoryExchanged = { models: EdgeModel[]; changed: string[] | null };

export class PostgresRepository {
  readonly #client: PostgresClient;

  constructor(settings: PostgresSettings) {
    this.#client = new PostgresClient(settings);
  }

  /**
   * Runs one exchange. Unsent entries may be sent again, whether or not they arrived before.
   * @throws {StoreError}
   */
  async exchange({
    edge,
    unsent,
    write,
    nowMs,
    signal,
  }: RepositoryExchange): Promise<RepositoryExchanged> {
    const sending = unsent.length === 0 ? [] : sendingOf(unsent, edge);
    const changes = write === null ? [] : writing(write, nowMs);
    const lock = sending.length + changes.length === 0 ? [] : [LOCK];
    const results = await this.#client.transaction(
      [...lock, ...sending, ...changes, { sql: ALL, parameters: [edge] }],
      signal,
    );
    const models = rowsOf(jsonRow(EdgeModel), results.at(-1));
    if (write === null) return { models, changed: [] };
    const changed = rowsOf(Changed, results.at(-2)).map(({ model_name }) => model_name);
    return { models, changed: hadRoom(write, changed, models) ? changed : null };
  }
}

const Changed = z.object({ model_name: z.string() });

/** Held until the transaction ends. */
const LOCK: Statement = {
  sql: "SELECT pg_advisory_xact_lock(hashtext('model_repository'))",
  parameters: [],
};

const msOf = (column: string): string => `round(extract(epoch FROM ${column}) * 1000)`;

const ALL = `SELECT to_json(entry) AS json FROM (
    SELECT id, model_name, display_name, description, category, size_label, is_favorite, is_default,
      coalesce((SELECT sum(downloads) FROM model_downloads AS d
        WHERE d.model_name = m.model_name), 0) AS download_count,
      coalesce((SELECT downloads FROM model_downloads AS d
        WHERE d.model_name = m.model_name AND edge = $1::uuid), 0) AS own_downloads,
      ${msOf("installed_at")} AS installed_at_ms, ${msOf("created_at")} AS created_at_ms,
      ${msOf("updated_at")} AS updated_at_ms
    FROM model_repository AS m
  ) AS entry ORDER BY entry.model_name COLLATE "C"`;

const SENT = `json_to_recordset($1::json) AS sent (model_name text, display_name text, description text,
    category text, size_label text, is_favorite boolean, is_default boolean, own_downloads bigint,
    installed_at timestamptz, created_at timestamptz, updated_at timestamptz)`;

/**
 * An entry that Postgres already has stays unchanged, except for its pulls and its last
 * installation.
 */
function sendingOf(unsent: readonly EdgeModel[], edge: string): Statement[] {
  const sent = JSON.stringify(
    unsent.map(
      ({
        display_name,
        description,
        category,
        size_label,
        installed_at_ms,
        created_at_ms,
        updated_at_ms,
        ...rest
      }) => ({
        ...rest,
        display_name: textOf(display_name),
        description: textOf(description),
        category: textOf(category),
        size_label: textOf(size_label),
        installed_at: installed_at_ms === null ? null : timeOf(installed_at_ms),
        created_at: timeOf(created_at_ms),
        updated_at: timeOf(updated_at_ms),
      }),
    ),
  );
  const entries = `INSERT INTO model_repository
      (model_name, display_name, description, category, size_label, is_favorite, is_default, installed_at,
       created_at, updated_at)
    SELECT model_name, display_name, description, category, size_label, is_favorite,
      is_default AND NOT EXISTS (SELECT FROM model_repository WHERE is_default), installed_at, created_at, updated_at
    FROM ${SENT}
    ON CONFLICT (model_name) DO UPDATE
    SET installed_at = greatest(model_repository.installed_at, excluded.installed_at)`;
  const pulls = `INSERT INTO model_downloads (model_name, edge, downloads)
    SELECT model_name, $2::uuid, own_downloads FROM ${SENT} WHERE own_downloads > 0
    ON CONFLICT (model_name, edge) DO UPDATE
    SET downloads = greatest(model_downloads.downloads, excluded.downloads)`;
  return [
    { sql: entries, parameters: [sent] },
    { sql: pulls, parameters: [sent, edge] },
  ];
}

/** Returns the statements of a change. The last one returns the names of the changed models. */
function writing(write: RepositoryWrite, nowMs: number): Statement[] {
  if (write.kind === "add_found") return addingFound(write.found, nowMs);
  const name = shortName(write.name);
  switch (write.kind) {
    case "put":
      return [adding(name, nowMs), ...changing(name, write.edit, nowMs)];
    case "change":
      return changing(name, write.edit, nowMs);
    case "toggle_favorite": {
      const sql =
        "UPDATE model_repository SET is_favorite = NOT is_favorite, updated_at = $2 " +
        "WHERE model_name = $1 RETURNING model_name";
      return [{ sql, parameters: [name, timeOf(nowMs)] }];
    }
    case "remove":
      return [
        {
          sql: "DELETE FROM model_repository WHERE model_name = $1 RETURNING model_name",
          parameters: [name],
        },
      ];
  }
}

const adding = (name: string, nowMs: number): Statement => ({
  sql: `INSERT INTO model_repository (model_name, created_at, updated_at)
    SELECT $1::text, $2::timestamptz, $2::timestamptz
    WHERE (SELECT count(*) FROM model_repository) < ${REPOSITORY_MODELS_MAX} ON CONFLICT (model_name) DO NOTHING`,
  parameters: [name, timeOf(nowMs)],
});

const TYPES = {
  display_name: "text",
  description: "text",
  category: "text",
  size_label: "text",
  is_favorite: "boolean",
  is_default: "boolean",
} satisfies Record<keyof ModelEdit, string>;

function changing(name: string, edit: ModelEdit, nowMs: number): Statement[] {
  const given = editOf(edit);
  const fields = (Object.keys(TYPES) as (keyof ModelEdit)[]).filter(
    (field) => given[field] !== undefined,
  );
  const set = fields.map((field, index) => `, ${field} = $${index + 3}::${TYPES[field]}`).join("");
  const noOther = `UPDATE model_repository SET is_default = false WHERE is_default AND model_name <> $1
    AND EXISTS (SELECT FROM model_repository WHERE model_name = $1)`;
  return [
    ...(edit.is_default === true ? [{ sql: noOther, parameters: [name] }] : []),
    {
      sql: `UPDATE model_repository SET updated_at = $2::timestamptz${set}
        WHERE model_name = $1 RETURNING model_name`,
      parameters: [name, timeOf(nowMs), ...fields.map((field) => given[field])],
    },
  ];
}

function addingFound(found: readonly FoundModel[], nowMs: number): Statement[] {
  const given = JSON.stringify(
    found.map(({ name, installedAtMs }) => ({
      model_name: shortName(name),
      category: categoryOf(name),
      installed_at: timeOf(installedAtMs),
    })),
  );
  const FOUND =
    "json_to_recordset($1::json) AS found (model_name text, category text, installed_at timestamptz)";
  const installed = `UPDATE model_repository AS m SET installed_at = found.installed_at FROM ${FOUND}
    WHERE m.model_name = found.model_name AND m.installed_at IS NULL`;
  const added = `WITH fresh AS (SELECT * FROM ${FOUND}
      WHERE NOT EXISTS (SELECT FROM model_repository AS m WHERE m.model_name = found.model_name))
    INSERT INTO model_repository (model_name, category, installed_at, created_at, updated_at)
    SELECT model_name, category, installed_at, $2::timestamptz, $2::timestamptz FROM fresh
    WHERE (SELECT count(*) FROM model_repository) + (SELECT count(*) FROM fresh) <= ${REPOSITORY_MODELS_MAX}
    RETURNING model_name`;
  return [
    { sql: installed, parameters: [given] },
    { sql: added, parameters: [given, timeOf(nowMs)] },
  ];
}

/**
 * Returns whether a write had room. Only additions need it: without room their models are missing.
 */
function hadRoom(
  write: RepositoryWrite,
  changed: readonly string[],
  models: readonly EdgeModel[],
): boolean {
  if (write.kind === "put") return changed.length > 0;
  if (write.kind !== "add_found") return true;
  const names = new Set(models.map(({ model_name }) => model_name));
  return write.found.every(({ name }) => names.has(shortName(name)));
}

const textOf = (text: string | null): string | null => (text === null ? null : wellFormed(text));
const timeOf = (ms: number): string => new Date(ms).toISOString();

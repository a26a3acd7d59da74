/**
 * Postgres as an external store, over HTTP as Neon serves it.
 *
 * A batch is one statement, so it is stored completely or not at all. The key of each row contains
 * the request id. A row that is sent again conflicts and changes nothing, and only new rows are
 * added to the sums.
 */
import * as z from "zod";
import { LogEntry, type Logs } from "../../../protocol/api/logs.ts";
import type { HistoryPoint } from "../../../protocol/api/stats.ts";
import { endpointsOf } from "../../../protocol/call-kind.ts";
import { GPU_HISTORY, LOG_COLUMNS, SYSTEM_HISTORY } from "../../../protocol/columns.ts";
import { endOf, type Span } from "../../answers/history.ts";
import { spellingsOf } from "../../counting/model-key.ts";
import type { StoreRetention } from "../../retention.ts";
import { pointsOf } from "../buckets.ts";
import { erasedMessages, StoredFailure } from "../erased-messages.ts";
import type { ExternalStore, HistoryFilter, LogFilter } from "../external-store.ts";
import { pageOf } from "../logs-page.ts";
import type { AnyRow } from "../rows.ts";
import {
  combinedColumns,
  GpuMean,
  type MeanSamples,
  meanSamples,
  SystemMean,
} from "../sample-means.ts";
import { checkTables, renamed } from "../schema.ts";
import type { Batch, ClearedRows, Clearing } from "../sink.ts";
import { jsonRow, PostgresClient, rowsOf } from "./client.ts";
import { addMinutesOf, KEY_BY_BUCKET, MINUTES_BY_BUCKET, MinuteBucket, SUMMED } from "./minutes.ts";
import { POSTGRES_MIGRATION, POSTGRES_NAMES, POSTGRES_TABLES } from "./schema.ts";
import type { PostgresSettings } from "./settings.ts";

/** Rows that one retention statement deletes. It ends soon and runs again. */
const DELETE_ROWS_MAX = 20_000;

const Column = z.object({ table: z.string(), name: z.string(), type: z.string() });
const Rows = z.object({ rows: z.number() });

function insertInto(table: string): string {
  const columns = POSTGRES_TABLES.find(({ name }) => name === table)?.columns ?? [];
  const names = columns.map(([name]) => name).join(", ");
  const typed = columns.map(([name, type]) => `${name} ${type}`).join(", ");
  return `INSERT INTO ${table} (${names})
  SELECT ${names} FROM json_to_recordset($1::json) AS given (${typed}) ON CONFLICT DO NOTHING`;
}
const INSERTS = {
  requests: `WITH fresh AS (${insertInto("request_logs")} RETURNING ${SUMMED}) ${addMinutesOf("fresh")}`,
  gpu_samples: insertInto("gpu_samples"),
  system_samples: insertInto("system_samples"),
  energy_hours: insertInto("energy_hours"),
  audit_log: insertInto("audit_log"),
};

/** Formats a time as the API does. */
const iso = (column: string): string =>
  `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

export class PostgresStore implements ExternalStore {
  readonly name = "postgres";
  readonly retention: StoreRetention;
  readonly countsOnce = true;
  readonly #client: PostgresClient;

  constructor(settings: PostgresSettings) {
    this.retention = settings.retention;
    this.#client = new PostgresClient(settings);
  }

  /** Rows travel as JSON text within JSON, so their quotes are escaped twice. */
  bytesOf(row: AnyRow): number {
    return encoder.encode(JSON.stringify(JSON.stringify(row))).length;
  }

  /** Runs as one transaction. */
  async migrate(): Promise<void> {
    await this.#client.transaction(POSTGRES_MIGRATION.map((sql) => ({ sql, parameters: [] })));
    await this.check();
  }

  async check(): Promise<void> {
    // The catalog also lists tables that this user may not read, so a missing grant does not look
    // like a missing table.
    const query = `SELECT relname::text AS "table", attname::text AS name, format_type(atttypid, atttypmod) AS type
      FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
      WHERE pg_table_is_visible(attrelid) AND relkind IN ('r', 'p') AND attnum > 0 AND NOT attisdropped`;
    checkTables(POSTGRES_TABLES, await this.#client.read(Column, query));
  }

  async insert({ kind, rows }: Batch): Promise<void> {
    const values = rows.map((row) => renamed(row, POSTGRES_NAMES));
    await this.#client.run(INSERTS[kind], [JSON.stringify(values)]);
  }

  async clear({ logs, metrics }: Clearing): Promise<ClearedRows> {
    let deleted = 0;
    const tables = ["request_minutes", "gpu_samples", "system_samples", "energy_hours"];
    for (const table of metrics ? tables : []) deleted += await this.#empty(table);
    return { logs: logs ? await this.#empty("request_logs") : 0, metrics: deleted };
  }

  /**
   * Rewrites the table afterwards, since Postgres keeps changed rows until it needs their space.
   */
  async eraseTexts(): Promise<void> {
    const failures = await this.#client.read(
      StoredFailure,
      "SELECT DISTINCT failed_at, http_status FROM request_logs WHERE error_message IS NOT NULL",
    );
    for (const { failed_at, http_status, message } of erasedMessages(failures))
      await this.#client.run(
        `UPDATE request_logs SET error_message = $1 WHERE error_message IS NOT NULL
          AND http_status = $2 AND failed_at IS NOT DISTINCT FROM $3`,
        [message, http_status, failed_at],
      );
    await this.#client.run(
      `UPDATE request_logs SET prompt = NULL, response = NULL
        WHERE prompt IS NOT NULL OR response IS NOT NULL`,
      [],
    );
    await this.#client.run("VACUUM (FULL) request_logs", []);
  }

  async deleteModel(model: string): Promise<void> {
    for (const table of ["request_logs", "request_minutes"])
      await this.#client.run(`DELETE FROM ${table} WHERE model = $1`, [model]);
  }

  async deleteOld(): Promise<void> {
    for (const { name, kept } of POSTGRES_TABLES)
      if (kept !== undefined) await this.#deleteOld(name, kept.since, this.retention[kept.for]);
  }

  async logs(filter: LogFilter): Promise<Logs> {
    const {
      limit,
      offset = 0,
      cursor,
      model,
      status,
      kind,
      box,
      id,
      key,
      user,
      session,
      q,
      since,
      until,
      clearedMs,
    } = filter;
    const holdsText = ["prompt", "response", "error_message"].map(
      (column) => `position(lower($7) IN lower(${column})) > 0`,
    );
    const where = `($1::text[] IS NULL OR model = ANY ($1))
      AND ($2::text IS NULL OR status = $2) AND ($3::text IS NULL OR box = $3)
      AND ($4::timestamptz IS NULL OR finished_at > $4)
      AND ($5::uuid IS NULL OR request_id = $5) AND ($6::text IS NULL OR key_id = $6)
      AND ($7::text IS NULL OR ${holdsText.join(" OR ")})
      AND ($8::timestamptz IS NULL OR created_at >= $8) AND ($9::timestamptz IS NULL OR created_at < $9)
      AND ($10::text IS NULL OR end_user = $10) AND ($11::text IS NULL OR session_id = $11)
      AND ($12::text[] IS NULL OR endpoint = ANY ($12))`;
    const parameters = [
      model === undefined ? null : arrayOf(spellingsOf(model)),
      status ?? null,
      box ?? null,
      clearedMs === null ? null : new Date(clearedMs).toISOString(),
      id ?? null,
      key ?? null,
      q === undefined ? null : acceptable(q),
      since ?? null,
      until ?? null,
      user === undefined ? null : acceptable(user),
      session === undefined ? null : acceptable(session),
      kind === undefined ? null : arrayOf(endpointsOf(kind)),
    ];
    const page = `SELECT to_json(page) AS json FROM (
        SELECT request_id AS id, ${iso("created_at")} AS timestamp, ${LOG_COLUMNS.join(", ")} FROM request_logs
        WHERE ${where} AND ($13::uuid IS NULL OR request_id < $13)
          ORDER BY request_id DESC LIMIT ${limit + 1} OFFSET ${offset}
      ) AS page ORDER BY page.id DESC`;
    const [entries, [count]] = await Promise.all([
      this.#client.read(jsonRow(LogEntry), page, [...parameters, cursor ?? null]),
      this.#client.read(
        Rows,
        `SELECT count(*)::double precision AS rows FROM request_logs WHERE ${where}`,
        parameters,
      ),
    ]);
    return pageOf(this.name, entries, count?.rows ?? 0, filter);
  }

  async history(
    span: Span,
    { model, box, key, clearedMs }: HistoryFilter,
    nowMs: number,
  ): Promise<HistoryPoint[]> {
    const models = model === undefined ? null : arrayOf(spellingsOf(model));
    const cleared = clearedMs === null ? null : new Date(clearedMs).toISOString();
    const parameters = [span.from, endOf(span), span.granularity, models, box ?? null, cleared];
    return pointsOf(
      span,
      key === undefined
        ? await this.#client.read(jsonRow(MinuteBucket), MINUTES_BY_BUCKET, parameters)
        : await this.#client.read(jsonRow(MinuteBucket), KEY_BY_BUCKET, [...parameters, key]),
      nowMs,
    );
  }

  async samples(
    span: Span,
    { box, clearedMs }: Pick<HistoryFilter, "box" | "clearedMs">,
  ): Promise<MeanSamples[]> {
    const bucket =
      "floor((extract(epoch FROM sampled_at) - $1::double precision) / $3::double precision) AS bucket, box";
    const where = `WHERE sampled_at >= to_timestamp($1::double precision)
      AND sampled_at < to_timestamp($2::double precision)
      AND ($4::text IS NULL OR box = $4) AND ($5::timestamptz IS NULL OR sampled_at > $5)`;
    const cleared = clearedMs === null ? null : new Date(clearedMs).toISOString();
    const parameters = [span.from, endOf(span), span.granularity, box ?? null, cleared];
    const [gpu, system] = await Promise.all([
      this.#client.read(
        jsonRow(GpuMean),
        `SELECT to_json(mean) AS json FROM (
          SELECT ${bucket}, gpu AS index, max(name) AS name, ${combinedColumns(GPU_HISTORY)}
            FROM gpu_samples ${where} GROUP BY bucket, box, gpu) AS mean`,
        parameters,
      ),
      this.#client.read(
        jsonRow(SystemMean),
        `SELECT to_json(mean) AS json FROM (SELECT ${bucket}, ${combinedColumns(SYSTEM_HISTORY)}
          FROM system_samples ${where} GROUP BY bucket, box) AS mean`,
        parameters,
      ),
    ]);
    return meanSamples(span, gpu, system);
  }

  /** Deletes all rows. @returns how many there were */
  async #empty(table: string): Promise<number> {
    const [counted] = await this.#client.transaction([
      { sql: `SELECT count(*)::double precision AS rows FROM ${table}`, parameters: [] },
      { sql: `TRUNCATE TABLE ${table}`, parameters: [] },
    ]);
    const [count] = rowsOf(Rows, counted);
    return count?.rows ?? 0;
  }

  async #deleteOld(table: string, column: string, days: number): Promise<void> {
    const old = `SELECT ctid FROM ${table} WHERE ${column} < now() - interval '${days} days' LIMIT ${DELETE_ROWS_MAX}`;
    await this.#client.run(`DELETE FROM ${table} WHERE ctid = ANY (ARRAY (${old}))`, []);
  }
}

const encoder = new TextEncoder();

/** Formats an array literal of Postgres. */
const arrayOf = (texts: readonly string[]): string =>
  `{${texts.map((text) => JSON.stringify(acceptable(text))).join(",")}}`;

/** Removes what Postgres does not accept in a text. */
const acceptable = (text: string): string => text.toWellFormed().replaceAll("\0", "");

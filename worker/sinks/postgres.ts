/**
 * Postgres as a store, over HTTP as Neon serves it.
 *
 * A batch is one statement: all of it or nothing. Its rows have the request id in their key, so what
 * is sent again conflicts, and nothing is done.
 */
import { NeonDbError, neon, neonConfig } from "@neondatabase/serverless";
import { z } from "zod";
import { type HistoryPoint, LogEntry, type Logs } from "../../protocol/api/stats.ts";
import { endOf, type Span } from "../answers/history.ts";
import { spellingsOf } from "../counting/model-key.ts";
import { Bucket, pointsOf } from "./buckets.ts";
import { LOG_COLUMNS, pageOf } from "./logs-page.ts";
import { GPU_SAMPLES_KEPT_DAYS, POSTGRES_MIGRATION, POSTGRES_TABLES, REQUEST_LOGS_KEPT_DAYS } from "./postgres-schema.ts";
import type { GpuRow, RequestRow } from "./rows.ts";
import { checkTables } from "./schema.ts";
import type { PostgresSettings } from "./settings.ts";
import {
  type Batch,
  type ClearedRows,
  type Clearing,
  type HistoryFilter,
  type LogFilter,
  type Store,
  StoreError,
  storeErrorOf,
  storeFetch,
} from "./store.ts";

// Of all connections: the driver knows no other way.
neonConfig.fetchFunction = storeFetch((response) => response.status === 400);

/** Rows that one statement of retention deletes: it is over soon, and comes again. */
const DELETE_ROWS_MAX = 20_000;

const Column = z.object({ table: z.string(), name: z.string(), type: z.string() });
const Rows = z.object({ rows: z.number() });
const jsonOf = <Row>(schema: z.ZodType<Row>): z.ZodType<Row> => z.preprocess((row) => Json.parse(row).json, schema);
const Json = z.object({ json: z.unknown() });

const columnsOf = (table: string): string[] => POSTGRES_TABLES.find(({ name }) => name === table)?.columns.map(([name]) => name) ?? [];
const typedColumnsOf = (table: string): string =>
  POSTGRES_TABLES.find(({ name }) => name === table)
    ?.columns.map(([name, type]) => `${name} ${type}`)
    .join(", ") ?? "";

const insertInto = (table: string): string => `INSERT INTO ${table} (${columnsOf(table).join(", ")})
  SELECT ${columnsOf(table).join(", ")} FROM json_to_recordset($1::json) AS given (${typedColumnsOf(table)}) ON CONFLICT DO NOTHING`;
const INSERTS = { requests: insertInto("request_logs"), gpu_samples: insertInto("gpu_samples") };

/** As the API writes times. */
const iso = (column: string): string => `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

export class PostgresStore implements Store {
  readonly name = "postgres";
  readonly historyDays = REQUEST_LOGS_KEPT_DAYS;
  readonly #sql: ReturnType<typeof neon<false, false>>;

  constructor({ url, fetchEndpoint }: PostgresSettings) {
    if (fetchEndpoint !== null) neonConfig.fetchEndpoint = fetchEndpoint;
    this.#sql = neon(url);
  }

  /** The rows travel as a JSON text within JSON: quotes in them are written twice. */
  bytesOf(row: RequestRow | GpuRow): number {
    return encoder.encode(JSON.stringify(JSON.stringify(row))).length;
  }

  /** Makes the tables, or brings them up to date: all of that, or nothing. @throws {StoreError} */
  async migrate(): Promise<void> {
    await told(this.#sql.transaction(POSTGRES_MIGRATION.map((statement) => this.#sql.query(statement))));
    await this.check();
  }

  async check(): Promise<void> {
    const query = `SELECT table_name::text AS "table", column_name::text AS name, data_type::text AS type
      FROM information_schema.columns WHERE table_schema = ANY (current_schemas(false))`;
    checkTables(POSTGRES_TABLES, await this.#read(Column, query));
  }

  async insert({ kind, rows }: Batch): Promise<void> {
    const values = kind === "requests" ? rows.map(requestValues) : rows.map(gpuValues);
    await this.#run(INSERTS[kind], [JSON.stringify(values)]);
  }

  async clear({ logs, metrics }: Clearing): Promise<ClearedRows> {
    return { logs: logs ? await this.#empty("request_logs") : 0, metrics: metrics ? await this.#empty("gpu_samples") : 0 };
  }

  /** Deletes what there is of a model. @throws {StoreError} */
  async deleteModel(model: string): Promise<void> {
    await this.#run("DELETE FROM request_logs WHERE model = $1", [model]);
  }

  async deleteOld(): Promise<void> {
    await this.#deleteOld("request_logs", "created_at", REQUEST_LOGS_KEPT_DAYS);
    await this.#deleteOld("gpu_samples", "sampled_at", GPU_SAMPLES_KEPT_DAYS);
  }

  async logs(filter: LogFilter): Promise<Logs> {
    const { limit, offset = 0, cursor, model, status, box, id, key, q, since, until, clearedMs } = filter;
    const holdsText = ["prompt", "response", "error_message"].map((column) => `position(lower($7) IN lower(${column})) > 0`);
    const where = `($1::text[] IS NULL OR model = ANY ($1)) AND ($2::text IS NULL OR status = $2) AND ($3::text IS NULL OR box = $3)
      AND ($4::timestamptz IS NULL OR finished_at > $4) AND ($5::uuid IS NULL OR request_id = $5) AND ($6::text IS NULL OR key_id = $6)
      AND ($7::text IS NULL OR ${holdsText.join(" OR ")})
      AND ($8::timestamptz IS NULL OR created_at >= $8) AND ($9::timestamptz IS NULL OR created_at < $9)`;
    const parameters = [
      model === undefined ? null : arrayOf(spellingsOf(model)),
      status ?? null,
      box ?? null,
      clearedMs === null ? null : new Date(clearedMs).toISOString(),
      id ?? null,
      key ?? null,
      q === undefined ? null : wellFormed(q),
      since ?? null,
      until ?? null,
    ];
    const page = `SELECT to_json(page) AS json FROM (
        SELECT request_id AS id, ${iso("created_at")} AS timestamp, ${LOG_COLUMNS.join(", ")} FROM request_logs
        WHERE ${where} AND ($10::uuid IS NULL OR request_id < $10) ORDER BY request_id DESC LIMIT ${limit + 1} OFFSET ${offset}
      ) AS page ORDER BY page.id DESC`;
    const [entries, [count]] = await Promise.all([
      this.#read(jsonOf(LogEntry), page, [...parameters, cursor ?? null]),
      this.#read(Rows, `SELECT count(*)::double precision AS rows FROM request_logs WHERE ${where}`, parameters),
    ]);
    return pageOf(this.name, entries, count?.rows ?? 0, filter);
  }

  async history(span: Span, { model, box, clearedMs }: HistoryFilter, nowMs: number): Promise<HistoryPoint[]> {
    const percentile = (q: number, column: string, condition: string) =>
      `percentile_disc(${q}) WITHIN GROUP (ORDER BY ${column}) FILTER (WHERE ${condition})`;
    const ttft = "is_inference AND ttft_ms IS NOT NULL";
    // The index is on created_at; no request takes longer than a day.
    const query = `SELECT to_json(summed) AS json FROM (
        SELECT floor((extract(epoch FROM finished_at) - $1::double precision) / $3::double precision) AS bucket,
          count(*) FILTER (WHERE status = 'success') AS successes, count(*) FILTER (WHERE status = 'error') AS errors,
          count(*) FILTER (WHERE status = 'cancelled') AS cancelled, coalesce(sum(resumed), 0) AS resumes,
          coalesce(sum(prompt_tokens) FILTER (WHERE is_inference), 0) AS prompt_tokens,
          coalesce(sum(completion_tokens) FILTER (WHERE is_inference), 0) AS completion_tokens,
          count(*) FILTER (WHERE is_inference) AS latency_count, coalesce(sum(latency_ms) FILTER (WHERE is_inference), 0) AS latency_ms_sum,
          ${percentile(0.5, "latency_ms", "is_inference")} AS latency_p50_ms, ${percentile(0.95, "latency_ms", "is_inference")} AS latency_p95_ms,
          ${percentile(0.99, "latency_ms", "is_inference")} AS latency_p99_ms,
          ${percentile(0.5, "ttft_ms", ttft)} AS ttft_p50_ms, ${percentile(0.95, "ttft_ms", ttft)} AS ttft_p95_ms
        FROM request_logs
        WHERE finished_at >= to_timestamp($1::double precision) AND finished_at < to_timestamp($2::double precision)
          AND created_at >= to_timestamp($1::double precision) - interval '1 day' AND created_at < to_timestamp($2::double precision)
          AND ($4::text[] IS NULL OR model = ANY ($4)) AND ($5::text IS NULL OR box = $5) AND ($6::timestamptz IS NULL OR finished_at > $6)
        GROUP BY bucket
      ) AS summed`;
    const models = model === undefined ? null : arrayOf(spellingsOf(model));
    const cleared = clearedMs === null ? null : new Date(clearedMs).toISOString();
    const parameters = [span.from, endOf(span), span.granularity, models, box ?? null, cleared];
    return pointsOf(span, await this.#read(jsonOf(Bucket), query, parameters), nowMs);
  }

  /** @returns how many rows there were. */
  async #empty(table: string): Promise<number> {
    const [[count]] = await told(
      this.#sql.transaction([
        this.#sql.query(`SELECT count(*)::double precision AS rows FROM ${table}`),
        this.#sql.query(`TRUNCATE TABLE ${table}`),
      ]),
    ).then(([counted]) => [z.array(Rows).parse(counted)] as const);
    return count?.rows ?? 0;
  }

  async #deleteOld(table: string, column: string, days: number): Promise<void> {
    const old = `SELECT ctid FROM ${table} WHERE ${column} < now() - interval '${days} days' LIMIT ${DELETE_ROWS_MAX}`;
    await this.#run(`DELETE FROM ${table} WHERE ctid = ANY (ARRAY (${old}))`, []);
  }

  #run(statement: string, parameters: unknown[]) {
    return told(this.#sql.query(statement, parameters));
  }

  async #read<Row>(schema: z.ZodType<Row>, statement: string, parameters: unknown[] = []): Promise<Row[]> {
    const rows = z.array(schema).safeParse(await this.#run(statement, parameters));
    if (!rows.success) throw new StoreError("schema", "answered something that this version does not read: run npm run migrate");
    return rows.data;
  }
}

const encoder = new TextEncoder();

/** The seed names the time of a request. */
const requestValues = ({ started_at, ...rest }: RequestRow) => ({ created_at: started_at, ...rest });
const gpuValues = ({ index, ...rest }: GpuRow) => ({ gpu: index, ...rest });

/** An array as Postgres writes it. */
const arrayOf = (texts: readonly string[]): string => `{${texts.map((text) => JSON.stringify(wellFormed(text))).join(",")}}`;

/** Text that Postgres takes. */
const wellFormed = (text: string): string => text.toWellFormed().replaceAll("\0", "");

async function told<Answer>(answer: Promise<Answer>): Promise<Answer> {
  try {
    return await answer;
  } catch (error) {
    throw storeErrorOf(error) ?? failureOf(error);
  }
}

const WORDS: Record<string, string> = {
  "28P01": "knows no such user, or another password",
  "28000": "knows no such user, or another password",
  "3D000": "has no such database",
  "42P01": "lacks a table: run npm run migrate",
  "42703": "lacks a column: run npm run migrate",
  "42501": "gives this user not enough grants",
  "25006": "only lets itself be read",
  "53100": "is out of disk space",
  "53300": "has too many connections",
  "57014": "gave up on a statement that took too long",
};

/** Classes: 22 data exception, 23 integrity constraint, 42 what is named does not exist. @see https://www.postgresql.org/docs/current/errcodes-appendix.html */
function failureOf(error: unknown): StoreError {
  if (!(error instanceof NeonDbError)) return new StoreError("unavailable", "answered something that is not Postgres's");
  const code = /^[0-9A-Z]{5}$/.test(error.code ?? "") ? error.code : undefined;
  if (code === undefined) {
    // Said by Neon's proxy, in words alone.
    if (/password authentication failed/i.test(error.message)) return new StoreError("unavailable", WORDS["28P01"] ?? "");
    if (/quota/i.test(error.message)) return new StoreError("unavailable", "has used up its quota");
    return new StoreError("unavailable", "refused a statement, and gave no code");
  }
  if (/^2[23]/.test(code)) return new StoreError("content", `refused rows for their content (Postgres error ${code})`);
  const isSchema = code === "42P01" || code === "42703" || code === "42804";
  return new StoreError(isSchema ? "schema" : "unavailable", `${WORDS[code] ?? "refused a statement"} (Postgres error ${code})`);
}

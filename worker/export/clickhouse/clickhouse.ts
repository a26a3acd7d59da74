/**
 * ClickHouse as a store.
 *
 * A batch carries its id as deduplication token: sent again, it is recognised, also by the view that
 * sums it up. A token that is used for other rows would lose them without a word, so a batch with
 * that id holds these rows for ever.
 */
import {
  ClickHouseError,
  ClickHouseLogLevel,
  createClient,
  type ClickHouseSettings as Settings,
} from "@clickhouse/client-web";
import { z } from "zod";
import { type HistoryPoint, LogEntry, type Logs } from "../../../protocol/api/stats.ts";
import type { Span } from "../../answers/history.ts";
import { endOf } from "../../answers/history.ts";
import { spellingsOf } from "../../counting/model-key.ts";
import { Bucket, pointsOf } from "../buckets.ts";
import {
  type Batch,
  type ClearedRows,
  type Clearing,
  type ExternalStore,
  type HistoryFilter,
  type LogFilter,
  STATEMENT_MS,
  StoreError,
  storeErrorOf,
  storeFetch,
} from "../external-store.ts";
import { LOG_COLUMNS, pageOf } from "../logs-page.ts";
import type { AnyRow, GpuRow, RequestRow, SystemRow } from "../rows.ts";
import {
  GPU_MEANS,
  GpuMean,
  type MeanSamples,
  meanSamples,
  SYSTEM_MEANS,
  SystemMean,
} from "../sample-means.ts";
import { checkTables, STORE_MINUTES_KEPT_DAYS, STORE_SAMPLES_KEPT_DAYS } from "../schema.ts";
import type { ClickHouseSettings } from "../settings.ts";
import { CLICKHOUSE_MIGRATION, CLICKHOUSE_TABLES } from "./schema.ts";

const INSERT_SETTINGS: Settings = {
  // The answer comes when the rows are there, and says so with its status.
  async_insert: 0,
  wait_end_of_query: 1,
  insert_deduplicate: 1,
  deduplicate_blocks_in_dependent_materialized_views: 1,
  date_time_input_format: "best_effort",
};

const READ_SETTINGS: Settings = {
  date_time_output_format: "iso",
  output_format_json_quote_64bit_integers: 0,
  wait_end_of_query: 1,
};

const Column = z.object({ table: z.string(), name: z.string(), type: z.string() });
const Rows = z.object({ rows: z.number() });
const Entry = LogEntry.extend({
  box: z.string().transform((box) => (box === "" ? null : box)),
  model: z.string().transform((model) => (model === "" ? null : model)),
}).pipe(LogEntry);

const encoder = new TextEncoder();

export class ClickHouseStore implements ExternalStore {
  readonly name = "clickhouse";
  readonly historyDays = STORE_MINUTES_KEPT_DAYS;
  readonly samplesDays = STORE_SAMPLES_KEPT_DAYS;
  readonly countsOnce = false;
  readonly #settings: ClickHouseSettings;
  readonly #client: ReturnType<typeof createClient>;

  constructor(settings: ClickHouseSettings) {
    this.#settings = settings;
    this.#client = clientOf(settings, settings.database);
  }

  bytesOf(row: AnyRow): number {
    return encoder.encode(JSON.stringify(row)).length;
  }

  /** Makes the database and the tables, or brings them up to date. @throws {StoreError} */
  async migrate(): Promise<void> {
    // In the database that every server has: ours may not be there yet.
    const client = clientOf(this.#settings, "default");
    await told(
      client.command({ query: `CREATE DATABASE IF NOT EXISTS ${this.#settings.database}` }),
    );
    for (const query of CLICKHOUSE_MIGRATION) await told(this.#client.command({ query }));
    await this.check();
  }

  async check(): Promise<void> {
    const names = CLICKHOUSE_TABLES.map(({ name }) => name);
    const query =
      "SELECT table, name, type FROM system.columns WHERE database = currentDatabase() AND table IN {names:Array(String)}";
    checkTables(CLICKHOUSE_TABLES, await this.#read(Column, query, { names }));
  }

  async insert({ id, kind, rows }: Batch): Promise<void> {
    const values: object[] =
      kind === "requests"
        ? rows.map(requestValues)
        : kind === "gpu_samples"
          ? rows.map(gpuValues)
          : rows.map(systemValues);
    const clickhouse_settings = { ...INSERT_SETTINGS, insert_deduplication_token: id };
    await told(
      this.#client.insert({ table: kind, values, format: "JSONEachRow", clickhouse_settings }),
    );
  }

  async clear({ logs, metrics }: Clearing): Promise<ClearedRows> {
    let deleted = 0;
    for (const table of metrics ? ["requests_minutes", "gpu_samples", "system_samples"] : [])
      deleted += await this.#empty(table);
    return { logs: logs ? await this.#empty("requests") : 0, metrics: deleted };
  }

  /** Deletes what there is of a model, at once. @throws {StoreError} */
  async deleteModel(model: string): Promise<void> {
    for (const table of ["requests", "requests_minutes"])
      await told(
        this.#client.command({
          query: `ALTER TABLE ${table} DELETE WHERE model = {model:String}`,
          query_params: { model },
          clickhouse_settings: { mutations_sync: "2" },
        }),
      );
  }

  /** Its tables do that by themselves. */
  async deleteOld(): Promise<void> {}

  async logs(filter: LogFilter): Promise<Logs> {
    const {
      limit,
      offset = 0,
      cursor,
      model,
      status,
      box,
      id,
      key,
      q,
      since,
      until,
      clearedMs,
    } = filter;
    const holdsText = ["prompt", "response", "error_message"].map(
      (column) => `positionCaseInsensitiveUTF8(${column}, {q:String}) > 0`,
    );
    const conditions = [
      ...(model === undefined ? [] : ["model IN {models:Array(String)}"]),
      ...(status === undefined ? [] : ["status = {status:String}"]),
      ...(box === undefined ? [] : ["box = {box:String}"]),
      ...(id === undefined ? [] : ["request_id = {id:String}"]),
      ...(key === undefined ? [] : ["key_id = {key:String}"]),
      ...(q === undefined ? [] : [`(${holdsText.join(" OR ")})`]),
      ...(since === undefined ? [] : ["timestamp >= fromUnixTimestamp64Milli({sinceMs:Int64})"]),
      ...(until === undefined ? [] : ["timestamp < fromUnixTimestamp64Milli({untilMs:Int64})"]),
      ...(clearedMs === null ? [] : ["finished_at > fromUnixTimestamp64Milli({clearedMs:Int64})"]),
    ];
    const parameters = {
      models: spellingsOf(model ?? ""),
      status: status ?? "",
      box: box ?? "",
      id: id ?? "",
      key: key ?? "",
      q: q ?? "",
      sinceMs: Date.parse(since ?? "") || 0,
      untilMs: Date.parse(until ?? "") || 0,
      clearedMs: clearedMs ?? 0,
      cursor: cursor ?? "",
    };
    const where = (all: string[]) => (all.length === 0 ? "" : `WHERE ${all.join(" AND ")}`);
    const page = `SELECT request_id AS id, timestamp, ${LOG_COLUMNS.join(", ")} FROM requests
      ${where(cursor === undefined ? conditions : [...conditions, "request_id < {cursor:String}"])}
      ORDER BY request_id DESC LIMIT 1 BY request_id LIMIT ${limit + 1} OFFSET ${offset}`;
    const [entries, [count]] = await Promise.all([
      this.#read(Entry, page, parameters),
      this.#read(Rows, `SELECT count() AS rows FROM requests ${where(conditions)}`, parameters),
    ]);
    return pageOf(this.name, entries, count?.rows ?? 0, filter);
  }

  async history(
    span: Span,
    { model, box, clearedMs }: HistoryFilter,
    nowMs: number,
  ): Promise<HistoryPoint[]> {
    const conditions = [
      "minute >= {from:DateTime('UTC')} AND minute < {to:DateTime('UTC')}",
      ...(model === undefined ? [] : ["model IN {models:Array(String)}"]),
      ...(box === undefined ? [] : ["box = {box:String}"]),
      // Of the minute in which the metrics were cleared it cannot be told what was before.
      ...(clearedMs === null ? [] : ["minute > {cleared:DateTime('UTC')}"]),
    ];
    const query = `SELECT intDiv(toUnixTimestamp(minute) - {from:UInt32}, {step:UInt32}) AS bucket,
        sum(successes) AS successes, sum(errors) AS errors, sum(cancelled) AS cancelled, sum(resumes) AS resumes,
        sum(prompt_tokens) AS prompt_tokens, sum(completion_tokens) AS completion_tokens,
        sum(latency_count) AS latency_count, sum(latency_ms_sum) AS latency_ms_sum,
        quantilesDDMerge(0.005, 0.5, 0.95, 0.99)(latency_ms) AS latency, quantilesDDMerge(0.005, 0.5, 0.95, 0.99)(ttft_ms) AS ttft,
        latency[1] AS latency_p50_ms, latency[2] AS latency_p95_ms, latency[3] AS latency_p99_ms, ttft[1] AS ttft_p50_ms, ttft[2] AS ttft_p95_ms
      FROM requests_minutes WHERE ${conditions.join(" AND ")} GROUP BY bucket ORDER BY bucket`;
    const parameters = {
      from: span.from,
      to: endOf(span),
      step: span.granularity,
      models: spellingsOf(model ?? ""),
      box: box ?? "",
      cleared: Math.floor((clearedMs ?? 0) / 1_000),
    };
    return pointsOf(span, await this.#read(Bucket, query, parameters), nowMs);
  }

  async samples(
    span: Span,
    { box, clearedMs }: Pick<HistoryFilter, "box" | "clearedMs">,
  ): Promise<MeanSamples[]> {
    const conditions = [
      "s.timestamp >= toDateTime64({from:UInt32}, 3, 'UTC') AND s.timestamp < toDateTime64({to:UInt32}, 3, 'UTC')",
      ...(box === undefined ? [] : ["s.box = {box:String}"]),
      ...(clearedMs === null ? [] : ["s.timestamp > fromUnixTimestamp64Milli({clearedMs:Int64})"]),
    ];
    const bucket =
      "intDiv(toUnixTimestamp(s.timestamp) - {from:UInt32}, {step:UInt32}) AS bucket, s.box AS box";
    const means = (figures: readonly string[]) =>
      figures.map((figure) => `avg(s.${figure}) AS ${figure}`).join(", ");
    const where = `WHERE ${conditions.join(" AND ")}`;
    const parameters = {
      from: span.from,
      to: endOf(span),
      step: span.granularity,
      box: box ?? "",
      clearedMs: clearedMs ?? 0,
    };
    const [gpu, system] = await Promise.all([
      this.#read(
        GpuMean,
        `SELECT ${bucket}, s.gpu AS index, any(s.name) AS name, ${means(GPU_MEANS)} FROM gpu_samples AS s ${where} GROUP BY bucket, box, index`,
        parameters,
      ),
      this.#read(
        SystemMean,
        `SELECT ${bucket}, ${means(SYSTEM_MEANS)} FROM system_samples AS s ${where} GROUP BY bucket, box`,
        parameters,
      ),
    ]);
    return meanSamples(span, gpu, system);
  }

  /** Deletes for good, at once, whatever the size of the table. @returns how many rows there were. */
  async #empty(table: string): Promise<number> {
    const [count] = await this.#read(Rows, `SELECT count() AS rows FROM ${table}`);
    await told(
      this.#client.command({
        query: `TRUNCATE TABLE ${table}`,
        clickhouse_settings: { max_table_size_to_drop: "0" },
      }),
    );
    return count?.rows ?? 0;
  }

  async #read<Row>(
    schema: z.ZodType<Row>,
    query: string,
    query_params: Record<string, unknown> = {},
  ): Promise<Row[]> {
    const read = async () => {
      const result = await this.#client.query({
        query,
        query_params,
        format: "JSONEachRow",
        clickhouse_settings: READ_SETTINGS,
      });
      return result.json();
    };
    const rows = z.array(schema).safeParse(await told(read()));
    if (!rows.success)
      throw new StoreError(
        "schema",
        "answered something that this version does not read: run npm run migrate",
      );
    return rows.data;
  }
}

const clientOf = ({ url, user, password }: ClickHouseSettings, database: string) =>
  createClient({
    url,
    username: user,
    password,
    database,
    application: "ollama-edge-serve",
    // It would print what it sends.
    log: { level: ClickHouseLogLevel.OFF },
    // The limit is that of `storeFetch`, which also covers the answer.
    request_timeout: 2 * STATEMENT_MS,
    keep_alive: { enabled: false },
    fetch: storeFetch((response) => response.headers.has("x-clickhouse-exception-code")),
  });

/** The seed names the time of a request; there is no null in a key. */
const requestValues = ({ started_at, box, model, ...rest }: RequestRow) => ({
  timestamp: started_at,
  box: box ?? "",
  model: model ?? "",
  ...rest,
});
const gpuValues = ({ sampled_at, index, ...rest }: GpuRow) => ({
  timestamp: sampled_at,
  gpu: index,
  ...rest,
});
const systemValues = ({ sampled_at, ...rest }: SystemRow) => ({ timestamp: sampled_at, ...rest });

async function told<Answer>(answer: Promise<Answer>): Promise<Answer> {
  try {
    return await answer;
  } catch (error) {
    throw storeErrorOf(error) ?? failureOf(error);
  }
}

/** Rows whose content the engine could not read, or that break a constraint. */
const CONTENT_CODES = new Set([
  "6",
  "26",
  "27",
  "38",
  "41",
  "53",
  "69",
  "72",
  "117",
  "131",
  "349",
  "469",
  "691",
]);
const SCHEMA_CODES = new Set(["8", "10", "16", "47", "60", "81"]);

/** What people can do something about. Others are told by their code. */
const WORDS: Record<string, string> = {
  "60": "has no such table: run npm run migrate",
  "81": "has no such database: run npm run migrate",
  "16": "lacks a column: run npm run migrate",
  "164": "lets this user only read",
  "201": "has used up its quota",
  "202": "has too many statements at once",
  "241": "is out of memory",
  "243": "is out of disk space",
  "252": "has too many parts: it merges slower than it is written to",
  "497": "gives this user not enough grants",
  "516": "knows no such user, or another password",
};

/** @see https://github.com/ClickHouse/ClickHouse/blob/master/src/Common/ErrorCodes.cpp */
function failureOf(error: unknown): StoreError {
  if (!(error instanceof ClickHouseError))
    return new StoreError("unavailable", "answered something that is not ClickHouse's");
  const { code } = error;
  const message = `${WORDS[code] ?? "refused a statement"} (ClickHouse error ${code})`;
  if (CONTENT_CODES.has(code))
    return new StoreError("content", `refused rows for their content (ClickHouse error ${code})`);
  return new StoreError(
    SCHEMA_CODES.has(code) ? "schema" : code === "223" ? "too_large" : "unavailable",
    message,
  );
}

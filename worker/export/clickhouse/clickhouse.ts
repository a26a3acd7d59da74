/**
 * ClickHouse as an external store.
 *
 * Each batch carries its id as a deduplication token. ClickHouse recognises a batch that is sent
 * again, and so does the view that sums it. A token that is used again for other rows would lose
 * them silently, so the rows of a batch never change.
 */
import * as z from "zod";
import { LogEntry, type Logs } from "../../../protocol/api/logs.ts";
import type { HistoryPoint } from "../../../protocol/api/stats.ts";
import { endpointsOf } from "../../../protocol/call-kind.ts";
import {
  GPU_HISTORY,
  LOG_COLUMNS,
  type StoredRequest,
  SYSTEM_HISTORY,
} from "../../../protocol/columns.ts";
import { endOf, type Span } from "../../answers/history.ts";
import { spellingsOf } from "../../counting/model-key.ts";
import type { StoreRetention } from "../../retention.ts";
import { Bucket, pointsOf } from "../buckets.ts";
import { erasedMessages, StoredFailure } from "../erased-messages.ts";
import {
  type ExternalStore,
  type HistoryFilter,
  type LogFilter,
  StoreError,
} from "../external-store.ts";
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
import { ClickHouseClient } from "./client.ts";
import { otherTtls } from "./retention.ts";
import {
  CLICKHOUSE_MIGRATION,
  CLICKHOUSE_NAMES,
  CLICKHOUSE_TABLES,
  MINUTES_OF_KEY,
} from "./schema.ts";
import type { ClickHouseSettings } from "./settings.ts";

const Column = z.object({ table: z.string(), name: z.string(), type: z.string() });
const Rows = z.object({ rows: z.number() });
const Entry = LogEntry.extend({
  box: z.string().transform((box) => (box === "" ? null : box)),
  model: z.string().transform((model) => (model === "" ? null : model)),
}).pipe(LogEntry);

const encoder = new TextEncoder();

export class ClickHouseStore implements ExternalStore {
  readonly name = "clickhouse";
  readonly countsOnce = false;
  readonly retention: StoreRetention;
  readonly #settings: ClickHouseSettings;
  readonly #client: ClickHouseClient;

  constructor(settings: ClickHouseSettings) {
    this.#settings = settings;
    this.retention = settings.retention;
    this.#client = new ClickHouseClient(settings, settings.database);
  }

  bytesOf(row: AnyRow): number {
    return encoder.encode(JSON.stringify(row)).length;
  }

  async migrate(): Promise<void> {
    // Connects to the database that every server has: ours may not exist yet.
    const client = new ClickHouseClient(this.#settings, "default");
    await client.run(`CREATE DATABASE IF NOT EXISTS ${this.#settings.database}`);
    for (const query of CLICKHOUSE_MIGRATION) await this.#client.run(query);
    for (const { name, ttl } of await otherTtls(this.#client, this.retention))
      await this.#client.run(`ALTER TABLE ${name} MODIFY TTL ${ttl}`);
    await this.check();
  }

  async check(): Promise<void> {
    const names = CLICKHOUSE_TABLES.map(({ name }) => name);
    const query = `SELECT table, name, type FROM system.columns WHERE database = currentDatabase()
        AND table IN {names:Array(String)}`;
    checkTables(CLICKHOUSE_TABLES, await this.#client.read(Column, query, { names }));
    const [other] = await otherTtls(this.#client, this.retention);
    if (other !== undefined)
      throw new StoreError(
        "schema",
        `keeps ${other.name} for another time than the settings RETENTION_*: run npm run migrate with them`,
      );
  }

  async insert({ id, kind, rows }: Batch): Promise<void> {
    const values =
      kind === "requests"
        ? rows.map(requestValues)
        : rows.map((row) => renamed(row, CLICKHOUSE_NAMES));
    await this.#client.insert(kind, values, id);
  }

  async clear({ logs, metrics }: Clearing): Promise<ClearedRows> {
    let deleted = 0;
    const tables = ["requests_minutes", "gpu_samples", "system_samples", "energy_hours"];
    for (const table of metrics ? tables : []) deleted += await this.#empty(table);
    return { logs: logs ? await this.#empty("requests") : 0, metrics: deleted };
  }

  /** Returns when the rows are gone, not when ClickHouse has noted to delete them. */
  async deleteModel(model: string): Promise<void> {
    for (const table of ["requests", "requests_minutes"])
      await this.#client.run(
        `ALTER TABLE ${table} DELETE WHERE model = {model:String}`,
        { model },
        { mutations_sync: "2" },
      );
  }

  /**
   * Returns when no part in use contains a text. ClickHouse deletes the replaced parts some minutes
   * later.
   */
  async eraseTexts(): Promise<void> {
    const failures = await this.#client.read(
      StoredFailure,
      "SELECT DISTINCT failed_at, http_status FROM requests WHERE error_message IS NOT NULL",
    );
    const update = (changes: string, where: string, parameters = {}) =>
      this.#client.run(`ALTER TABLE requests UPDATE ${changes} WHERE ${where}`, parameters, {
        mutations_sync: "2",
      });
    for (const { failed_at, ...rest } of erasedMessages(failures)) {
      const where = `error_message IS NOT NULL AND http_status = {http_status:UInt16}
        AND ifNull(failed_at, '') = {failed_at:String}`;
      const parameters = { ...rest, failed_at: failed_at ?? "" };
      await update("error_message = {message:String}", where, parameters);
    }
    await update("prompt = NULL, response = NULL", "prompt IS NOT NULL OR response IS NOT NULL");
  }

  /** Does nothing: the tables have a TTL. */
  async deleteOld(): Promise<void> {}

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
      (column) => `positionCaseInsensitiveUTF8(${column}, {q:String}) > 0`,
    );
    const conditions = [
      ...(model === undefined ? [] : ["model IN {models:Array(String)}"]),
      ...(status === undefined ? [] : ["status = {status:String}"]),
      ...(kind === undefined ? [] : ["endpoint IN {endpoints:Array(String)}"]),
      ...(box === undefined ? [] : ["box = {box:String}"]),
      ...(id === undefined ? [] : ["request_id = {id:String}"]),
      ...(key === undefined ? [] : ["key_id = {key:String}"]),
      ...(user === undefined ? [] : ["end_user = {user:String}"]),
      ...(session === undefined ? [] : ["session_id = {session:String}"]),
      ...(q === undefined ? [] : [`(${holdsText.join(" OR ")})`]),
      ...(since === undefined ? [] : ["timestamp >= fromUnixTimestamp64Milli({sinceMs:Int64})"]),
      ...(until === undefined ? [] : ["timestamp < fromUnixTimestamp64Milli({untilMs:Int64})"]),
      ...(clearedMs === null ? [] : ["finished_at > fromUnixTimestamp64Milli({clearedMs:Int64})"]),
    ];
    const parameters = {
      models: spellingsOf(model ?? ""),
      status: status ?? "",
      endpoints: kind === undefined ? [] : endpointsOf(kind),
      box: box ?? "",
      id: id ?? "",
      key: key ?? "",
      user: user ?? "",
      session: session ?? "",
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
      this.#client.read(Entry, page, parameters),
      this.#client.read(
        Rows,
        `SELECT count() AS rows FROM requests ${where(conditions)}`,
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
    const conditions = [
      "minute >= {from:DateTime('UTC')} AND minute < {to:DateTime('UTC')}",
      ...(model === undefined ? [] : ["model IN {models:Array(String)}"]),
      ...(box === undefined ? [] : ["box = {box:String}"]),
      // The minute in which the metrics were cleared is left out: it mixes figures from before and
      // after.
      ...(clearedMs === null ? [] : ["minute > {cleared:DateTime('UTC')}"]),
    ];
    const query = `SELECT intDiv(toUnixTimestamp(minute) - {from:UInt32}, {step:UInt32}) AS bucket,
        sum(successes) AS successes, sum(errors) AS errors, sum(cancelled) AS cancelled, sum(resumes) AS resumes,
        sum(prompt_tokens) AS prompt_tokens, sum(completion_tokens) AS completion_tokens,
        sum(latency_count) AS latency_count, sum(latency_ms_sum) AS latency_ms_sum,
        quantilesDDMerge(0.005, 0.5, 0.95, 0.99)(latency_ms) AS latency,
        quantilesDDMerge(0.005, 0.5, 0.95, 0.99)(ttft_ms) AS ttft,
        latency[1] AS latency_p50_ms, latency[2] AS latency_p95_ms, latency[3] AS latency_p99_ms,
        ttft[1] AS ttft_p50_ms, ttft[2] AS ttft_p95_ms
      FROM ${key === undefined ? "requests_minutes" : `(${MINUTES_OF_KEY})`} WHERE ${conditions.join(" AND ")} GROUP BY bucket ORDER BY bucket`;
    const parameters = {
      from: span.from,
      to: endOf(span),
      step: span.granularity,
      models: spellingsOf(model ?? ""),
      box: box ?? "",
      key: key ?? "",
      cleared: Math.floor((clearedMs ?? 0) / 1_000),
    };
    return pointsOf(span, await this.#client.read(Bucket, query, parameters), nowMs);
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
    const where = `WHERE ${conditions.join(" AND ")}`;
    const parameters = {
      from: span.from,
      to: endOf(span),
      step: span.granularity,
      box: box ?? "",
      clearedMs: clearedMs ?? 0,
    };
    const [gpu, system] = await Promise.all([
      this.#client.read(
        GpuMean,
        `SELECT ${bucket}, s.gpu AS index, any(s.name) AS name, ${combinedColumns(GPU_HISTORY, "s.")}
          FROM gpu_samples AS s FINAL ${where} GROUP BY bucket, box, index`,
        parameters,
      ),
      this.#client.read(
        SystemMean,
        `SELECT ${bucket}, ${combinedColumns(SYSTEM_HISTORY, "s.")} FROM system_samples AS s ${where} GROUP BY bucket, box`,
        parameters,
      ),
    ]);
    return meanSamples(span, gpu, system);
  }

  /** Deletes all rows at once, whatever the size of the table. @returns how many there were */
  async #empty(table: string): Promise<number> {
    const [count] = await this.#client.read(Rows, `SELECT count() AS rows FROM ${table}`);
    await this.#client.run(`TRUNCATE TABLE ${table}`, {}, { max_table_size_to_drop: "0" });
    return count?.rows ?? 0;
  }
}

/**
 * `box` and `model` are keys of the sums by minute, which allow no null: unknown is the empty text.
 */
const requestValues = ({ box, model, ...rest }: StoredRequest) =>
  renamed({ ...rest, box: box ?? "", model: model ?? "" }, CLICKHOUSE_NAMES);

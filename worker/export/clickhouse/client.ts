/**
 * ClickHouse over HTTP: statements, and their failures as messages without any text from the
 * server.
 *
 * @see https://github.com/ClickHouse/ClickHouse/blob/master/src/Common/ErrorCodes.cpp
 */
import {
  ClickHouseError,
  ClickHouseLogLevel,
  createClient,
  type ClickHouseSettings as StatementSettings,
} from "@clickhouse/client-web";
import * as z from "zod";
import { STATEMENT_MS, StoreError, storeErrorOf, storeFetch } from "../external-store.ts";
import type { ClickHouseSettings } from "./settings.ts";

const INSERT_SETTINGS: StatementSettings = {
  // The answer arrives when the rows are stored, and its status reports the outcome.
  async_insert: 0,
  wait_end_of_query: 1,
  insert_deduplicate: 1,
  deduplicate_blocks_in_dependent_materialized_views: 1,
  date_time_input_format: "best_effort",
};

const READ_SETTINGS: StatementSettings = {
  date_time_output_format: "iso",
  output_format_json_quote_64bit_integers: 0,
  wait_end_of_query: 1,
};

export class ClickHouseClient {
  readonly #client: ReturnType<typeof createClient>;

  constructor({ url, user, password }: ClickHouseSettings, database: string) {
    this.#client = createClient({
      url,
      username: user,
      password,
      database,
      application: "ollama-edge-serve",
      // Its log would contain the statements.
      log: { level: ClickHouseLogLevel.OFF },
      // `storeFetch` sets the real limit, which also covers reading the answer.
      request_timeout: 2 * STATEMENT_MS,
      keep_alive: { enabled: false },
      fetch: storeFetch((response) => response.headers.has("x-clickhouse-exception-code")),
    });
  }

  /** @throws {StoreError} */
  async run(
    query: string,
    query_params: Record<string, unknown> = {},
    clickhouse_settings: StatementSettings = {},
  ): Promise<void> {
    await translated(this.#client.command({ query, query_params, clickhouse_settings }));
  }

  /** Inserts rows under a deduplication token. @throws {StoreError} */
  async insert(table: string, values: readonly object[], token: string): Promise<void> {
    const clickhouse_settings = { ...INSERT_SETTINGS, insert_deduplication_token: token };
    await translated(
      this.#client.insert({ table, values, format: "JSONEachRow", clickhouse_settings }),
    );
  }

  /** @throws {StoreError} */
  async read<Row>(
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
    const rows = z.array(schema).safeParse(await translated(read()));
    if (!rows.success)
      throw new StoreError(
        "schema",
        "returned rows that this version cannot read: run npm run migrate",
      );
    return rows.data;
  }
}

async function translated<Answer>(answer: Promise<Answer>): Promise<Answer> {
  try {
    return await answer;
  } catch (error) {
    throw storeErrorOf(error) ?? failureOf(error);
  }
}

/** Errors about rows whose content ClickHouse cannot read, or that violate a constraint. */
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

/** Messages for the errors that an operator can act on. Every other error shows its code. */
const MESSAGES: Record<string, string> = {
  "60": "lacks a table: run npm run migrate",
  "81": "has no such database: run npm run migrate",
  "16": "lacks a column: run npm run migrate",
  "164": "allows this user only to read",
  "201": "has used up its quota",
  "202": "runs too many statements at once",
  "241": "is out of memory",
  "243": "is out of disk space",
  "252": "has too many parts: it merges more slowly than rows arrive",
  "497": "has not granted this user enough rights",
  "516": "does not accept this user and password",
};

function failureOf(error: unknown): StoreError {
  if (!(error instanceof ClickHouseError))
    return new StoreError("unavailable", "gave an answer that does not come from ClickHouse");
  const { code } = error;
  const message = `${MESSAGES[code] ?? "rejected a statement"} (ClickHouse error ${code})`;
  if (CONTENT_CODES.has(code))
    return new StoreError(
      "content",
      `rejected rows because of their content (ClickHouse error ${code})`,
    );
  return new StoreError(
    SCHEMA_CODES.has(code) ? "schema" : code === "223" ? "too_large" : "unavailable",
    message,
  );
}

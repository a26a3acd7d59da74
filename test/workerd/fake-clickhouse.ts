/** The answers of a ClickHouse that has the tables of this version, for tests without a store. */
import * as z from "zod";
import { ttlOf } from "../../worker/export/clickhouse/retention.ts";
import { CLICKHOUSE_TABLES } from "../../worker/export/clickhouse/schema.ts";
import { STORE_RETENTION_VARIABLES, storeRetentionOf } from "../../worker/retention.ts";

export const CLICKHOUSE_BINDINGS = {
  EXPORTER_TYPE: "clickhouse",
  CLICKHOUSE_URL: "https://clickhouse.example:8443",
  CLICKHOUSE_USER: "edge",
  CLICKHOUSE_PASSWORD: "a-password",
};

const asLines = (rows: readonly object[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join("");

/** The tables of ClickHouse, as it lists them after a migration with the default settings. */
const COLUMNS = asLines(
  CLICKHOUSE_TABLES.flatMap(({ name: table, columns }) =>
    columns.map(([name, type]) => ({ table, name, type })),
  ),
);
const ENGINES = asLines(
  CLICKHOUSE_TABLES.map((table) => {
    const ttl = ttlOf(table, storeRetentionOf(z.object(STORE_RETENTION_VARIABLES).parse({})));
    return { name: table.name, engine: `MergeTree TTL ${ttl} SETTINGS index_granularity = 8192` };
  }),
);

const EMPTY = asLines([{ rows: 0 }]);

/** Answers any statement; an insert is accepted. */
export const clickHouseAnswer = (statement: string): Response => {
  if (statement.includes("count()")) return new Response(EMPTY);
  return new Response(statement.includes("system.tables") ? ENGINES : COLUMNS);
};

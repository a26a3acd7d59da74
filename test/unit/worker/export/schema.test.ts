import { expect, test } from "vitest";
import { AUDIT_COLUMNS } from "../../../../protocol/audit-columns.ts";
import {
  ENERGY_HOUR_COLUMNS,
  GPU_SAMPLE_COLUMNS,
  REQUEST_COLUMNS,
  SYSTEM_SAMPLE_COLUMNS,
} from "../../../../protocol/columns.ts";
import {
  CLICKHOUSE_NAMES,
  CLICKHOUSE_TABLES,
} from "../../../../worker/export/clickhouse/schema.ts";
import { POSTGRES_NAMES, POSTGRES_TABLES } from "../../../../worker/export/postgres/schema.ts";
import { requestRow } from "../../../../worker/export/rows.ts";
import { checkTables, renamed, type Table } from "../../../../worker/export/schema.ts";
import { recordOf } from "../../../support/records.ts";

const STORES = [
  ["ClickHouse", CLICKHOUSE_TABLES, CLICKHOUSE_NAMES, "requests"],
  ["Postgres", POSTGRES_TABLES, POSTGRES_NAMES, "request_logs"],
] as const;

const columnsOf = (tables: readonly Table[], name: string) =>
  tables.find((table) => table.name === name)?.columns ?? [];

test.each(STORES)(
  "the tables of %s have every column of the shared table",
  (_, tables, names, requests) => {
    for (const [table, columns] of [
      [requests, REQUEST_COLUMNS],
      ["gpu_samples", GPU_SAMPLE_COLUMNS],
      ["system_samples", SYSTEM_SAMPLE_COLUMNS],
      ["energy_hours", ENERGY_HOUR_COLUMNS],
      ["audit_log", AUDIT_COLUMNS],
    ] as const)
      expect(
        columnsOf(tables, table)
          .map(([name]) => name)
          .sort(),
      ).toEqual(
        Object.keys(columns)
          .map((name) => names[name] ?? name)
          .sort(),
      );
  },
);

test.each(STORES)("a row for %s has a value for every column", (_, tables, names, requests) => {
  const row = renamed(requestRow(recordOf(0), 1), names);
  expect(Object.keys(row).sort()).toEqual(
    columnsOf(tables, requests)
      .map(([name]) => name)
      .sort(),
  );
});

const TABLE: Table = { name: "requests", columns: [["model", "text"]], tail: "" };

test.each([
  ["a missing table", [], "has no table requests: run npm run migrate"],
  [
    "a missing column",
    [{ table: "requests", name: "box", type: "text" }],
    "has no column model in requests: run npm run migrate",
  ],
  [
    "a column of another type",
    [{ table: "requests", name: "model", type: "integer" }],
    "has type integer for requests.model; the type must be text",
  ],
])("the check reports %s", (_, found, message) => {
  expect(() => checkTables([TABLE], found)).toThrow(message);
});

test("the check accepts additional columns", () => {
  const found = ["model", "note"].map((name) => ({ table: "requests", name, type: "text" }));
  expect(() => checkTables([TABLE], found)).not.toThrow();
});

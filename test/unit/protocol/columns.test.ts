import { expect, test } from "vitest";
import { LogEntry } from "../../../protocol/api/logs.ts";
import {
  GPU_HISTORY,
  GPU_SAMPLE_COLUMNS,
  type GpuHistoryColumn,
  LOG_COLUMNS,
  LOG_ENTRY_FIELDS,
  RECORD_COLUMNS,
  REQUEST_COLUMNS,
  SYSTEM_HISTORY,
  SYSTEM_SAMPLE_COLUMNS,
  type SystemHistoryColumn,
} from "../../../protocol/columns.ts";
import { GpuSample, RequestRecord, SystemSample } from "../../../protocol/records.ts";

const sorted = (names: readonly string[]) => [...names].sort();

test("the table has a column for each field of a record, and only three derived ones besides", () => {
  expect(sorted(RECORD_COLUMNS)).toEqual(sorted(Object.keys(RequestRecord.shape)));
  const derived = Object.keys(REQUEST_COLUMNS).filter((name) => !(name in RequestRecord.shape));
  expect(derived).toEqual(["finished_at", "is_inference", "tokens_used"]);
});

test("the tables of samples have a column for each field of a sample", () => {
  expect(Object.keys(GPU_SAMPLE_COLUMNS)).toEqual([...Object.keys(GpuSample.shape), "simulated"]);
  expect(sorted(Object.keys(SYSTEM_SAMPLE_COLUMNS))).toEqual(
    sorted([...Object.keys(SystemSample.shape), "box"]),
  );
});

test.each([
  [RequestRecord.shape, REQUEST_COLUMNS],
  [GpuSample.shape, GPU_SAMPLE_COLUMNS],
  [SystemSample.shape, SYSTEM_SAMPLE_COLUMNS],
] as const)("a column is nullable exactly if its field is: table %#", (shape, columns) => {
  const nullable = Object.entries(columns).flatMap(([name, column]) =>
    name in shape ? [[name, column.nullable]] : [],
  );
  const accepted = Object.entries(shape).map(([name, field]) => [
    name,
    field.safeParse(null).success,
  ]);
  expect(Object.fromEntries(nullable)).toEqual(Object.fromEntries(accepted));
});

test("a log entry has the fields that the table shows, in the order of the exports", () => {
  expect(LOG_ENTRY_FIELDS).toEqual(Object.keys(LogEntry.shape));
  expect(LOG_ENTRY_FIELDS).toEqual(["id", "timestamp", ...LOG_COLUMNS]);
  expect(LOG_COLUMNS).not.toContain("finished_at");
});

test("the figures of the samples' history are numbers of the samples", () => {
  for (const name of Object.keys(GPU_HISTORY) as GpuHistoryColumn[])
    expect(GPU_SAMPLE_COLUMNS[name].type).toMatch(/float|double/);
  for (const name of Object.keys(SYSTEM_HISTORY) as SystemHistoryColumn[])
    expect(SYSTEM_SAMPLE_COLUMNS[name].type).toMatch(/double|count/);
});

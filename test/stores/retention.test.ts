/** Both stores delete rows past the retention in the settings, also in tables that exist. */
import { beforeEach, expect, test } from "vitest";
import type { ClickHouseStore } from "../../worker/export/clickhouse/clickhouse.ts";
import type { PostgresStore } from "../../worker/export/postgres/postgres.ts";
import { gpuRow, requestRow } from "../../worker/export/rows.ts";
import { storeSettingsOf } from "../../worker/export/settings.ts";
import { gpuOf, recordOf } from "../support/records.ts";
import { type FreshStores, faults, freshStores, statements, storesIn } from "./fresh-stores.ts";

const DAY_MS = 86_400_000;
const NOW = Date.now();
const SHORTER = {
  RETENTION_STORE_LOGS_DAYS: "10",
  RETENTION_STORE_SAMPLES_DAYS: "5",
  RETENTION_STORE_SUMS_DAYS: "200",
  RETENTION_AUDIT_DAYS: "100",
};

let stores: FreshStores;
beforeEach(async () => {
  stores = await freshStores();
});

const withSettings = (changed: Record<string, string>) =>
  storesIn(storeSettingsOf({ ...stores.variables, ...changed }));

const requests = (...daysAgo: number[]) => ({
  id: crypto.randomUUID(),
  kind: "requests" as const,
  rows: daysAgo.map((days, at) => requestRow(recordOf(NOW - days * DAY_MS, {}, at), NOW)),
});
const samples = (...daysAgo: number[]) => ({
  id: crypto.randomUUID(),
  kind: "gpu_samples" as const,
  rows: daysAgo.map((days) => gpuRow(gpuOf("atlas", NOW - days * DAY_MS), null)),
});

const totalIn = async (store: ClickHouseStore | PostgresStore) =>
  (await store.logs({ limit: 10, clearedMs: null })).total;

/** Reads the days after which ClickHouse deletes rows, by table. */
async function daysInClickHouse(): Promise<Record<string, number>> {
  const tables = await stores.ask.clickhouse(
    "SELECT name, engine_full FROM system.tables WHERE database = currentDatabase() AND engine_full LIKE '%TTL%'",
  );
  return Object.fromEntries(
    tables.map(({ name, engine_full }) => [
      name,
      Number(/TTL .*?toIntervalDay\((\d+)\)/.exec(String(engine_full))?.[1]),
    ]),
  );
}

test("Postgres deletes the rows that are older than the settings allow, and no others", async () => {
  const { postgres } = withSettings(SHORTER);
  await postgres.insert(requests(0, 9, 11, 89, 91));
  await postgres.insert(samples(0, 4, 6, 31));
  const minute = (days: number) =>
    `INSERT INTO request_minutes VALUES (now() - interval '${days} days', '', '', 1, 0, 0, 0, 0, 0, 0, 0, '{}', '{}')`;
  for (const days of [199, 201, 399, 401]) await stores.ask.postgres(minute(days));
  const left = async () => [
    await totalIn(postgres),
    (await stores.ask.postgres("SELECT 1 FROM gpu_samples")).length,
    (await stores.ask.postgres("SELECT 1 FROM request_minutes WHERE box = ''")).length,
  ];
  await stores.postgres.deleteOld();
  expect(await left()).toEqual([4, 3, 3]);
  await postgres.deleteOld();
  expect(await left()).toEqual([2, 2, 1]);
});

test("the migration changes the retention of tables that exist in ClickHouse, once", async () => {
  const asDefault = {
    requests: 90,
    requests_minutes: 400,
    gpu_samples: 30,
    system_samples: 30,
    energy_hours: 400,
    audit_log: 400,
  };
  expect(await daysInClickHouse()).toEqual(asDefault);
  await stores.clickhouse.insert(requests(0, 11));
  const { clickhouse } = withSettings(SHORTER);
  await expect(clickhouse.check()).rejects.toThrow(
    "keeps requests for another time than the settings RETENTION_*: run npm run migrate with them",
  );
  await clickhouse.migrate();
  expect(await daysInClickHouse()).toEqual({
    requests: 10,
    requests_minutes: 200,
    gpu_samples: 5,
    system_samples: 5,
    energy_hours: 200,
    audit_log: 100,
  });
  await stores.ask.clickhouse("OPTIMIZE TABLE requests FINAL");
  expect(await totalIn(clickhouse)).toBe(1);
  await faults("clickhouse", []);
  await clickhouse.migrate();
  expect((await statements("clickhouse")).filter((sql) => sql.includes("TTL "))).toEqual([]);
  await stores.clickhouse.migrate();
  expect(await daysInClickHouse()).toEqual(asDefault);
});

/** The tables are created, brought up to date, and fit the documented queries. */
import { beforeEach, expect, test } from "vitest";
import { requestRow } from "../../worker/export/rows.ts";
import { recordOf } from "../support/records.ts";
import { type FreshStores, freshStores } from "./fresh-stores.ts";

let stores: FreshStores;
const NOW = Date.now();

beforeEach(async () => {
  stores = await freshStores();
});

/** Mostly from the last hour. */
const RECORDS = [
  recordOf(NOW - 600_000, { latency_ms: 1_000 }, 1),
  recordOf(NOW - 600_000, { latency_ms: 5_000, prompt: "slow", response: "at last" }, 2),
  recordOf(
    NOW - 1_200_000,
    {
      model: "mistral",
      latency_ms: 9_000,
      status: "error",
      error_message: "out of memory",
      prompt: "slower",
    },
    3,
  ),
  recordOf(
    NOW - 1_200_000,
    { model: "mistral", latency_ms: 100, status: "error", error_message: "out of memory" },
    4,
  ),
  recordOf(
    NOW - 7_200_000,
    { model: "mistral", latency_ms: 200, status: "error", error_message: "no such model" },
    5,
  ),
  recordOf(
    NOW - 30 * 3_600_000,
    { latency_ms: 70_000, status: "error", error_message: "long ago", prompt: "slowest" },
    6,
  ),
];

const insertAll = () => {
  const rows = RECORDS.map((record) =>
    requestRow(record, Date.parse(record.started_at) + record.latency_ms),
  );
  const batch = { id: crypto.randomUUID(), kind: "requests" as const, rows };
  return Promise.all([stores.clickhouse.insert(batch), stores.postgres.insert(batch)]);
};

const atMs = (n: number) => Date.parse(RECORDS[n]?.started_at ?? "");
/** ClickHouse writes times without a zone; these are UTC. */
const timeOf = (text: unknown) => Date.parse(`${String(text).replace(" ", "T")}Z`);

test("ClickHouse answers the documented query for latency by time and model", async () => {
  await insertAll();
  const rows = await stores.ask.clickhouse(`SELECT timestamp, model, avg(latency_ms) as avg_latency
FROM requests
WHERE timestamp > now() - INTERVAL 1 HOUR
GROUP BY timestamp, model
ORDER BY timestamp DESC;`);
  expect(rows.map((row) => [timeOf(row.timestamp), row.model, row.avg_latency])).toEqual([
    [atMs(0), "llama3.2", 3_000],
    [atMs(2), "mistral", 4_550],
  ]);
});

test("ClickHouse answers the documented query for slow requests", async () => {
  await insertAll();
  const rows = await stores.ask.clickhouse(`SELECT model, prompt, response, latency_ms
FROM requests
WHERE latency_ms > 3000
ORDER BY latency_ms DESC
LIMIT 10;`);
  expect(rows).toEqual([
    {
      model: "llama3.2",
      prompt: "slowest",
      response: "A way to learn from data.",
      latency_ms: 70_000,
    },
    {
      model: "mistral",
      prompt: "slower",
      response: "A way to learn from data.",
      latency_ms: 9_000,
    },
    { model: "llama3.2", prompt: "slow", response: "at last", latency_ms: 5_000 },
  ]);
});

test("Postgres answers the documented query for requests by model", async () => {
  await insertAll();
  const rows = await stores.ask.postgres(`SELECT model, count(*) as total_requests,
       avg(latency_ms) as avg_latency,
       max(latency_ms) as max_latency
FROM request_logs
WHERE created_at > now() - interval '1 hour'
GROUP BY model
ORDER BY total_requests DESC;`);
  expect(rows).toHaveLength(2);
  expect(rows).toEqual(
    expect.arrayContaining([
      { model: "llama3.2", total_requests: "2", avg_latency: 3_000, max_latency: 5_000 },
      { model: "mistral", total_requests: "2", avg_latency: 4_550, max_latency: 9_000 },
    ]),
  );
});

test("Postgres answers the documented query for error patterns", async () => {
  await insertAll();
  const rows = await stores.ask.postgres(`SELECT model, error_message, count(*) as error_count
FROM request_logs
WHERE status = 'error'
AND created_at > now() - interval '24 hours'
GROUP BY model, error_message
ORDER BY error_count DESC;`);
  expect(rows).toEqual([
    { model: "mistral", error_message: "out of memory", error_count: "2" },
    { model: "mistral", error_message: "no such model", error_count: "1" },
  ]);
});

test.each(["clickhouse", "postgres"] as const)(
  "migrating %s again adds the columns that an earlier version lacked, and loses nothing",
  async (name) => {
    await insertAll();
    const table = name === "clickhouse" ? "requests" : "request_logs";
    await stores.ask[name](
      `ALTER TABLE ${table} DROP COLUMN energy_method, DROP COLUMN edge_ms, DROP COLUMN tunnel_ms`,
    );
    await stores.ask[name](
      `ALTER TABLE gpu_samples ADD COLUMN note ${name === "clickhouse" ? "String" : "text"}`,
    );
    await expect(stores[name].check()).rejects.toThrow(
      `has no column edge_ms in ${table}: run npm run migrate`,
    );
    await stores[name].migrate();
    await stores[name].check();
    const sums = name === "clickhouse" ? "requests_minutes" : "request_minutes";
    for (const column of ["energy_j", "cost", "co2_g"])
      await stores.ask[name](`ALTER TABLE ${sums} DROP COLUMN ${column}`);
    await expect(stores[name].check()).rejects.toThrow(`has no column energy_j in ${sums}`);
    await stores[name].migrate();
    await stores[name].check();
    expect((await stores[name].logs({ limit: 10, clearedMs: null })).total).toBe(6);
  },
);

test("the migration sums requests that Postgres had before the sums existed, once", async () => {
  const rows = RECORDS.map((record) =>
    requestRow(record, Date.parse(record.started_at) + record.latency_ms),
  );
  await stores.postgres.insert({ id: crypto.randomUUID(), kind: "requests", rows });
  const sums = () => stores.ask.postgres("SELECT * FROM request_minutes ORDER BY minute, model");
  const before = await sums();
  expect(before.length).toBeGreaterThan(3);
  await stores.ask.postgres("DROP TABLE request_minutes");
  await stores.postgres.migrate();
  expect(await sums()).toEqual(before);
  await stores.postgres.clear({ logs: false, metrics: true });
  await stores.postgres.migrate();
  expect(await sums()).toEqual([]);
});

test("a row that Postgres already has is not summed again, whatever batch it arrives in", async () => {
  const rows = RECORDS.map((record) => requestRow(record, NOW));
  const insert = (some: typeof rows) =>
    stores.postgres.insert({ id: crypto.randomUUID(), kind: "requests", rows: some });
  await Promise.all([insert(rows.slice(0, 3)), insert(rows.slice(2)), insert(rows)]);
  expect(
    await stores.ask.postgres(
      "SELECT sum(successes + errors)::int AS n, sum(cardinality(latency_bins))::int AS bins FROM request_minutes",
    ),
  ).toEqual([{ n: 6, bins: 2 }]);
});

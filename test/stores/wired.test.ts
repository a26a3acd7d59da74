/** The Aggregator and the routes with both stores configured: older data is read from a store. */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env, exports } from "cloudflare:workers";
import { beforeAll, expect, inject, test } from "vitest";
import { Health } from "../../protocol/api/fleet.ts";
import { Logs } from "../../protocol/api/logs.ts";
import { History } from "../../protocol/api/stats.ts";
import { GpuHistory, SystemHistory } from "../../protocol/api/system.ts";
import { Forgotten } from "../../worker/aggregator/forgotten.ts";
import { Ledger } from "../../worker/aggregator/ledger.ts";
import { aggregatorOf } from "../../worker/aggregator/stub.ts";
import { HELD_MS } from "../../worker/export/held-requests.ts";
import { RETENTION } from "../../worker/retention.ts";
import { settingsOf } from "../../worker/settings.ts";
import { gpuOf, helloOf, readingsOf, recordOf, systemOf } from "../support/records.ts";
import { askIn, faults, storesIn } from "./fresh-stores.ts";

const NOW = Date.now();
const DAY_MS = 86_400_000;
const aggregator = () => aggregatorOf(env);
const get = async (path: string) => (await exports.default.fetch(`http://localhost${path}`)).json();

/** Twelve records that the ledger forgot, and five that it has. */
const old = Array.from({ length: 12 }, (_, n) =>
  recordOf(NOW - 20 * DAY_MS + n * 60_000, { status: n % 3 === 0 ? "error" : "success" }, n),
);
const recent = Array.from({ length: 5 }, (_, n) => recordOf(NOW - 600_000 + n * 1_000, {}, n));
const newestFirst = [...old, ...recent].map(({ request_id }) => request_id).reverse();

/** Runs alarms until no records wait. */
async function flushed(): Promise<void> {
  for (let rounds = 0; rounds < 100; rounds++) {
    await runDurableObjectAlarm(aggregator());
    if (
      (await aggregator().observed()).stores.every(
        ({ health: { backlog, state } }) => backlog === 0 && state === "ok",
      )
    )
      return;
    await scheduler.wait(100);
  }
  throw new Error(JSON.stringify(await aggregator().observed()));
}

beforeAll(async () => {
  const stores = storesIn(settingsOf(env).stores);
  await Promise.all([stores.clickhouse.migrate(), stores.postgres.migrate()]);
  await aggregator().connected(helloOf("atlas"));
  await aggregator().ingest(old);
  await aggregator().ingest(recent);
  const samples = Array.from({ length: 400 }, (_, n) => gpuOf("atlas", NOW - n * 10_000));
  const system = Array.from({ length: 10 }, (_, n) => systemOf(NOW - n * 10_000));
  await aggregator().read("atlas", readingsOf(NOW, ["llama3.2:latest"], samples, [], system));
  await flushed();
  await runInDurableObject(aggregator(), (_, { storage }) =>
    new Ledger(storage.sql, new Forgotten(storage.sql)).forgetSlice(
      NOW - 10 * DAY_MS + RETENTION.logsMs,
      0,
      null,
    ),
  );
  await evictDurableObject(aggregator());
});

test("the alarm delivers requests and GPU samples, and health shows it", async () => {
  const { sinks, problems } = Health.parse(await get("/api/health"));
  expect(sinks.map(({ sink, state, backlog }) => [sink, state, backlog])).toEqual([
    ["clickhouse", "ok", 0],
    ["postgres", "ok", 0],
  ]);
  for (const { delivered } of sinks) expect(delivered).toBeGreaterThan(17);
  expect(problems.join()).not.toMatch(/clickhouse|postgres/);
});

test("both stores mark whether the box of a request or a GPU sample is simulated", async () => {
  const { ask } = askIn(settingsOf(env).stores);
  for (const table of ["requests", "gpu_samples"]) {
    const marks = [
      await ask.clickhouse(`SELECT simulated FROM ${table}`),
      await ask.postgres(`SELECT simulated FROM ${table.replace("requests", "request_logs")}`),
    ].map((rows) => [...new Set(rows.map(({ simulated }) => simulated))]);
    expect(marks).toEqual([[false], [false]]);
  }
});

test("the pages of the logs continue in the store where the ledger ends", async () => {
  const stores = new Set<string>();
  const ids: string[] = [];
  let path: string | null = "/api/stats/logs?limit=4";
  while (path !== null) {
    const page: Logs = Logs.parse(await get(path));
    stores.add(page.store);
    ids.push(...page.logs.map(({ id }) => id));
    path = page.next_cursor === null ? null : `/api/stats/logs?limit=4&cursor=${page.next_cursor}`;
  }
  expect(ids).toEqual(newestFirst);
  expect([...stores]).toEqual(["durable_object", "clickhouse"]);
});

test("the logs continue in the store with offsets and filters too", async () => {
  const page = Logs.parse(await get("/api/stats/logs?limit=100&offset=5"));
  expect(page).toMatchObject({ store: "clickhouse", total: 17, next: null });
  expect(page.logs.map(({ id }) => id)).toEqual(newestFirst.slice(5));
  const errors = Logs.parse(await get("/api/stats/logs?status=error"));
  expect(errors.logs.map(({ id }) => id)).toEqual(
    newestFirst.filter((id) => old.some((o) => o.request_id === id && o.status === "error")),
  );
});

test("an export contains the entries of the ledger and of the store", async () => {
  const answer = await exports.default.fetch("http://localhost/api/stats/logs?format=ndjson");
  const lines = new TextDecoder()
    .decode(await answer.arrayBuffer())
    .trim()
    .split("\n");
  expect(lines.map((line) => JSON.parse(line).id)).toEqual(newestFirst);
});

test("history comes from the object while it has it, and from the store if it is finer or older", async () => {
  const sums = async (path: string) => {
    const { store, metrics } = History.parse(await get(path));
    return [store, metrics.reduce((sum, { requests }) => sum + requests, 0)];
  };
  expect(await sums("/api/stats/history?time_range=30d")).toEqual(["durable_object", 17]);
  expect(await sums("/api/stats/history?time_range=365d")).toEqual(["clickhouse", 17]);
  const csv = await exports.default.fetch(
    "http://localhost/api/stats/history?time_range=30d&granularity=5m&format=csv",
  );
  expect(
    new TextDecoder()
      .decode(await csv.arrayBuffer())
      .trim()
      .split("\r\n"),
  ).toHaveLength(30 * 288 + 1);
});

test("samples come from the object while it has them, and from the store if they are older", async () => {
  const seen = async (path: string) => {
    const { store, data } = SystemHistory.parse(await get(path));
    return [
      store,
      data.some(
        ({ cpu_percent, gpu_utilization_percent }) =>
          cpu_percent === 25 && gpu_utilization_percent === 75,
      ),
    ];
  };
  expect(await seen("/api/system/history?time_range=24h")).toEqual(["durable_object", true]);
  expect(await seen("/api/system/history?time_range=7d&box=atlas")).toEqual(["clickhouse", true]);
  const { store, gpus, timestamps } = GpuHistory.parse(
    await get("/api/gpu/history?time_range=30d&max_points=10"),
  );
  expect([store, gpus.length, timestamps.length]).toEqual(["clickhouse", 1, 10]);
  // The samples of an hour are in two buckets if one of them ends in it.
  const shown = gpus[0]?.temperature_c.filter((value) => value !== null) ?? [];
  expect([...new Set(shown)]).toEqual([65]);
  expect(shown.length).toBeLessThanOrEqual(2);
});

test("data that only a store has is an error while the store is down, and the object's data is not", async () => {
  await faults("clickhouse", [{ times: 100, status: 503 }]);
  const answer = await exports.default.fetch("http://localhost/api/stats/logs?offset=5");
  expect(answer.status).toBe(503);
  expect(await answer.json()).toMatchObject({
    error: {
      code: "store_unavailable",
      message: expect.stringContaining("clickhouse answered HTTP 503"),
    },
  });
  expect(Logs.parse(await get("/api/stats/logs")).logs).toHaveLength(5);
  await faults("clickhouse", []);
  expect(inject("engines").EXPORTER_TYPE).toBe("both");
});

test("cleared data is not read from any store", async () => {
  await exports.default.fetch("http://localhost/api/data/all", { method: "DELETE" });
  expect(await get("/api/stats/logs")).toMatchObject({
    store: "durable_object",
    logs: [],
    total: 0,
  });
  const { metrics } = History.parse(await get("/api/stats/history?time_range=365d"));
  expect(metrics.every(({ requests }) => requests === 0)).toBe(true);
});

test("a record that an agent was killed in wakes the alarm when it is complete, or due", async () => {
  const alarmOf = () => runInDurableObject(aggregator(), (_, { storage }) => storage.getAlarm());
  const killed = (n: number) =>
    recordOf(
      Date.now() - 1_000,
      { status: "error", failed_at: "tunnel", http_status: 502 },
      900 + n,
    );
  const [completed, left] = [killed(1), killed(2)];
  await aggregator().report("atlas", [completed, left], 0);
  const wakesInTime = async () => {
    const atMs = await alarmOf();
    return atMs !== null && atMs <= Date.now() + HELD_MS;
  };
  await expect.poll(wakesInTime).toBe(true); // while an alarm runs, none is set
  await aggregator().complete({ ...completed, http_status: 200 });
  await flushed();
  const { ask } = askIn(settingsOf(env).stores);
  const rows = await ask.postgres(
    `SELECT http_status FROM request_logs WHERE request_id IN ('${completed.request_id}', '${left.request_id}')`,
  );
  expect(rows.map(({ http_status }) => Number(http_status))).toEqual([200]);
  expect(await alarmOf()).toBeLessThanOrEqual(Date.now() + HELD_MS);
});

/** The ledger inside the Aggregator: its pages, its migrations and its retention. */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { expect, test } from "vitest";
import { Logs } from "../../protocol/api/logs.ts";
import type { RequestRecord } from "../../protocol/records.ts";
import type { Aggregator } from "../../worker/aggregator/aggregator.ts";
import { LEDGER_ROWS_MAX, REFUSED_ROWS_MAX } from "../../worker/aggregator/ledger.ts";
import { MIGRATIONS } from "../../worker/aggregator/schema.ts";
import { RETENTION } from "../../worker/retention.ts";
import { idOf, recordOf } from "../support/records.ts";
import { historyOf, logsQuery, sum } from "./aggregator-queries.ts";
import { freshAggregator } from "./fresh-aggregator.ts";

const DAY_MS = 86_400_000;

test("returns logs newest first, filtered and in pages", async () => {
  const aggregator = await freshAggregator();
  const now = Date.now();
  const records = Array.from({ length: 25 }, (_, n) =>
    recordOf(now - n * 1_000, {
      status: n % 5 === 0 ? "error" : "success",
      model: n % 2 === 0 ? "llama3.2" : "mistral:latest",
      box: n < 20 ? "atlas" : "basil",
    }),
  );
  await aggregator.ingest(records);
  const page = Logs.parse(await aggregator.logs(logsQuery({ limit: 10 })));
  expect(page).toMatchObject({ total: 25, limit: 10, offset: 0, next: 10 });
  expect(page.logs.map(({ id }) => id)).toEqual(
    records.slice(0, 10).map(({ request_id }) => request_id),
  );
  const last = await aggregator.logs(logsQuery({ limit: 10, offset: 20 }));
  expect([last.logs.length, last.next]).toEqual([5, null]);
  expect(await aggregator.logs(logsQuery({ offset: 99 }))).toMatchObject({
    logs: [],
    total: 25,
    next: null,
  });
  expect((await aggregator.logs(logsQuery({ status: "error" }))).total).toBe(5);
  expect((await aggregator.logs(logsQuery({ model: "mistral" }))).total).toBe(12);
  expect(
    (await aggregator.logs(logsQuery({ model: "llama3.2:latest", box: "basil" }))).logs.map(
      ({ model }) => model,
    ),
  ).toEqual(Array(3).fill("llama3.2"));
});

test("returns a record in the log unchanged to the character, with null as null", async () => {
  const aggregator = await freshAggregator();
  const unknown = {
    prompt_tokens: null,
    completion_tokens: null,
    ttft_ms: null,
    decode_ms: null,
    response: null,
    box: null,
    model: null,
  };
  const record = recordOf(Date.now(), {
    ...unknown,
    stream: false,
    prompt: "é\0 \u{1f600}\n",
    latency_ms: 0.125,
  });
  await aggregator.ingest([record]);
  const { request_id, started_at, ...rest } = record;
  expect((await aggregator.logs(logsQuery())).logs).toEqual([
    { id: request_id, timestamp: started_at, ...rest, tokens_used: null },
  ]);
  expect(await aggregator.current()).toMatchObject({
    avg_latency_ms: 0.13,
    ttft_p50_ms: null,
    queue_depth: 0,
    models_in_use: [],
  });
});

test("returns null for the edge and tunnel times of a row older than those columns", async () => {
  const aggregator = await freshAggregator();
  const now = Date.now();
  await runInDurableObject(aggregator, async (_, { storage }) => {
    await storage.deleteAll();
    for (const migration of MIGRATIONS.slice(0, 5)) storage.sql.exec(migration);
    storage.sql.exec(
      "CREATE TABLE meta (key TEXT PRIMARY KEY, value REAL NOT NULL) STRICT, WITHOUT ROWID",
    );
    storage.sql.exec("INSERT INTO meta VALUES ('schema_version', 5), ('created_at_ms', 1000)");
    storage.sql.exec(
      `INSERT INTO ledger (request_id, started_at, finished_at_ms, endpoint, api, stream, status, http_status,
         latency_ms, resumed, prompt)
       VALUES (?, ?, ?, '/api/chat', 'ollama', 0, 'success', 200, 1250, 0, 'Hello')`,
      idOf(now),
      new Date(now).toISOString(),
      now,
    );
  });
  await evictDurableObject(aggregator);
  await aggregator.ingest([recordOf(now + 1)]);
  expect((await aggregator.logs(logsQuery())).logs).toMatchObject([
    { edge_ms: 4, tunnel_ms: 30 },
    { id: idOf(now), prompt: "Hello", latency_ms: 1_250, edge_ms: null, tunnel_ms: null },
  ]);
});

test("ends a page of long texts early, with next pointing to the rest", async () => {
  const aggregator = await freshAggregator();
  const now = Date.now();
  const records = Array.from({ length: 100 }, (_, n) =>
    recordOf(now + n, { response: "x".repeat(50_000) }),
  );
  await aggregator.ingest(records);
  const ids: string[] = [];
  for (let offset: number | null = 0; offset !== null; ) {
    const page: Logs = await aggregator.logs(logsQuery({ limit: 1_000, offset }));
    ids.push(...page.logs.map(({ id }) => id));
    offset = page.next;
  }
  expect(ids).toEqual(records.map(({ request_id }) => request_id).reverse());
});

test("deletes old rows at the alarm, and keeps every count", async () => {
  const aggregator = await freshAggregator();
  const now = Date.now();
  const old = Array.from({ length: 1_100 }, (_, n) => recordOf(now - 8 * DAY_MS - n * 60_000));
  await aggregator.ingest([...old, recordOf(now - 6 * DAY_MS)]);
  expect(await runDurableObjectAlarm(aggregator)).toBe(true);
  expect((await aggregator.logs(logsQuery())).total).toBe(1);
  expect((await aggregator.current()).total_requests).toBe(1_101);
  expect(await runInDurableObject(aggregator, (_, { storage }) => stepsOf(storage))).toEqual({
    60: 1,
    3600: expect.any(Number),
  });
  expect(
    sum(
      await historyOf(aggregator, { time_range: "30d", granularity: "1h" }),
      ({ requests }) => requests,
    ),
  ).toBe(1_101);
  // The next alarm is due when the last row expires.
  const next = await runInDurableObject(aggregator, (_, { storage }) => storage.getAlarm());
  expect(Math.abs((next ?? 0) - (now + RETENTION.logsMs - 6 * DAY_MS))).toBeLessThan(60_000);
});

test("counts a record once even if its row was deleted long ago", async () => {
  const aggregator = await freshAggregator();
  const old = Array.from({ length: 700 }, (_, n) => recordOf(Date.now() - 9 * DAY_MS + n));
  await aggregator.ingest(old);
  await runDurableObjectAlarm(aggregator);
  await evictDurableObject(aggregator);
  expect(await aggregator.ingest([...old, recordOf(Date.now() - 9 * DAY_MS + 1, {}, 77)])).toEqual({
    counted: 1,
  });
});

test("deletes the oldest rows beyond the ledger's number of rows, whatever their age", async () => {
  const aggregator = await freshAggregator();
  const now = Date.now();
  await ingestMany(aggregator, LEDGER_ROWS_MAX + 1_200, (n) =>
    recordOf(now - 60_000, { prompt: null, response: null }, n),
  );
  await aggregator.ingest([recordOf(now)]);
  await runDurableObjectAlarm(aggregator);
  const { logs, total } = await aggregator.logs(logsQuery({ limit: 1 }));
  expect(total).toBe(LEDGER_ROWS_MAX);
  expect(logs[0]?.id).toBe(idOf(now));
});

test("lets a flood of refused calls push out no other record, and counts all of them", async () => {
  const aggregator = await freshAggregator();
  const now = Date.now();
  const real = Array.from({ length: 3 }, (_, n) => recordOf(now - 120_000 - n));
  await aggregator.ingest(real);
  const refused = { box: null, status: "error", failed_at: "gateway", http_status: 400 } as const;
  await ingestMany(aggregator, REFUSED_ROWS_MAX + 1_200, (n) =>
    recordOf(now - 60_000, { ...refused, prompt: null, response: null }, n),
  );
  const last = recordOf(now, refused);
  await aggregator.ingest([last]);
  await runDurableObjectAlarm(aggregator);
  expect((await aggregator.logs(logsQuery({ status: "success" }))).total).toBe(real.length);
  expect((await aggregator.logs(logsQuery({ status: "error" }))).total).toBe(REFUSED_ROWS_MAX);
  expect((await aggregator.logs(logsQuery({ limit: 1 }))).logs[0]?.id).toBe(last.request_id);
  await aggregator.ingest([last, ...real]); // delivered again
  expect((await aggregator.current()).total_requests).toBe(real.length + REFUSED_ROWS_MAX + 1_201);
});

test("sets no alarm while nothing is stored, and a single one afterwards", async () => {
  const aggregator = await freshAggregator();
  const alarm = () => runInDurableObject(aggregator, (_, { storage }) => storage.getAlarm());
  expect(await alarm()).toBeNull();
  await aggregator.ingest([recordOf(Date.now())]);
  const first = await alarm();
  expect(first).not.toBeNull();
  await aggregator.ingest([recordOf(Date.now(), {}, 1)]);
  expect(await alarm()).toBe(first);
});

/** Ingests records in batches, inside the object: as messages they would take much longer. */
async function ingestMany(
  aggregator: DurableObjectStub<Aggregator>,
  count: number,
  of: (n: number) => RequestRecord,
): Promise<void> {
  await runInDurableObject(aggregator, async (object: Aggregator) => {
    for (let from = 0; from < count; from += 2_000) {
      const batch = Array.from({ length: Math.min(2_000, count - from) }, (_, n) => of(from + n));
      await object.ingest(batch);
    }
  });
}

const stepsOf = (storage: DurableObjectStorage) =>
  Object.fromEntries(
    storage.sql
      .exec("SELECT step, count(*) AS n FROM rollup GROUP BY step")
      .toArray()
      .map(({ step, n }) => [step, n]),
  );

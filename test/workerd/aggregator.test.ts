import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { expect, test } from "vitest";
import { Gpu } from "../../protocol/api/fleet.ts";
import { Logs, type LogsPage } from "../../protocol/api/logs.ts";
import { CurrentStats, HistoryPoint, HistoryQuery, Models } from "../../protocol/api/stats.ts";
import type { Aggregator } from "../../worker/aggregator/aggregator.ts";
import { LEDGER_MS, LEDGER_ROWS_MAX } from "../../worker/aggregator/ledger.ts";
import { MIGRATIONS } from "../../worker/aggregator/schema.ts";
import { spanOf } from "../../worker/answers/history.ts";
import type { BoxStatuses } from "../../worker/registered-box.ts";
import { parseExposition, seriesValue } from "../support/exposition-parser.ts";
import { gpuOf, helloOf, idOf, readingsOf, recordOf } from "../support/records.ts";
import { seeded } from "../support/seeded.ts";
import { freshAggregator } from "./fresh-aggregator.ts";

const DAY_MS = 86_400_000;
const LIVE: BoxStatuses = [{ name: "atlas", up: true, in_flight: 2, queue_depth: 1 }];

test("a record that is delivered twice counts once", async () => {
  const aggregator = await freshAggregator();
  const record = recordOf(Date.now());
  expect(await aggregator.ingest([record, record])).toEqual({ counted: 1 });
  expect(await aggregator.ingest([record, recordOf(Date.now(), {}, 1)])).toEqual({ counted: 1 });
  expect(await aggregator.current(LIVE)).toMatchObject({ total_requests: 2, total_tokens: 240 });
  expect((await aggregator.logs(logsQuery())).total).toBe(2);
});

test("the first of two different records of one request wins", async () => {
  const aggregator = await freshAggregator();
  const now = Date.now();
  await aggregator.ingest([recordOf(now, { status: "error", box: null, failed_at: "tunnel" })]);
  await aggregator.ingest([recordOf(now)]);
  expect(await aggregator.current(LIVE)).toMatchObject({ total_requests: 1, total_errors: 1 });
});

test("totals, rates and boxes survive an eviction of the object", async () => {
  const aggregator = await freshAggregator();
  const now = Date.now();
  await aggregator.ingest([
    recordOf(now - 5_000, { completion_tokens: 600 }),
    recordOf(now - 90_000, {}, 1),
  ]);
  await aggregator.read("atlas", readingsOf(now, ["llama3.2:latest"], [gpuOf("atlas", now)]));
  const look = async () => {
    const { uptime_seconds: _, timestamp: __, ...current } = await aggregator.current(LIVE);
    const { timestamp: ___, ...gpu } = await aggregator.gpu();
    return {
      current,
      gpu,
      models: await aggregator.models(),
      since: await aggregator.since(),
      boxes: await aggregator.registry(),
    };
  };
  const before = await look();
  expect(before.current.tokens_per_second).toBe(10);
  await evictDurableObject(aggregator);
  expect(await look()).toEqual(before);
});

test("counters equal the records after random batches with duplicates and evictions", async () => {
  const aggregator = await freshAggregator();
  const random = seeded(11);
  const now = Date.now();
  const pick = <Item>(...items: Item[]): Item => items[Math.floor(random() * items.length)] as Item;
  const all = Array.from({ length: 600 }, (_, n) =>
    recordOf(
      now - Math.floor(random() * 3_000_000),
      {
        status: pick("success", "error", "cancelled"),
        endpoint: pick("/api/chat", "/api/chat", "/api/tags"),
        box: pick("atlas", null),
        model: pick("llama3.2", "llama3.2:latest", "invented", null),
        prompt_tokens: pick(null, 7, 20),
        completion_tokens: pick(null, 0, 150),
        latency_ms: Math.floor(random() * 100_000),
      },
      n,
    ),
  );
  let counted = 0;
  for (let at = 0; at < all.length; at += 40) {
    const again = Array.from(
      { length: 15 },
      () => all[Math.floor(random() * (at + 40))] ?? recordOf(0),
    );
    counted += (await aggregator.ingest([...all.slice(at, at + 40), ...again])).counted;
    if (at % 160 === 0) await evictDurableObject(aggregator);
  }
  expect(counted).toBe(600);
  const inference = all.filter(({ endpoint }) => endpoint === "/api/chat");
  const tokens = sum(
    inference,
    ({ prompt_tokens, completion_tokens }) => (prompt_tokens ?? 0) + (completion_tokens ?? 0),
  );
  const latency = sum(inference, ({ latency_ms }) => latency_ms);
  const current = CurrentStats.parse(await aggregator.current(LIVE));
  expect(current).toMatchObject({
    total_requests: 600,
    total_tokens: tokens,
    total_errors: all.filter(({ status }) => status === "error").length,
    total_cancelled: all.filter(({ status }) => status === "cancelled").length,
    avg_latency_ms: Math.round((latency / inference.length) * 100) / 100,
  });
  const exact =
    inference.map(({ latency_ms }) => latency_ms).sort((a, b) => a - b)[
      Math.ceil(inference.length * 0.95) - 1
    ] ?? 0;
  expect(Math.abs((current.latency_p95_ms ?? 0) / exact - 1)).toBeLessThan(0.0055);
  const families = parseExposition(await aggregator.exposition(LIVE, false));
  expect(seriesValue(families, "ollama_requests_total")).toBe(600);
  expect(seriesValue(families, "ollama_tokens_generated_total")).toBe(tokens);
  const counts =
    families
      .get("ollama_request_latency_ms")
      ?.series.filter(({ name }) => name.endsWith("_count")) ?? [];
  expect(sum(counts, ({ value }) => value)).toBe(inference.length);
  const history = await historyOf(aggregator, { time_range: "6h" });
  expect(sum(history, ({ requests }) => requests)).toBe(600);
  expect(sum(history, (point) => point.tokens)).toBe(tokens);
  const names = new Set((await aggregator.models()).models.map(({ name }) => name));
  expect(names).toEqual(new Set(["llama3.2", "other"]));
});

test("logs are newest first, filtered and paged", async () => {
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

test("a log entry is the record, to the character, and null stays null", async () => {
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
  expect(await aggregator.current([])).toMatchObject({
    avg_latency_ms: 0.13,
    ttft_p50_ms: null,
    queue_depth: null,
    models_in_use: [],
  });
});

test("a row from before edge and tunnel times were kept has none", async () => {
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
      `INSERT INTO ledger (request_id, started_at, finished_at_ms, endpoint, api, stream, status, http_status, latency_ms, resumed, prompt)
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

test("a page of long texts ends early, and next leads on", async () => {
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

test("history has every bucket, and can be asked by model and box", async () => {
  const aggregator = await freshAggregator();
  const now = Date.now();
  await aggregator.ingest([
    recordOf(now - 40 * 60_000),
    recordOf(now - 40 * 60_000, { model: "invented", box: null }, 1),
  ]);
  const of = async (rest: Record<string, unknown>) =>
    (await historyOf(aggregator, rest)).map(({ requests }) => requests);
  const all = await of({});
  expect(all).toHaveLength(12);
  expect(all.filter((requests) => requests > 0)).toEqual([2]);
  expect(sum(await of({ model: "llama3.2:latest" }), Number)).toBe(1);
  expect(sum(await of({ box: "atlas", model: "other" }), Number)).toBe(0);
});

test("names that no box has are other; a deleted model keeps its name", async () => {
  const aggregator = await freshAggregator();
  const now = Date.now();
  await aggregator.ingest([recordOf(now, { model: "mistral" }, 1)]);
  await aggregator.read("atlas", readingsOf(now, [], [], ["mistral:latest"]));
  await aggregator.ingest([recordOf(now, { model: "mistral" }, 2), recordOf(now, {}, 3)]);
  await aggregator.read("atlas", readingsOf(now, ["llama3.2:latest"]));
  await aggregator.ingest([recordOf(now, { model: "mistral:latest" }, 4), recordOf(now, {}, 5)]);
  const { models } = Models.parse(await aggregator.models());
  expect(models.map(({ name, total_requests }) => [name, total_requests])).toEqual([
    ["mistral", 2],
    ["other", 2],
    ["llama3.2", 1],
  ]);
  expect(models[2]).toMatchObject({
    installed_on: ["atlas"],
    loaded_on: [],
    tokens_per_second: 100,
    error_rate: 0,
  });
  expect((await aggregator.current(LIVE)).models_in_use).toEqual(["mistral", "llama3.2"]);
});

test("the alarm deletes what is old, and keeps every count", async () => {
  const aggregator = await freshAggregator();
  const now = Date.now();
  const old = Array.from({ length: 1_100 }, (_, n) => recordOf(now - 8 * DAY_MS - n * 60_000));
  await aggregator.ingest([...old, recordOf(now - 6 * DAY_MS)]);
  expect(await runDurableObjectAlarm(aggregator)).toBe(true);
  expect((await aggregator.logs(logsQuery())).total).toBe(1);
  expect((await aggregator.current(LIVE)).total_requests).toBe(1_101);
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
  // The next one is due when the last row is.
  const next = await runInDurableObject(aggregator, (_, { storage }) => storage.getAlarm());
  expect(Math.abs((next ?? 0) - (now + LEDGER_MS - 6 * DAY_MS))).toBeLessThan(60_000);
});

test("a record whose row was deleted long ago still counts once", async () => {
  const aggregator = await freshAggregator();
  const old = Array.from({ length: 700 }, (_, n) => recordOf(Date.now() - 9 * DAY_MS + n));
  await aggregator.ingest(old);
  await runDurableObjectAlarm(aggregator);
  await evictDurableObject(aggregator);
  expect(await aggregator.ingest([...old, recordOf(Date.now() - 9 * DAY_MS + 1, {}, 77)])).toEqual({
    counted: 1,
  });
});

test("beyond its number of rows the ledger forgets the oldest, whatever their age", async () => {
  const aggregator = await freshAggregator();
  const now = Date.now();
  await runInDurableObject(aggregator, (_, { storage }) => {
    storage.sql.exec(
      `INSERT INTO ledger (request_id, started_at, finished_at_ms, endpoint, api, stream, status, http_status, latency_ms, resumed)
       WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
       SELECT format('%s-%012x', ?, i), ?, ?, '/api/tags', 'ollama', 0, 'success', 200, 1, 0 FROM n`,
      LEDGER_ROWS_MAX + 1_199,
      idOf(now - 60_000).slice(0, 23),
      new Date(now).toISOString(),
      now,
    );
  });
  await aggregator.ingest([recordOf(now)]);
  await runDurableObjectAlarm(aggregator);
  const { logs, total } = await aggregator.logs(logsQuery({ limit: 1 }));
  expect(total).toBe(LEDGER_ROWS_MAX);
  expect(logs[0]?.id).toBe(idOf(now));
});

test("an object that stores nothing sets no alarm, and one that does sets one", async () => {
  const aggregator = await freshAggregator();
  const alarm = () => runInDurableObject(aggregator, (_, { storage }) => storage.getAlarm());
  expect(await alarm()).toBeNull();
  await aggregator.ingest([recordOf(Date.now())]);
  const first = await alarm();
  expect(first).not.toBeNull();
  await aggregator.ingest([recordOf(Date.now(), {}, 1)]);
  expect(await alarm()).toBe(first);
});

test("a batch writes a row per record, and two per cell, whatever its size", async () => {
  const aggregator = await freshAggregator();
  const now = Date.now() - 120_000;
  const startedMs = now - (now % 60_000);
  const written = await runInDurableObject(
    aggregator,
    async (instance: Aggregator, { storage }) => {
      await instance.ingest([recordOf(startedMs)]);
      const before = changes(storage);
      await instance.ingest(Array.from({ length: 50 }, (_, n) => recordOf(startedMs, {}, n + 1)));
      return changes(storage) - before;
    },
  );
  expect(written).toBe(52);
});

test("a transaction that fails leaves no trace", async () => {
  const aggregator = await freshAggregator();
  const now = Date.now();
  await aggregator.ingest([recordOf(now)]);
  await runInDurableObject(aggregator, async (instance: Aggregator, { storage }) => {
    storage.sql.exec("ALTER TABLE rollup RENAME TO hidden");
    await expect(instance.ingest([recordOf(now, {}, 1)])).rejects.toThrow("rollup");
    storage.sql.exec("ALTER TABLE hidden RENAME TO rollup");
  });
  expect(await aggregator.current(LIVE)).toMatchObject({ total_requests: 1 });
  expect(await aggregator.ingest([recordOf(now, {}, 1)])).toEqual({ counted: 1 });
});

test("the registry follows a box through its life", async () => {
  const aggregator = await freshAggregator();
  const stateOf = async () => (await aggregator.registry())[0]?.state;
  expect(await stateOf()).toBe("up");
  await aggregator.draining("atlas");
  expect(await stateOf()).toBe("draining");
  await aggregator.gone("atlas", 5);
  expect(await stateOf()).toBe("draining"); // said before it connected
  await aggregator.gone("atlas", Date.now());
  expect(await stateOf()).toBe("down");
  await aggregator.gone("unheard-of", Date.now());
  expect(await aggregator.registry()).toHaveLength(1);
  await aggregator.connected(helloOf("atlas"));
  expect(await stateOf()).toBe("up");
});

test("readings that overtake the hello are not lost", async () => {
  const aggregator = await freshAggregator();
  await aggregator.read("basil", readingsOf(Date.now(), ["phi:latest"]));
  await aggregator.connected(helloOf("basil"));
  expect(
    (await aggregator.registry())[1]?.readings?.inventory.models.map(({ name }) => name),
  ).toEqual(["phi:latest"]);
});

test("the newest sample of each GPU is shown, and why a box shows none", async () => {
  const aggregator = await freshAggregator();
  const now = Date.now();
  const samples = [
    gpuOf("atlas", now - 2_000),
    gpuOf("atlas", now, { utilization_percent: 80 }),
    gpuOf("atlas", now, { index: 1, uuid: null }),
  ];
  await aggregator.read("atlas", readingsOf(now, [], samples));
  await aggregator.connected(helloOf("basil", { simulated: true }));
  await aggregator.read("basil", readingsOf(now, []));
  const gpu = Gpu.parse(await aggregator.gpu());
  expect(
    gpu.gpus.map(({ box, index, utilization_percent }) => [box, index, utilization_percent]),
  ).toEqual([
    ["atlas", 0, 80],
    ["atlas", 1, 75],
  ]);
  expect(gpu).toMatchObject({
    available: true,
    gpu_count: 2,
    errors: [{ box: "basil", error: "nvidia-smi was not found" }],
  });
  expect(await aggregator.gpu("basil")).toMatchObject({ available: false, gpus: [] });
  await aggregator.gone("atlas", Date.now());
  expect((await aggregator.gpu("atlas")).errors).toEqual([
    { box: "atlas", error: "the box is not connected" },
  ]);
});

test("readings between two samples keep the last one, and count as heard", async () => {
  const aggregator = await freshAggregator();
  const now = Date.now();
  await aggregator.read("atlas", readingsOf(now, [], [gpuOf("atlas", now)]));
  const none = readingsOf(now, []);
  await aggregator.read("atlas", { ...none, gpu: { ...none.gpu, available: true, error: null } });
  expect((await aggregator.gpu()).gpu_count).toBe(1);
  await aggregator.read("atlas", none);
  expect((await aggregator.gpu()).gpu_count).toBe(0);
});

test("quick readings are not all written, and samples are stored by the batch", async () => {
  const aggregator = await freshAggregator();
  const now = Date.now() - 60_000;
  const [boxRows, batches] = await runInDurableObject(
    aggregator,
    async (instance: Aggregator, { storage }) => {
      await instance.read("atlas", readingsOf(now, ["llama3.2:latest"], [gpuOf("atlas", now)]));
      const before = changes(storage);
      for (let n = 0; n < 14; n++)
        await instance.read(
          "atlas",
          readingsOf(now, ["llama3.2:latest"], [gpuOf("atlas", now, { index: n })]),
        );
      const written = changes(storage) - before;
      const many = Array.from({ length: 300 }, (_, n) => gpuOf("atlas", now, { index: n + 20 }));
      await instance.read("atlas", readingsOf(now, ["llama3.2:latest"], many));
      return [
        written,
        storage.sql.exec("SELECT json_array_length(gpu) AS samples FROM samples").toArray(),
      ];
    },
  );
  expect(boxRows).toBe(0);
  expect(batches).toEqual([{ samples: 314 }]);
});

const logsQuery = (rest: Partial<LogsPage> = {}): LogsPage => ({ limit: 100, ...rest });

async function historyOf(
  aggregator: DurableObjectStub<Aggregator>,
  asked: Record<string, unknown>,
): Promise<HistoryPoint[]> {
  const query = HistoryQuery.parse(asked);
  return (await aggregator.history(spanOf(query, Date.now()), query)).map((point) =>
    HistoryPoint.parse(point),
  );
}

const sum = <Item>(items: readonly Item[], of: (item: Item) => number): number =>
  items.reduce((total, item) => total + of(item), 0);

const changes = (storage: DurableObjectStorage): number =>
  Number(storage.sql.exec("SELECT total_changes() AS n").one().n);

const stepsOf = (storage: DurableObjectStorage) =>
  Object.fromEntries(
    storage.sql
      .exec("SELECT step, count(*) AS n FROM rollup GROUP BY step")
      .toArray()
      .map(({ step, n }) => [step, n]),
  );

/** Clearing stored data. */
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { expect, test } from "vitest";
import { Cleared, DataSummary } from "../../protocol/api/data.ts";
import type { Aggregator } from "../../worker/aggregator/aggregator.ts";
import { parseExposition, seriesValue } from "../support/exposition-parser.ts";
import { gpuOf, readingsOf, recordOf } from "../support/records.ts";
import { freshAggregator } from "./fresh-aggregator.ts";

/** Everything that the API shows about requests. */
async function shown(aggregator: DurableObjectStub<Aggregator>) {
  const { total_requests, total_tokens, tokens_per_second } = await aggregator.current();
  const { logs, total } = await aggregator.logs({ limit: 100 });
  const models = (await aggregator.models()).models.map(({ name }) => name);
  return {
    total_requests,
    total_tokens,
    tokens_per_second,
    models,
    logs: logs.map(({ id }) => id),
    total,
  };
}

const NOTHING = {
  total_requests: 0,
  total_tokens: 0,
  tokens_per_second: 0,
  models: [],
  logs: [],
  total: 0,
};

/** Requests that finished some seconds ago, so that clearing comes after all of them. */
const finished = (count: number) =>
  Array.from({ length: count }, (_, n) => recordOf(Date.now() - 10_000, {}, n));

test("the summary shows how much is stored, since when and where", async () => {
  const aggregator = await freshAggregator();
  expect(DataSummary.parse(await aggregator.dataSummary())).toMatchObject({
    metrics_count: 0,
    logs_count: 0,
    oldest_metric: null,
    newest_metric: null,
    oldest_log: null,
    logs_cleared_at: null,
    databases: [{ store: "durable_object", size_bytes: expect.any(Number) }],
  });
  const now = Date.now();
  await aggregator.ingest([recordOf(now - 3_600_000), recordOf(now - 5_000)]);
  const summary = DataSummary.parse(await aggregator.dataSummary());
  expect(summary).toMatchObject({
    metrics_count: 2,
    logs_count: 2,
    oldest_log: new Date(now - 3_600_000).toISOString(),
    newest_log: new Date(now - 5_000).toISOString(),
  });
  expect(Date.parse(summary.oldest_metric ?? "") % 60_000).toBe(0);
});

test("clearing logs keeps the counts, and neither repeated nor late deliveries bring logs back", async () => {
  const aggregator = await freshAggregator();
  const records = finished(700);
  const late = recordOf(Date.now() - 9_000, {}, 9_999);
  await aggregator.ingest(records);
  const before = await shown(aggregator);
  const answer = Cleared.parse(await aggregator.clear("logs"));
  expect(answer).toMatchObject({
    status: "cleared",
    type: "logs",
    results: { metrics_cleared: false, logs_cleared: true, model_stats_reset: false },
    stores: [{ store: "durable_object", metrics_deleted: 0, logs_deleted: 700, error: null }],
  });
  expect(await shown(aggregator)).toEqual({ ...before, logs: [], total: 0 });
  await evictDurableObject(aggregator);
  expect(await aggregator.ingest([...records, late, late])).toEqual({ counted: 1 });
  expect(await aggregator.ingest([late])).toEqual({ counted: 0 });
  expect(await shown(aggregator)).toMatchObject({ total_requests: 701, logs: [], total: 0 });
  const next = recordOf(Date.now() + 1_000);
  await aggregator.ingest([next]);
  expect((await shown(aggregator)).logs).toEqual([next.request_id]);
});

test("clearing metrics keeps the logs, and a late record appears only in the logs", async () => {
  const aggregator = await freshAggregator();
  const records = finished(3);
  await aggregator.ingest(records);
  await aggregator.read(
    "atlas",
    readingsOf(
      Date.now(),
      ["llama3.2:latest"],
      Array.from({ length: 300 }, (_, n) => gpuOf("atlas", n)),
    ),
  );
  expect(Cleared.parse(await aggregator.clear("metrics"))).toMatchObject({
    type: "metrics",
    results: { metrics_cleared: true, logs_cleared: false, model_stats_reset: true },
    stores: [{ metrics_deleted: 1, logs_deleted: 0 }],
  });
  const late = recordOf(Date.now() - 9_000, {}, 9_999);
  await aggregator.ingest([...records, late]);
  await evictDurableObject(aggregator);
  expect(await shown(aggregator)).toEqual({
    ...NOTHING,
    logs: [late, ...records.toReversed()].map(({ request_id }) => request_id),
    total: 4,
  });
  const families = parseExposition(await aggregator.exposition(false));
  expect(seriesValue(families, "ollama_requests_total")).toBe(0);
  expect(families.get("ollama_request_latency_ms")?.series).toEqual([]);
  const samples = await runInDurableObject(aggregator, (_, { storage }) =>
    storage.sql.exec("SELECT * FROM samples").toArray(),
  );
  expect(samples).toEqual([]);
  await aggregator.ingest([recordOf(Date.now() + 1_000)]);
  expect((await shown(aggregator)).total_requests).toBe(1);
});

test("clearing everything leaves nothing, and records that are delivered again do not count", async () => {
  const aggregator = await freshAggregator();
  const records = finished(5);
  await aggregator.ingest(records);
  expect(Cleared.parse(await aggregator.clear("all"))).toMatchObject({
    results: { metrics_cleared: true, logs_cleared: true, model_stats_reset: true },
  });
  expect(await shown(aggregator)).toEqual(NOTHING);
  await aggregator.ingest([...records, recordOf(Date.now() - 8_000, {}, 77)]);
  await evictDurableObject(aggregator);
  expect(await shown(aggregator)).toEqual(NOTHING);
});

test("a request that is open while everything is cleared counts when it finishes", async () => {
  const aggregator = await freshAggregator();
  const { cleared_at } = await aggregator.clear("all");
  await aggregator.ingest([recordOf(Date.parse(cleared_at) - 60_000, { latency_ms: 60_001 })]);
  expect(await shown(aggregator)).toMatchObject({ total_requests: 1, total: 1 });
});

test("a failed clear deletes nothing", async () => {
  const aggregator = await freshAggregator();
  await aggregator.ingest(finished(3));
  const before = await shown(aggregator);
  await runInDurableObject(aggregator, async (instance: Aggregator, { storage }) => {
    storage.sql.exec("ALTER TABLE rollup RENAME TO hidden");
    await expect(instance.clear("all")).rejects.toThrow("rollup");
    storage.sql.exec("ALTER TABLE hidden RENAME TO rollup");
  });
  expect(await shown(aggregator)).toEqual(before);
  await aggregator.ingest(finished(4));
  expect(await shown(aggregator)).toMatchObject({ total: 7 });
});

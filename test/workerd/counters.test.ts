/** The counters, which are in memory between two checkpoints: what is counted after an eviction. */
import { evictDurableObject } from "cloudflare:test";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { RequestRecord } from "../../protocol/records.ts";
import { readingsOf, recordOf } from "../support/records.ts";
import { seeded } from "../support/seeded.ts";
import { historyOf, sum } from "./aggregator-queries.ts";
import { freshAggregator } from "./fresh-aggregator.ts";

const MINUTE_MS = 60_000;

beforeEach(() => void vi.useFakeTimers({ toFake: ["Date"] }));
afterEach(() => void vi.useRealTimers());

const later = (ms: number) => vi.setSystemTime(Date.now() + ms);

test("counts every record once over checkpoints, late records, clears and evictions", async () => {
  const aggregator = await freshAggregator();
  const random = seeded(7);
  const known: RequestRecord[] = [];
  let [total, tokens, logs, clearedMs] = [0, 0, 0, 0];
  for (let step = 0; step < 120; step++) {
    const act = random();
    if (act < 0.65) {
      const isLate = random() < 0.15;
      const startedMs = Date.now() - (isLate ? 50 * MINUTE_MS : 2_000);
      const batch = Array.from({ length: 1 + Math.floor(random() * 5) }, (_, n) =>
        recordOf(startedMs - n, { completion_tokens: Math.floor(random() * 500) }, step),
      );
      const again = known.filter(() => random() < 0.05);
      expect(await aggregator.ingest([...batch, ...again])).toEqual({ counted: batch.length });
      known.push(...batch);
      total += batch.length;
      logs += batch.filter(
        (record) => Date.parse(record.started_at) + record.latency_ms > clearedMs,
      ).length;
      tokens += sum(batch, ({ completion_tokens }) => completion_tokens ?? 0);
    } else if (act < 0.8) await evictDurableObject(aggregator);
    else if (act < 0.95) later(random() * 8 * MINUTE_MS);
    else {
      clearedMs = Date.now();
      await aggregator.clear("logs");
      logs = 0;
      later(2_000);
    }
    expect(await aggregator.current(), `step ${step}`).toMatchObject({
      total_requests: total,
      total_tokens: tokens,
    });
    const history = await historyOf(aggregator, { time_range: "24h", granularity: "1h" });
    expect(sum(history, ({ requests }) => requests)).toBe(total);
  }
  expect((await aggregator.logs({ limit: 1 })).total).toBe(logs);
});

test("counts nothing again after the metrics were cleared", async () => {
  const aggregator = await freshAggregator();
  await aggregator.ingest([recordOf(Date.now() - 5_000)]);
  await aggregator.clear("metrics");
  later(5_000);
  await aggregator.ingest([recordOf(Date.now() - 2_000)]);
  await evictDurableObject(aggregator);
  expect(await aggregator.current()).toMatchObject({ total_requests: 1 });
});

test("counts a model as before, even if its box no longer has it after a restart", async () => {
  const aggregator = await freshAggregator();
  await aggregator.ingest([
    recordOf(Date.now(), { model: "llama3.2:latest" }, 1),
    recordOf(Date.now(), { model: "invented" }, 2),
    recordOf(Date.now(), { model: null }, 3),
  ]);
  const before = (await aggregator.models()).models.map(({ name }) => name);
  await aggregator.read("atlas", readingsOf(Date.now(), ["invented:latest"]));
  await evictDurableObject(aggregator);
  expect((await aggregator.models()).models.map(({ name }) => name)).toEqual(before);
  expect(before.toSorted()).toEqual(["llama3.2", "other"]);
});

test("counts a record that the edge completed once", async () => {
  const aggregator = await freshAggregator();
  const record = recordOf(Date.now() - 2_000, { status: "error", failed_at: "tunnel" });
  await aggregator.ingest([record], true);
  await aggregator.complete({ ...record, http_status: 504, latency_ms: 9_000 });
  await evictDurableObject(aggregator);
  expect(await aggregator.current()).toMatchObject({ total_requests: 1, total_errors: 1 });
});

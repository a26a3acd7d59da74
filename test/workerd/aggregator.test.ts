/** How the Aggregator counts records. */
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { expect, test } from "vitest";
import { CurrentStats, Models } from "../../protocol/api/stats.ts";
import type { Aggregator } from "../../worker/aggregator/aggregator.ts";
import { parseExposition, seriesValue } from "../support/exposition-parser.ts";
import { gpuOf, readingsOf, recordOf } from "../support/records.ts";
import { seeded } from "../support/seeded.ts";
import { changes, historyOf, logsQuery, sum } from "./aggregator-queries.ts";
import { freshAggregator } from "./fresh-aggregator.ts";

test("counts a record that is delivered twice once", async () => {
  const aggregator = await freshAggregator();
  const record = recordOf(Date.now());
  expect(await aggregator.ingest([record, record])).toEqual({ counted: 1 });
  expect(await aggregator.ingest([record, recordOf(Date.now(), {}, 1)])).toEqual({ counted: 1 });
  expect(await aggregator.current()).toMatchObject({
    total_requests: 2,
    total_tokens: 200,
    total_prompt_tokens: 40,
  });
  expect((await aggregator.logs(logsQuery())).total).toBe(2);
});

test("keeps the first of two different records of one request", async () => {
  const aggregator = await freshAggregator();
  const now = Date.now();
  await aggregator.ingest([recordOf(now, { status: "error", box: null, failed_at: "tunnel" })]);
  await aggregator.ingest([recordOf(now)]);
  expect(await aggregator.current()).toMatchObject({ total_requests: 1, total_errors: 1 });
});

test("completes the record of a restarted agent with the edge's status and latency", async () => {
  const aggregator = await freshAggregator();
  const now = Date.now();
  const interrupted = {
    status: "error",
    failed_at: "tunnel",
    http_status: 502,
    latency_ms: 7,
    completion_tokens: 93,
  } as const;
  const known = { ...interrupted, http_status: 200, latency_ms: 5_800, prompt: null } as const;
  await aggregator.ingest([recordOf(now, interrupted), recordOf(now, {}, 1)]);
  await aggregator.complete(recordOf(now, { ...known, completion_tokens: null }));
  // A request that ended well is not changed, and one without a record gets the edge's.
  await aggregator.complete(recordOf(now, known, 1));
  await aggregator.complete(recordOf(now, known, 2));
  const { logs } = await aggregator.logs(logsQuery());
  const of = (n: number) => logs.find(({ id }) => id === recordOf(now, {}, n).request_id);
  expect(of(0)).toMatchObject({
    ...interrupted,
    http_status: 200,
    latency_ms: 5_800,
    prompt: "What is machine learning?",
  });
  expect(of(1)).toMatchObject({ status: "success", latency_ms: 1_250 });
  expect(of(2)).toMatchObject(known);
  expect(await aggregator.current()).toMatchObject({
    total_requests: 3,
    avg_latency_ms: 1_250,
  });
});

test("keeps totals, rates and boxes when the object is evicted", async () => {
  const aggregator = await freshAggregator();
  const now = Date.now();
  await aggregator.ingest([
    recordOf(now - 5_000, { completion_tokens: 600 }),
    recordOf(now - 90_000, {}, 1),
  ]);
  await aggregator.read("atlas", readingsOf(now, ["llama3.2:latest"], [gpuOf("atlas", now)]));
  const snapshot = async () => {
    const { uptime_seconds: _, timestamp: __, ...current } = await aggregator.current();
    const { timestamp: ___, ...gpu } = await aggregator.gpu();
    return {
      current,
      gpu,
      models: await aggregator.models(),
      since: await aggregator.countedSince(),
      boxes: await aggregator.registry(),
    };
  };
  const before = await snapshot();
  expect(before.current.tokens_per_second).toBe(10);
  await evictDurableObject(aggregator);
  expect(await snapshot()).toEqual(before);
});

test("counts exactly the records after random batches with duplicates and evictions", async () => {
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
    const repeated = Array.from(
      { length: 15 },
      () => all[Math.floor(random() * (at + 40))] ?? recordOf(0),
    );
    counted += (await aggregator.ingest([...all.slice(at, at + 40), ...repeated])).counted;
    if (at % 160 === 0) await evictDurableObject(aggregator);
  }
  expect(counted).toBe(600);
  const inference = all.filter(({ endpoint }) => endpoint === "/api/chat");
  const tokens = sum(inference, ({ completion_tokens }) => completion_tokens ?? 0);
  const promptTokens = sum(inference, ({ prompt_tokens }) => prompt_tokens ?? 0);
  const answered = inference.filter(({ status }) => status === "success");
  const latency = sum(answered, ({ latency_ms }) => latency_ms);
  const current = CurrentStats.parse(await aggregator.current());
  expect(current).toMatchObject({
    total_requests: 600,
    total_tokens: tokens,
    total_prompt_tokens: promptTokens,
    total_errors: all.filter(({ status }) => status === "error").length,
    total_cancelled: all.filter(({ status }) => status === "cancelled").length,
    avg_latency_ms: Math.round((latency / answered.length) * 100) / 100,
  });
  const exact =
    answered.map(({ latency_ms }) => latency_ms).sort((a, b) => a - b)[
      Math.ceil(answered.length * 0.95) - 1
    ] ?? 0;
  expect(Math.abs((current.latency_p95_ms ?? 0) / exact - 1)).toBeLessThan(0.0055);
  const families = parseExposition(await aggregator.exposition(false));
  expect(seriesValue(families, "ollama_requests_total")).toBe(600);
  expect(seriesValue(families, "ollama_tokens_generated_total")).toBe(tokens);
  expect(seriesValue(families, "ollama_prompt_tokens_total")).toBe(promptTokens);
  const counts =
    families
      .get("ollama_request_latency_ms")
      ?.series.filter(({ name }) => name.endsWith("_count")) ?? [];
  expect(sum(counts, ({ value }) => value)).toBe(answered.length);
  const history = await historyOf(aggregator, { time_range: "6h" });
  expect(sum(history, ({ requests }) => requests)).toBe(600);
  expect(sum(history, (point) => point.tokens)).toBe(tokens);
  expect(sum(history, (point) => point.prompt_tokens)).toBe(promptTokens);
  const names = new Set((await aggregator.models()).models.map(({ name }) => name));
  expect(names).toEqual(new Set(["llama3.2", "other"]));
});

test("returns every bucket of the history, for one model or box if requested", async () => {
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

test("counts a model that no box has as other, and keeps the name of a deleted model", async () => {
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
  expect((await aggregator.current()).models_in_use).toEqual(["mistral", "llama3.2"]);
});

test("leaves a model that was only copied or deleted out of the models in use", async () => {
  const aggregator = await freshAggregator();
  const now = Date.now();
  await aggregator.read("atlas", readingsOf(now, [], [], ["mistral:latest", "llama3.2:latest"]));
  await aggregator.ingest([
    recordOf(now, { model: "mistral", endpoint: "/api/copy" }, 1),
    recordOf(now, { model: "mistral", endpoint: "/api/delete" }, 2),
    recordOf(now, {}, 3),
  ]);
  expect((await aggregator.current()).models_in_use).toEqual(["llama3.2"]);
});

test("writes one row for a batch of records, and its counters only from time to time", async () => {
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
  expect(written).toBe(1);
});

test("leaves no trace of a failed transaction", async () => {
  const aggregator = await freshAggregator();
  const now = Date.now();
  const late = recordOf(now - 3_600_000, {}, 1);
  await aggregator.ingest([recordOf(now)]);
  await runInDurableObject(aggregator, async (instance: Aggregator, { storage }) => {
    storage.sql.exec("ALTER TABLE rollup RENAME TO hidden");
    // A late record has the counters written with it.
    await expect(instance.ingest([late])).rejects.toThrow("rollup");
    storage.sql.exec("ALTER TABLE hidden RENAME TO rollup");
  });
  expect(await aggregator.current()).toMatchObject({ total_requests: 1 });
  expect(await aggregator.ingest([late])).toEqual({ counted: 1 });
});

/** Totals, history, models, costs and metrics by key, also after a restart. */
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { expect, test } from "vitest";
import { Costs, CostsQuery } from "../../protocol/api/costs.ts";
import { Models } from "../../protocol/api/stats.ts";
import { Tariff } from "../../protocol/tariff.ts";
import type { Aggregator } from "../../worker/aggregator/aggregator.ts";
import { recordOf } from "../support/records.ts";
import { historyOf, sum } from "./aggregator-queries.ts";
import { freshAggregator } from "./fresh-aggregator.ts";

type Stub = DurableObjectStub<Aggregator>;

const KWH = 3.6e6;
const HOUR_MS = 3_600_000;
let n = 0;
const record = (key_id: string | null, rest: Parameters<typeof recordOf>[1] = {}, agoMs = 0) =>
  recordOf(Date.now() - agoMs, { key_id, energy_j: KWH, latency_ms: 0, ...rest }, n++);

async function usedEdge(): Promise<Stub> {
  const aggregator = await freshAggregator();
  const prices = [{ from: 0, to: 24, price_per_kwh: 0.5 }];
  await aggregator.putTariff(Tariff.parse({ currency: "EUR", default: { prices } }), []);
  await aggregator.ingest([
    record("caller", {}, HOUR_MS),
    record("caller", { status: "error" }),
    record("admin", { model: null, energy_j: null }),
    record(null),
  ]);
  return aggregator;
}

const costsOf = async (aggregator: Stub, query: object) =>
  Costs.parse(
    await aggregator.costs(
      CostsQuery.parse({ from: new Date(Date.now() - 24 * HOUR_MS).toISOString(), ...query }),
    ),
  );

test.each([
  ["in memory", async () => {}],
  ["after a crash, from the ledger", (aggregator: Stub) => evictDurableObject(aggregator)],
  [
    "after a restart, from storage",
    async (aggregator: Stub) => {
      await aggregator.dataSummary(); // writes the counters
      await evictDurableObject(aggregator);
    },
  ],
])("the requests of each key are counted apart: %s", async (_description, restart) => {
  const aggregator = await usedEdge();
  await restart(aggregator);
  const { usages } = await aggregator.usedKeys();
  expect(Object.keys(usages).sort()).toEqual(["admin", "caller"]);
  expect(usages.caller).toMatchObject({
    requests: 2,
    errors: 1,
    prompt_tokens: 40,
    completion_tokens: 200,
    energy_j: 2 * KWH,
    cost_currency: "EUR",
  });
  expect(usages.admin).toMatchObject({ requests: 1, energy_j: null, cost: null });
  expect(await aggregator.current("caller")).toMatchObject({ total_requests: 2, total_errors: 1 });
  expect(await aggregator.current("nobody")).toMatchObject({
    total_requests: 0,
    avg_latency_ms: null,
    tokens_per_second: 0,
  });
  const { models } = Models.parse(await aggregator.models("caller"));
  expect(models).toMatchObject([{ name: "llama3.2", total_requests: 2 }]);
  for (const granularity of ["10s", "5m", "1h"] as const) {
    const time_range = granularity === "10s" ? "5m" : "24h";
    const points = await historyOf(aggregator, { time_range, granularity, key: "caller" });
    expect(sum(points, ({ requests }) => requests)).toBe(granularity === "10s" ? 1 : 2);
    const other = { time_range, granularity, key: "caller", model: "qwen3" };
    expect(sum(await historyOf(aggregator, other), ({ requests }) => requests)).toBe(0);
  }
});

test("costs are divided among keys, and the rest belongs to none", async () => {
  const aggregator = await usedEdge();
  const { rows, total } = await costsOf(aggregator, { by: "key" });
  const shown = rows.map(({ group, key_name, requests, energy_j, cost }) => [
    group,
    key_name,
    requests,
    energy_j,
    cost,
  ]);
  expect(shown).toEqual([
    ["caller", "CALLER_KEY", 2, 2 * KWH, shown[0]?.[4]],
    ["admin", "ADMIN_KEY", 1, null, null],
    [null, null, 1, KWH, shown[2]?.[4]],
  ]);
  expect(total).toMatchObject({ requests: 4, energy_j: 3 * KWH });
  const own = await costsOf(aggregator, { by: "model", key: "caller" });
  expect(own.total).toMatchObject({ requests: 2, energy_j: 2 * KWH, idle_energy_j: null });
  expect((await costsOf(aggregator, { key: "nobody" })).rows).toEqual([]);
});

test("each valid key has metrics, with its name as a label of one", async () => {
  const text = await (await usedEdge()).exposition(false);
  expect(text).toContain('ollama_key_info{key="caller",name="CALLER_KEY"} 1');
  expect(text).toContain('ollama_key_requests_total{key="caller",status="error"} 1');
  expect(text).toContain('ollama_key_tokens_total{key="caller",kind="completion"} 200');
});

test("an edge without keys writes nothing about them, and clearing leaves nothing", async () => {
  const rows = (aggregator: Stub) =>
    runInDurableObject(aggregator, (_, { storage }) =>
      Number(storage.sql.exec("SELECT count(*) AS n FROM key_hours").one().n),
    );
  const open = await freshAggregator();
  await open.ingest([record(null)]);
  await open.dataSummary();
  expect(await rows(open)).toBe(0);
  const keyed = await usedEdge();
  await keyed.dataSummary();
  expect(await rows(keyed)).toBeGreaterThan(0);
  await keyed.clear("metrics");
  expect(await rows(keyed)).toBe(0);
  expect((await keyed.usedKeys()).usages).toEqual({});
});

/** The tariff: set through the API, and the costs of the requests that are recorded under it. */
import { evictDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeEach, expect, test } from "vitest";
import { ApiError } from "../../protocol/api/shapes.ts";
import { TariffState } from "../../protocol/api/tariff.ts";
import { aggregatorOf } from "../../worker/aggregator/stub.ts";
import { helloOf, recordOf } from "../support/records.ts";
import { logOf, call as openCall } from "./calls.ts";
import { ADMIN, bearer, CALLER, call, METRICS, READ, STATS } from "./keyed-edge.ts";

const KWH = 3.6e6;

const rate = (price_per_kwh: number, co2_g_per_kwh: number | null = null) => ({
  prices: [{ from: 0, to: 24, price_per_kwh }],
  co2_g_per_kwh,
});
const tariff = { currency: "EUR", default: rate(0.3, 400) };

const put = (body: unknown) =>
  openCall("/api/tariff", { method: "PUT", body: JSON.stringify(body) });
const remove = () => openCall("/api/tariff", { method: "DELETE" });
const clear = () => openCall("/api/data/metrics", { method: "DELETE" });
const state = async (answer: Response) => TariffState.parse(await answer.json());

/** Waits until the clock shows a later time: a tariff is in force from the ms in which it was set. */
async function nextMs(): Promise<number> {
  const before = Date.now();
  while (Date.now() <= before) await new Promise((resolve) => setTimeout(resolve, 1));
  return Date.now();
}

let n = 0;
/** Records a request of 1 kWh that begins now and ends at once. Returns its log entry. */
async function record(rest: Parameters<typeof recordOf>[1] = {}) {
  const now = await nextMs();
  const given = recordOf(
    now,
    { energy_j: KWH, energy_method: "instant", latency_ms: 0, ...rest },
    n++,
  );
  await aggregatorOf(env).ingest([given]);
  return logOf(given.request_id);
}

beforeEach(async () => {
  await clear();
  await remove();
});

test("a tariff is stored, survives a restart of the object, and can be removed", async () => {
  expect((await state(await openCall("/api/tariff"))).tariff).toBeNull();
  const set = await state(await put(tariff));
  expect(set.tariff).toEqual({
    currency: "EUR",
    default: { time_zone: "UTC", ...rate(0.3, 400) },
    boxes: {},
    compared_with: null,
  });
  expect(set.changed_at).not.toBeNull();
  await evictDurableObject(aggregatorOf(env));
  expect(await state(await openCall("/api/tariff"))).toEqual(set);
  expect((await state(await remove())).tariff).toBeNull();
  expect((await state(await openCall("/api/tariff"))).tariff).toBeNull();
});

test.each([
  ["admin", ADMIN, 200, 200],
  ["reading", READ, 200, 403],
  ["statistics", STATS, 200, 403],
  ["calling", CALLER, 403, 403],
  ["metrics", METRICS, 403, 403],
  ["no", "", 401, 401],
])(
  "with a key for %s the tariff is read and changed as far as it allows",
  async (_name, key, reads, changes) => {
    const headers = key === "" ? {} : bearer(key);
    expect((await call("/api/tariff", { headers })).status).toBe(reads);
    const body = JSON.stringify(tariff);
    expect((await call("/api/tariff", { method: "PUT", body, headers })).status).toBe(changes);
    expect((await call("/api/tariff", { method: "DELETE", headers })).status).toBe(changes);
  },
);

test("a request gets its cost and CO2 when it is recorded, and keeps them when the tariff changes", async () => {
  const before = await record();
  expect(before).toMatchObject({ cost: null, cost_currency: null, co2_g: null });
  await put(tariff);
  const first = await record();
  expect(first).toMatchObject({ cost: 0.3, cost_currency: "EUR", co2_g: 400 });
  await put({ ...tariff, default: rate(0) });
  expect(await record()).toMatchObject({ cost: 0, cost_currency: "EUR", co2_g: null });
  await remove();
  expect(await record()).toMatchObject({ cost: null, co2_g: null });
  expect(await logOf(before?.id ?? "")).toMatchObject({ cost: null });
  expect(await logOf(first?.id ?? "")).toEqual(first);
});

test("energy that is unknown has no cost, and an agent cannot state one", async () => {
  await put(tariff);
  const claimed = { cost: 1e6, cost_currency: "USD", co2_g: 1 };
  expect(await record({ ...claimed, energy_j: null, energy_method: null })).toMatchObject({
    energy_j: null,
    cost: null,
    cost_currency: null,
    co2_g: null,
  });
  expect(await record(claimed)).toMatchObject({ cost: 0.3, cost_currency: "EUR", co2_g: 400 });
});

test("a record that arrives late is priced by the tariff of the time in which it ran", async () => {
  await put(tariff);
  const startedMs = await nextMs();
  await nextMs();
  await put({ ...tariff, default: rate(5) });
  const late = recordOf(startedMs, { energy_j: KWH, latency_ms: 0 }, n++);
  await aggregatorOf(env).ingest([late]);
  expect(await logOf(late.request_id)).toMatchObject({ cost: 0.3 });
});

test("a box with a rate of its own is priced by it", async () => {
  await aggregatorOf(env).connected(helloOf("zeus"));
  const answer = await put({
    ...tariff,
    boxes: { zeus: { ...rate(0.1), time_zone: "Asia/Tokyo" } },
  });
  expect(answer.status).toBe(200);
  expect(await record({ box: "zeus" })).toMatchObject({ cost: 0.1, co2_g: null });
  expect(await record({ box: "atlas" })).toMatchObject({ cost: 0.3 });
});

test("a tariff may name boxes that are configured but never connected", async () => {
  const body = JSON.stringify({ ...tariff, boxes: { office: rate(0.2) } });
  const answer = await call("/api/tariff", { method: "PUT", body, headers: bearer(ADMIN) });
  expect(answer.status).toBe(200);
  const other = JSON.stringify({ ...tariff, boxes: { nowhere: rate(0.2), office: rate(1) } });
  const refused = await call("/api/tariff", { method: "PUT", body: other, headers: bearer(ADMIN) });
  expect(refused.status).toBe(400);
  expect(ApiError.parse(await refused.json()).error).toMatchObject({
    code: "bad_request",
    message: expect.stringMatching(/no box named nowhere\. Known boxes: .*office/),
  });
});

test.each([
  [
    "a negative price",
    { ...tariff, default: rate(-1) },
    /prices\.0\.price_per_kwh: must be 0 or more/,
  ],
  ["an unknown currency", { ...tariff, currency: "XYZ" }, /currency: "XYZ" is not a currency/],
  [
    "a gap in the hours",
    { ...tariff, default: { prices: [{ from: 0, to: 23, price_per_kwh: 1 }] } },
    /default\.prices: hours without a price: 23/,
  ],
  [
    "an unknown time zone",
    { ...tariff, default: { ...rate(1), time_zone: "Nowhere/City" } },
    /time_zone/,
  ],
  ["no body", "", /empty|JSON/],
])("refuses %s in the shape of the API, and keeps the tariff", async (_name, body, reason) => {
  await put(tariff);
  const answer = await (body === "" ? openCall("/api/tariff", { method: "PUT" }) : put(body));
  expect(answer.status).toBe(400);
  expect(ApiError.parse(await answer.json()).error).toMatchObject({
    code: "bad_request",
    failed_at: "gateway",
    message: expect.stringMatching(reason),
  });
  expect((await state(await openCall("/api/tariff"))).tariff).toMatchObject(tariff);
});

test("the currency cannot change while the metrics contain costs", async () => {
  await put(tariff);
  expect((await put({ ...tariff, currency: "USD" })).status).toBe(200); // nothing was priced yet
  await record();
  const refused = await put(tariff);
  expect(refused.status).toBe(409);
  expect(ApiError.parse(await refused.json()).error).toMatchObject({
    code: "currency_in_use",
    message: expect.stringContaining("costs in USD"),
  });
  await remove();
  expect((await put(tariff)).status).toBe(409);
  await clear();
  expect((await put(tariff)).status).toBe(200);
});

test("a record of a time with another currency has no cost", async () => {
  await put({ ...tariff, currency: "USD" });
  const startedMs = await nextMs();
  await nextMs();
  await put(tariff);
  const late = recordOf(startedMs, { energy_j: KWH, latency_ms: 0 }, n++);
  await aggregatorOf(env).ingest([late]);
  expect(await logOf(late.request_id)).toMatchObject({ cost: null, cost_currency: null });
});

/** The explanation of a period, from the records of an edge. */
import { env, exports } from "cloudflare:workers";
import { beforeAll, expect, test } from "vitest";
import { PeriodExplanation } from "../../protocol/api/explanation.ts";
import { aggregatorOf } from "../../worker/aggregator/stub.ts";
import { CHANGED_AT, PERIOD_TO, plantedRecords } from "../support/planted-period.ts";

const SHIFT_MS = Date.now() - PERIOD_TO - 1_000;
const HOUR_MS = 3_600_000;
const iso = (ms: number) => new Date(ms).toISOString();

const ask = async (query: Record<string, string>) => {
  const path = `http://localhost/api/stats/explanation?${new URLSearchParams(query)}`;
  return PeriodExplanation.parse(await (await exports.default.fetch(path)).json());
};

beforeAll(async () => {
  await aggregatorOf(env).ingest(plantedRecords("models", 1, SHIFT_MS));
});

test("names when and why the requests of the last hour became slow", async () => {
  const { latency, changed_from, causes, text, is_whole, before, during } = await ask({});
  expect(latency).toBe("rose");
  expect(Math.abs(Date.parse(changed_from ?? "") - CHANGED_AT - SHIFT_MS)).toBeLessThan(60_000);
  expect(causes).toMatchObject([{ kind: "reloads", box: "atlas", count: expect.any(Number) }]);
  expect(causes[0]?.models.toSorted()).toEqual(["llama3.2:latest", "mistral:latest"]);
  expect(text).toMatch(/^P95 rose from 2\.\d s to 9\.\d s at .*alternate on atlas, \d+ reloads/);
  expect(is_whole).toBe(true);
  expect(before.latency_p95_ms).toBeLessThan(3_000);
  expect(during.latency_p95_ms).toBeGreaterThan(9_000);
});

test("has its times in the zone of the caller", async () => {
  const { changed_from, text } = await ask({ time_zone: "Asia/Kolkata" });
  const local = new Intl.DateTimeFormat("en-GB", { timeZone: "Asia/Kolkata", timeStyle: "short" });
  expect(text).toContain(` at ${local.format(Date.parse(changed_from ?? ""))}`);
});

test("narrows to a model and still names the one that pushes it out", async () => {
  const { causes, during } = await ask({ model: "llama3.2" });
  expect(causes[0]?.models).toContain("mistral:latest");
  expect(during.requests).toBeLessThan((await ask({})).during.requests);
});

test("a period before, and one without requests, have no cause", async () => {
  const usual = await ask({
    since: iso(Date.now() - 1.5 * HOUR_MS),
    until: iso(Date.now() - HOUR_MS),
  });
  expect(usual).toMatchObject({ latency: "steady", causes: [], changed_from: null });
  const none = await ask({
    since: iso(Date.now() - 50 * HOUR_MS),
    until: iso(Date.now() - 40 * HOUR_MS),
  });
  expect(none).toMatchObject({ latency: "unknown", causes: [], during: { requests: 0 } });
  expect(none.text).toBe("No model answered a request in this period.");
});

test.each([
  { time_zone: "Mars/Olympus" },
  { since: iso(Date.now()), until: iso(Date.now() - 1_000) },
  { seconds: "604801" },
])("refuses %j", async (query) => {
  const path = `http://localhost/api/stats/explanation?${new URLSearchParams(query as Record<string, string>)}`;
  expect((await exports.default.fetch(path)).status).toBe(400);
});

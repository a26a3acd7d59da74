/** Clearing stored data, and settings that change at run time. */
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env, exports } from "cloudflare:workers";
import { afterEach, expect, test } from "vitest";
import { Config } from "../../protocol/api/config.ts";
import { Cleared, DataSummary } from "../../protocol/api/data.ts";
import { ApiError } from "../../protocol/api/shapes.ts";
import { FrameType, parsePayload } from "../../protocol/frames.ts";
import { EdgeSettings, Welcome } from "../../protocol/messages.ts";
import type { Aggregator } from "../../worker/aggregator/aggregator.ts";
import { aggregatorOf } from "../../worker/aggregator/stub.ts";
import { parseExposition, seriesValue } from "../support/exposition-parser.ts";
import { gpuOf, readingsOf, recordOf } from "../support/records.ts";
import { eventually } from "./calls.ts";
import { FakeAgent } from "./fake-agent.ts";
import { freshAggregator } from "./fresh-aggregator.ts";

/** Everything that the API shows about requests. */
async function shown(aggregator: DurableObjectStub<Aggregator>) {
  const { total_requests, total_tokens, tokens_per_second } = await aggregator.current([]);
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
  const families = parseExposition(await aggregator.exposition([], false));
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

const call = (path: string, init?: RequestInit) =>
  exports.default.fetch(`http://localhost${path}`, init);
const patch = (body: unknown) =>
  call("/api/config", {
    method: "PATCH",
    body: typeof body === "string" ? body : JSON.stringify(body),
  });

afterEach(async () => {
  await patch({ enable_instrumentation: null, log_content: null });
});

test("settings change at run time, survive a restart of the object and can be reset", async () => {
  expect(Config.parse(await (await call("/api/config")).json())).toMatchObject({
    enable_instrumentation: true,
    exporter_type: "none",
    metrics_export_interval: 5,
    log_content: "on",
    changed_at: null,
    retention: { logs_days: 7, minutes_days: 7, hours_days: 90, samples_hours: 24 },
  });
  const changed = Config.parse(await (await patch({ log_content: "off" })).json());
  expect(changed).toMatchObject({ log_content: "off", enable_instrumentation: true });
  expect(changed.changed_at).not.toBeNull();
  await evictDurableObject(aggregatorOf(env));
  expect(Config.parse(await (await call("/api/config")).json())).toEqual(changed);
  expect(Config.parse(await (await patch({ log_content: null })).json())).toMatchObject({
    log_content: "on",
    changed_at: null,
  });
});

test("with content off no text is kept, not even of a record that was on its way", async () => {
  await patch({ log_content: "off" });
  const record = recordOf(Date.now(), { prompt: "canary-prompt", response: "canary-response" });
  await aggregatorOf(env).ingest([record]);
  const { logs } = await aggregatorOf(env).logs({ limit: 100 });
  expect(logs.find(({ id }) => id === record.request_id)).toMatchObject({
    prompt: null,
    response: null,
    tokens_used: 120,
  });
});

test("with content off an error that may quote text is stored as a code", async () => {
  await patch({ log_content: "off" });
  const failures = [
    ["ollama", 500],
    ["gateway", 400],
    ["gateway", 503],
    ["tunnel", 504],
  ] as const;
  const records = failures.map(([failed_at, http_status], n) =>
    recordOf(
      Date.now(),
      { status: "error", failed_at, http_status, error_message: "canary-text" },
      n,
    ),
  );
  await aggregatorOf(env).ingest(records);
  const { logs } = await aggregatorOf(env).logs({ limit: 100 });
  const stored = records.map(
    ({ request_id }) => logs.find(({ id }) => id === request_id)?.error_message,
  );
  const sentence = "The message is not stored because LOG_CONTENT is off.";
  expect(stored).toEqual([
    `ollama_error: ${sentence}`,
    `bad_request: ${sentence}`,
    "canary-text", // our own sentence
    "canary-text",
  ]);
});

test("passes a change of content to connected agents, except to those that would refuse it", async () => {
  const agent = await FakeAgent.dial("settled");
  agent.hello("settled", crypto.randomUUID(), true);
  const older = await FakeAgent.connect("settled-older");
  const next = async () =>
    parsePayload(EdgeSettings, (await agent.next(FrameType.settings)).payload);
  expect(await next()).toEqual({ keep_text: true });
  await patch({ log_content: "off" });
  expect(await next()).toEqual({ keep_text: false });
  await patch({ log_content: null });
  expect(await next()).toEqual({ keep_text: true });
  expect(older.frames.filter(({ type }) => type === FrameType.settings)).toEqual([]);
  expect(older.closed).toBeNull();
});

test("welcomes an agent with the settings in force, not with the deployed ones", async () => {
  await patch({ log_content: "off" });
  const welcomeOf = async (takesSettings: boolean) => {
    const agent = await FakeAgent.dial("in-force");
    agent.hello("in-force", "11111111-1111-4111-8111-111111111111", takesSettings);
    return parsePayload(Welcome, (await agent.next(FrameType.welcome)).payload).keep_text;
  };
  expect(await welcomeOf(true)).not.toBe(true);
  await eventually(async () =>
    (await aggregatorOf(env).registry()).find(({ name }) => name === "in-force"),
  );
  await patch({ log_content: "off" }); // the Box knows now
  expect(await welcomeOf(false)).toBe(false);
});

test("with instrumentation off nothing is recorded, and health reports it", async () => {
  await patch({ enable_instrumentation: false });
  const record = recordOf(Date.now());
  expect(await aggregatorOf(env).ingest([record])).toEqual({ counted: 0 });
  expect(await (await call("/api/health")).json()).toMatchObject({
    status: "degraded",
    concerns: expect.arrayContaining([
      {
        code: "recording_off",
        severity: "warning",
        subject: { kind: "edge" },
        since: null,
        params: {},
      },
    ]),
    problems: expect.arrayContaining(["Recording is off: requests are served but not recorded"]),
  });
});

test.each([
  ["no settings", {}, /at least one setting to change/],
  ["an unknown field", { log_contents: "off" }, /log_contents/],
  ["a setting that needs a deployment", { exporter_type: "both" }, /exporter_type/],
  ["a wrong type", { enable_instrumentation: "no" }, /boolean/],
  ["a wrong value", { log_content: "maybe" }, /log_content/],
  ["an array", [], /object/],
  ["invalid JSON", "{", /not valid JSON/],
  ["an empty body", "", /empty/],
])("a patch with %s is rejected with the reason", async (_description, body, reason) => {
  const answer = await patch(body);
  expect(answer.status).toBe(400);
  const { error } = ApiError.parse(await answer.json());
  expect(error).toMatchObject({
    code: "bad_request",
    failed_at: "gateway",
    message: expect.stringMatching(reason),
  });
});

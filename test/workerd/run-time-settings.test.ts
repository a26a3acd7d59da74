/** Settings that change at run time. */
import { evictDurableObject } from "cloudflare:test";
import { env, exports } from "cloudflare:workers";
import { afterEach, expect, test } from "vitest";
import { Config } from "../../protocol/api/config.ts";
import { ApiError } from "../../protocol/api/shapes.ts";
import { FrameType, parsePayload } from "../../protocol/frames.ts";
import { EdgeSettings, Welcome } from "../../protocol/messages.ts";
import { aggregatorOf } from "../../worker/aggregator/stub.ts";
import { recordOf } from "../support/records.ts";
import { eventually } from "./calls.ts";
import { FakeAgent } from "./fake-agent.ts";

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
  agent.hello("settled", crypto.randomUUID(), { takes_settings: true });
  const older = await FakeAgent.connect("settled-older");
  const next = async () =>
    parsePayload(EdgeSettings, (await agent.next(FrameType.settings)).payload);
  expect(await next()).toEqual({ keep_text: true, pins: [] });
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
    agent.hello("in-force", "11111111-1111-4111-8111-111111111111", {
      takes_settings: takesSettings,
    });
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

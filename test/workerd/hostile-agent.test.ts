/**
 * A hostile agent: it has the secret of its box and serves real requests, and then lies about them and
 * about others. The ledger must not believe it.
 */
import { env, runInDurableObject } from "cloudflare:test";
import { beforeAll, expect, test } from "vitest";
import { FrameType, parsePayload, tunnelFrame } from "../../protocol/frames.ts";
import { factsOf, Open } from "../../protocol/messages.ts";
import type { ReportedRecord } from "../../protocol/records.ts";
import type { Aggregator } from "../../worker/aggregator/aggregator.ts";
import { SEAL_ACCEPTED_MS, SEAL_KEY_MS, SealKeys } from "../../worker/aggregator/seal-keys.ts";
import { aggregatorOf } from "../../worker/aggregator/stub.ts";
import { forgetBoxes } from "../../worker/gateway/known-fleet.ts";
import worker from "../../worker/index.ts";
import { sealOf, verdictOn } from "../../worker/seal.ts";
import { idOf, recordOf } from "../support/records.ts";
import { call, logOf } from "./calls.ts";
import { FakeAgent } from "./fake-agent.ts";

const BOX = "hostile";
const CALLER = "caller-key-0123456789";
const KEYS = { ...env, AUTH_MODE: "keys", ADMIN_KEY: "admin-key-0123456789", CALLER_KEY: CALLER };

let agent: FakeAgent;
let position = 0;

const connect = (box: string) =>
  FakeAgent.connect(box, crypto.randomUUID(), {}, {}, { returns_seals: true });

beforeAll(async () => {
  agent = await connect(BOX);
  forgetBoxes();
});

/** Serves a request of the caller, and returns the record that an honest agent would report. */
async function served(): Promise<ReportedRecord> {
  const request = new Request("https://edge.example/ollama/api/chat", {
    method: "POST",
    headers: { authorization: `Bearer ${CALLER}`, "x-box": BOX, "user-agent": "test" },
    body: JSON.stringify({ model: "m:1b", messages: [] }),
  });
  const waiting: Promise<unknown>[] = [];
  const ctx = {
    waitUntil: (promise: Promise<unknown>) => void waiting.push(promise),
    passThroughOnException: () => {},
    props: {},
  } as unknown as ExecutionContext;
  const answered = Promise.resolve(worker.fetch(request, KEYS, ctx));
  const { stream, payload } = await agent.next(FrameType.open);
  agent.answer(stream, 200, [["content-type", "application/json"]], "{}");
  await (await answered).arrayBuffer();
  await Promise.all(waiting);
  const open = parsePayload(Open, payload);
  return {
    ...recordOf(Date.now()),
    ...factsOf(stream, open),
    box: BOX,
    latency_ms: 1,
    ttft_ms: null,
    seal: open.seal,
  };
}

/** Reports records, and waits until the edge has confirmed them. */
async function report(from: FakeAgent, ...records: object[]): Promise<void> {
  position++;
  from.send(tunnelFrame(FrameType.records, { position, records }));
  await from.next(FrameType.recorded);
}

const untrustedOf = async (box: string) =>
  Object.fromEntries(
    (await aggregatorOf(env).observed()).untrusted
      .filter((count) => count.box === box)
      .map(({ reason, records }) => [reason, records]),
  );

test("records an honest report with the facts of the edge, once", async () => {
  const honest = await served();
  await report(agent, honest);
  await report(agent, honest, honest);
  expect(await logOf(honest.request_id)).toMatchObject({
    source: "edge",
    box: BOX,
    key_id: "caller",
    user_agent: "test",
    timestamp: honest.started_at,
  });
  expect(await untrustedOf(BOX)).toEqual({});
});

test.each([
  ["another key", { key_id: "admin" }],
  ["no key", { key_id: null }],
  ["another time", { started_at: "2026-01-01T00:00:00.000Z" }],
  ["another model", { model: "gpt-oss" }],
  ["another endpoint", { endpoint: "/api/generate" }],
  ["another API", { api: "openai" as const }],
  ["a streamed answer", { stream: false }],
  ["another time at the edge", { edge_ms: 0.5 }],
  ["another address", { client_ip: "203.0.113.9" }],
  ["another program", { user_agent: "curl" }],
  ["another request", { request_id: idOf(Date.now(), 99) }],
  ["another signature", { seal: "AAAAAA.AAAA" }],
  ["no seal", { seal: undefined }],
])("refuses a report that claims %s", async (_, claim) => {
  const honest = await served();
  const before = await untrustedOf(BOX);
  const forged = { ...honest, ...claim };
  await report(agent, forged);
  expect(await logOf(forged.request_id)).toBeUndefined();
  const after = await untrustedOf(BOX);
  const sum = (counts: Record<string, number>) => Object.values(counts).reduce((a, b) => a + b, 0);
  expect(sum(after)).toBe(sum(before) + 1);
  // The truth is still welcome.
  await report(agent, honest);
  expect(await logOf(honest.request_id)).toMatchObject({ key_id: "caller" });
});

test("refuses a request of another box", async () => {
  const other = await connect("accomplice");
  const honest = await served();
  await report(other, honest, { ...honest, box: "accomplice" });
  expect(await logOf(honest.request_id)).toBeUndefined();
  expect(await untrustedOf("accomplice")).toEqual({ seal: 2 });
});

test("refuses requests that nobody made, and takes no key for calls of its listener", async () => {
  const invented = recordOf(Date.now(), { key_id: "admin" }, 1);
  const local = recordOf(Date.now(), { key_id: "admin", source: "listener" }, 2);
  const future = recordOf(Date.parse("2099-01-01T00:00:00Z"), { source: "listener" });
  const made = recordOf(Date.now(), { source: "listener", endpoint: "/api/made-up" }, 3);
  await report(agent, invented, local, future, made, { nonsense: true });
  for (const { request_id } of [invented, future, made])
    expect(await logOf(request_id)).toBeUndefined();
  expect(await logOf(local.request_id)).toMatchObject({ source: "listener", key_id: null });
  expect(await untrustedOf(BOX)).toMatchObject({
    no_seal: expect.any(Number),
    time: 1,
    endpoint: 1,
    malformed: 1,
  });
});

test("drops figures that cannot be true from a sealed record", async () => {
  const honest = await served();
  const absurd = {
    latency_ms: 1e300,
    completion_tokens: 2 ** 53 - 1,
    energy_j: 1e12,
    decode_ms: 1e9,
  };
  await report(agent, { ...honest, ...absurd });
  const entry = await logOf(honest.request_id);
  expect(entry).toMatchObject({ completion_tokens: null, energy_j: null, decode_ms: null });
  expect(entry?.latency_ms).toBeLessThan(60_000);
});

test("shows what it did not believe as a metric and as a concern", async () => {
  const metrics = await (await call("/api/metrics")).text();
  expect(metrics).toMatch(/ollama_untrusted_records_total\{box="hostile",reason="seal"\} [1-9]/);
  const health = (await (await call("/api/health")).json()) as {
    problems: string[];
    concerns: object[];
  };
  expect(health.concerns).toContainEqual(
    expect.objectContaining({
      code: "records_untrusted",
      subject: { kind: "box", box: BOX },
    }),
  );
});

test("an agent without seals is believed about the work, but not about the caller", async () => {
  const old = await FakeAgent.connect("old-agent");
  const claimed = recordOf(Date.now(), { key_id: "admin", source: null }, 5);
  await report(old, claimed);
  expect(await logOf(claimed.request_id)).toMatchObject({
    source: "unsealed",
    box: "old-agent",
    key_id: null,
    client_ip: null,
    completion_tokens: 100,
  });
});

test("an agent that returned seals cannot do without them by claiming to be older", async () => {
  const [box, id] = ["downgraded", crypto.randomUUID()];
  const first = await FakeAgent.connect(box, id, {}, {}, { returns_seals: true });
  await report(first); // its HELLO has reached the registry before
  const invented = recordOf(Date.now() + 50, { source: null }, 6);
  await report(await FakeAgent.connect(box, id), invented);
  expect(await logOf(invented.request_id)).toBeUndefined();
  expect(await untrustedOf(box)).toEqual({ no_seal: 1 });
  await aggregatorOf(env).forgetBox(box); // as an administrator can, for an older agent
  await report(await FakeAgent.connect(box, id), invented);
  expect(await logOf(invented.request_id)).toMatchObject({ source: "unsealed" });
});

test("a new key seals every 30 days, and earlier ones are accepted for 90", async () => {
  await runInDurableObject(
    env.AGGREGATOR.getByName("seal-keys"),
    async (object: Aggregator, { storage }) => {
      await object.fleet();
      storage.sql.exec("DELETE FROM seal_keys");
      const keys = new SealKeys(storage.sql);
      const first = keys.current(0);
      expect(keys.current(SEAL_KEY_MS - 1)).toEqual(first);
      const facts = recordOf(0);
      const seal = await sealOf(first, facts);
      const second = keys.current(SEAL_KEY_MS);
      expect(second.id).not.toBe(first.id);
      const again = new SealKeys(storage.sql); // restarted
      expect(again.current(SEAL_KEY_MS)).toEqual(second);
      expect(await verdictOn(seal, facts, again.accepted(SEAL_ACCEPTED_MS - 1))).toBe("valid");
      expect(await verdictOn(seal, facts, again.accepted(SEAL_ACCEPTED_MS))).toBe("unknown");
      again.current(SEAL_ACCEPTED_MS);
      expect(new SealKeys(storage.sql).accepted(0)).not.toContainEqual(first);
    },
  );
});

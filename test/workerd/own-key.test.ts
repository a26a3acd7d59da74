/** `GET /api/keys/self` and `/api/costs/self`: a key reads its own rights, usage and costs. */
import { env } from "cloudflare:test";
import { expect, test } from "vitest";
import { Costs } from "../../protocol/api/costs.ts";
import type { Keys, MadeKey, OwnKey } from "../../protocol/api/keys.ts";
import { aggregatorOf } from "../../worker/aggregator/stub.ts";
import { recordOf } from "../support/records.ts";
import { call as openCall } from "./calls.ts";
import { FakeBox } from "./fake-box.ts";
import { ADMIN, bearer, CALLER, call, keys } from "./keyed-edge.ts";

const make = async (policy: object) =>
  (
    await call("/api/keys", {
      method: "POST",
      headers: bearer(ADMIN),
      body: JSON.stringify({ scopes: ["infer"], ...policy }),
    })
  ).json<MadeKey>();

const selfOf = async (key: string) =>
  (await call("/api/keys/self", { headers: bearer(key) })).json<OwnKey>();

test("a key of any scope sees itself, and no other key", async () => {
  await using _box = await FakeBox.connect("atlas", ["qwen3:8b", "llama3.2:latest"]);
  const made = await make({ name: "Ada", models: ["qwen3:*"] });
  await make({ name: "Grace" });
  const own = await selfOf(made.key);
  expect(own).toMatchObject({
    scopes: ["infer"],
    key: { id: made.id, name: "Ada", models: ["qwen3:*"], state: "valid", usage: { requests: 0 } },
    usage: { requests: 0 },
  });
  expect(own.models).toEqual(["qwen3:8b"]);
  expect(JSON.stringify(own)).not.toContain("Grace");
  expect(JSON.stringify(own)).not.toContain(made.key);
});

test("a list has the rest of the limits of valid keys if it is requested with it", async () => {
  const limited = await make({ name: "Limited", limits: { requests: { day: 5 } } });
  const free = await make({ name: "Free" });
  const ended = await make({ name: "Ended", limits: { parallel: 1 } });
  await call(`/api/keys/${ended.id}`, { method: "DELETE", headers: bearer(ADMIN) });
  const listed = async (query: string, bindings = keys()) => {
    const answer = await call(`/api/keys${query}`, { headers: bearer(ADMIN) }, bindings);
    const found = (await answer.json<Keys>()).keys;
    return [limited, free, ended].map(({ id }) => found.find((key) => key.id === id)?.left);
  };
  const day = expect.objectContaining({ limit: 5, used: 0, remaining: 5 });
  expect(await listed("?left=true")).toEqual([{ requests: { day } }, null, undefined]);
  expect(await listed("")).toEqual([undefined, undefined, undefined]);
  const QUOTA = { getByName: () => ({ left: () => Promise.reject(new Error("moved")) }) };
  expect(await listed("?left=true", keys({ QUOTA: QUOTA as never }))).toEqual([
    undefined,
    null,
    undefined,
  ]);
});

test("a configured key sees itself, and a caller of an open edge has no key and all scopes", async () => {
  expect(await selfOf(CALLER)).toMatchObject({
    scopes: ["infer"],
    key: { id: "caller", name: "CALLER_KEY", source: "setting" },
  });
  const open = await (await openCall("/api/keys/self")).json<OwnKey>();
  expect([open.key, open.usage, open.scopes.includes("admin")]).toEqual([null, null, true]);
});

test("a key reads the costs of its own requests over time, and those of no other", async () => {
  await using _box = await FakeBox.connect("atlas", ["llama3.2:latest", "mistral:latest"]);
  const [ada, grace] = [await make({ name: "Ada" }), await make({ name: "Grace" })];
  const record = (key_id: string, model: string, energy_j: number, n: number) =>
    recordOf(Date.now(), { key_id, model, energy_j, latency_ms: 0 }, n);
  await aggregatorOf(env).ingest([
    record(ada.id, "llama3.2", 100, 1),
    record(ada.id, "mistral", 20, 2),
    record(grace.id, "llama3.2", 4_000, 3),
  ]);
  const since = new Date(Date.now() - 86_400_000).toISOString();
  const costsOf = (query: string, key = ada.key) =>
    call(`/api/costs/self?from=${since}&${query}`, { headers: bearer(key) });
  const own = Costs.parse(await (await costsOf("by=model&over=month")).json());
  expect(own.rows.map(({ group, energy_j }) => [group, energy_j])).toEqual([
    ["llama3.2", 100],
    ["mistral", 20],
  ]);
  expect(own.total).toMatchObject({ requests: 2, energy_j: 120, idle_energy_j: null });
  expect(own.periods?.flatMap(({ parts }) => parts.map(({ requests }) => requests))).toEqual([
    1, 1,
  ]);
  const byKey = Costs.parse(await (await costsOf("by=key")).json());
  expect(byKey.rows.map(({ group }) => group)).toEqual([ada.id]);
  expect((await costsOf(`key=${grace.id}`)).status).toBe(400);
  expect((await costsOf("by=model", "oes_1_unknown")).status).toBe(401);
  expect(await (await costsOf("by=model&format=csv")).text()).toMatch(/^group,requests,/);
  expect((await call("/api/costs", { headers: bearer(ada.key) })).status).toBe(403);
});

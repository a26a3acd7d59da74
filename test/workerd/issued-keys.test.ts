/** Keys that the edge makes: who may use them for what, and how they change. */
import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import type { Keys, MadeKey } from "../../protocol/api/keys.ts";
import type { Logs } from "../../protocol/api/logs.ts";
import { OPEN_EDGE_TEXT } from "../../protocol/open-edge.ts";
import { aggregatorOf } from "../../worker/aggregator/stub.ts";
import { forgetBoxes } from "../../worker/gateway/known-fleet.ts";
import { newKeyId, pepperOf, tokenOf } from "../../worker/keys/token.ts";
import { call as openCall } from "./calls.ts";
import { FakeBox } from "./fake-box.ts";
import { ADMIN, admin, bearer, CALLER, call, fetchOn, keys, makeKey } from "./keyed-edge.ts";

const chatWith = (key: string, model = "qwen3:8b", headers: Record<string, string> = {}) =>
  call("/ollama/api/chat", {
    method: "POST",
    headers: { ...bearer(key), ...headers },
    body: JSON.stringify({ model, messages: [], stream: false }),
  });

async function served(box: FakeBox, calling: Promise<Response>) {
  const { open, stream } = await box.next();
  box.agent.answer(stream, 200, [["content-type", "application/json"]], '{"done":true}');
  const answer = await calling;
  expect(answer.status).toBe(200);
  return open;
}

test("a key that was made serves at once, and its calls are recorded under its id", async () => {
  await using box = await FakeBox.connect("atlas", ["qwen3:8b"]);
  const made = await makeKey();
  expect(made).toMatchObject({ name: "Ada", scopes: ["infer"], state: "valid", source: "edge" });
  const open = await served(box, chatWith(made.key));
  expect(open.key_id).toBe(made.id);
  // In each place in which a client can send it.
  for (const headers of [
    { "x-api-key": made.key },
    { authorization: `Basic ${btoa(`ada:${made.key}`)}` },
  ])
    expect((await call("/api/keys", { headers })).status).toBe(403);
  expect(
    (await call(`/ollama/k/${made.key}/api/pull`, { method: "POST", body: "{}" })).status,
  ).toBe(403);
});

test("the record of a call names its key as it was called then, and the tags of the caller", async () => {
  const made = await makeKey();
  const chat = await call("/v1/chat/completions", {
    method: "POST",
    headers: { ...bearer(made.key), "x-session-id": "42" },
    body: JSON.stringify({ model: "no-such", messages: [], user: "someone" }),
  });
  const id = chat.headers.get("x-request-id");
  await admin(`/api/keys/${made.id}`, "PATCH", { name: "Ada Lovelace" });
  const logs = async (query: string) =>
    (await (await admin(`/api/stats/logs?${query}`)).json<Logs>()).logs;
  const named = { id, key_id: made.id, key_name: "Ada", end_user: "someone", session_id: "42" };
  expect(await logs(`key=${made.id}&user=someone&session=42`)).toMatchObject([named]);
  expect(await logs(`key=${made.id}&user=nobody`)).toEqual([]);
  expect(await logs(`key=${made.id}&session=43`)).toEqual([]);
});

test("a key does only what its scopes allow", async () => {
  const { key } = await makeKey({ scopes: ["stats"] });
  expect((await call("/api/stats/current", { headers: bearer(key) })).status).toBe(200);
  expect((await chatWith(key)).status).toBe(403);
  expect((await call("/api/keys", { headers: bearer(key) })).status).toBe(403);
});

test("a key uses only its models and boxes, and a refusal names the other one", async () => {
  await using atlas = await FakeBox.connect("atlas", ["qwen3:8b", "llama3.2:latest"]);
  await using basil = await FakeBox.connect("basil", ["qwen3:8b"]);
  const made = await makeKey({ models: ["qwen3:*"], boxes: ["basil"] });
  expect(made.warnings).toEqual([]);
  for (let n = 0; n < 5; n++) await served(basil, chatWith(made.key));
  expect(atlas.received).toEqual([]);
  const model = await chatWith(made.key, "llama3.2");
  expect(model.status).toBe(403);
  expect(await model.text()).toContain("may not use the model llama3.2");
  const box = await chatWith(made.key, "qwen3:8b", { "x-box": "atlas" });
  expect(box.status).toBe(403);
  expect(await box.text()).toContain("may not use box atlas");
});

test("a key sees only its models in Ollama's lists, also those of one box", async () => {
  await using atlas = await FakeBox.connect("atlas", ["qwen3:8b", "llama3.2:latest"]);
  const listOf = async (key: string, path: string, headers: Record<string, string> = {}) => {
    const answer = await call(path, { headers: { ...bearer(key), ...headers } });
    return [answer.status, await answer.text()] as const;
  };
  const limited = await makeKey({ models: ["qwen3:*"] });
  for (const headers of [{}, { "x-box": "atlas" }])
    for (const path of ["/ollama/api/tags", "/v1/models"]) {
      const [status, text] = await listOf(limited.key, path, headers as Record<string, string>);
      expect(status).toBe(200);
      expect(text).toContain("qwen3:8b");
      expect(text).not.toContain("llama3.2");
    }
  await using _basil = await FakeBox.connect("basil", ["mistral:7b"]);
  const { key } = await makeKey({ boxes: ["basil"] });
  const [, own] = await listOf(key, "/ollama/api/tags");
  expect(own).toContain("mistral:7b");
  expect(own).not.toContain("qwen3");
  expect((await listOf(key, "/ollama/api/tags", { "x-box": "atlas" }))[0]).toBe(403);
  expect(atlas.received).toEqual([]);
});

test("a key that keeps no text has its agent keep none", async () => {
  await using box = await FakeBox.connect("atlas", ["qwen3:8b"]);
  expect((await served(box, chatWith((await makeKey()).key))).keep_text).toBe(true);
  expect((await served(box, chatWith((await makeKey({ keep_text: false })).key))).keep_text).toBe(
    false,
  );
});

test("a key may do to its box only what its policy allows, and a clamped call states so", async () => {
  await using box = await FakeBox.connect("atlas", ["qwen3:8b"]);
  const { key, id } = await makeKey({ max_num_predict: 64, may_keep_alive: false });
  const calling = chatWith(key);
  const { body, stream } = await box.next();
  expect(body).toMatchObject({ options: { num_predict: 64 } });
  box.agent.answer(stream, 200, [["content-type", "application/json"]], '{"done":true}');
  expect((await calling).headers.get("x-clamped")).toBe("num_predict=64");
  const unload = await call("/ollama/api/generate", {
    method: "POST",
    headers: bearer(key),
    body: JSON.stringify({ model: "qwen3:8b", keep_alive: 0 }),
  });
  expect([unload.status, await unload.json()]).toEqual([
    403,
    { error: "This API key may not set keep_alive." },
  ]);
  await admin(`/api/keys/${id}`, "PATCH", { max_num_predict: null });
  expect((await served(box, chatWith(key))).model).toBe("qwen3:8b");
});

test("the list has made and configured keys, and no answer but the first contains a key", async () => {
  const made = await makeKey();
  const text = await (await admin("/api/keys")).text();
  expect(text).not.toContain(made.key.slice(-40));
  expect(text).not.toContain(ADMIN);
  const list = (JSON.parse(text) as Keys).keys;
  expect(list.find(({ id }) => id === made.id)).toMatchObject({ name: "Ada", source: "edge" });
  expect(list.find(({ id }) => id === "caller")).toMatchObject({
    source: "setting",
    scopes: ["infer"],
  });
  expect((await call("/api/stats/current", { headers: bearer(CALLER) })).status).toBe(403);
});

test("a flood of invented keys wakes no object, and keys of an earlier pepper are named", async () => {
  const { key } = await makeKey({ scopes: ["stats"] });
  forgetBoxes();
  const pepper = await pepperOf(ADMIN);
  const stranger = await pepperOf("a-strangers-pepper");
  // A call of any object fails with another status.
  const silent = { ...keys(), AGGREGATOR: null, BOX: null, QUOTA: null } as never;
  for (let n = 0; n < 300; n++) {
    const forged = (await tokenOf(stranger, newKeyId())).slice(8);
    const headers = bearer(`oes_${pepper.name}${forged}`);
    const path = n % 2 === 0 ? "/api/stats/current" : "/v1/models";
    expect((await call(path, { headers }, silent)).status).toBe(401);
  }
  const moved = keys({ ADMIN_KEY: "a-new-admin-key-4711" } as never);
  const outdated = await call("/api/stats/current", { headers: bearer(key) }, moved);
  expect(outdated.status).toBe(401);
  expect(await outdated.text()).toContain("before the edge's KEY_PEPPER was replaced");
  const overlapping = { ...moved, KEY_PEPPER_OLD: ADMIN } as never;
  expect((await call("/api/stats/current", { headers: bearer(key) }, overlapping)).status).toBe(
    200,
  );
});

test.each([
  [{}, /name/],
  [{ name: "", scopes: ["infer"] }, /name/],
  [{ name: "a", scopes: [] }, /scopes/],
  [{ name: "a", scopes: ["everything"] }, /scopes/],
  [{ name: "a", scopes: ["infer"], models: ["../x"] }, /models/],
  [{ name: "a", scopes: ["infer"], models: [] }, /models/],
  [{ name: "a", scopes: ["infer"], boxes: ["no-such-box"] }, /no box named no-such-box/],
  [{ name: "a", scopes: ["infer"], expires_at: "yesterday" }, /expires_at/],
  [{ name: "a", scopes: ["infer"], expires_at: "2020-01-01T00:00:00Z" }, /in the past/],
  [{ name: "a", scopes: ["infer"], limits: { requests: 1 } }, /limits/],
])("refuses the policy %j", async (policy, why) => {
  const answer = await admin("/api/keys", "POST", policy);
  expect(answer.status).toBe(400);
  expect(await answer.text()).toMatch(why);
});

test("a pattern that no model matches is reported, and works once there is one", async () => {
  const made = await makeKey({ models: ["soon:*"] });
  expect(made.warnings).toEqual([expect.stringContaining('The pattern "soon:*" matches')]);
});

test("an unknown id is a 404, and an edge without a secret makes no keys", async () => {
  for (const [method, path] of [
    ["GET", ""],
    ["PATCH", ""],
    ["DELETE", ""],
    ["POST", "/rotate"],
  ] as const) {
    const body = method === "PATCH" ? { name: "b" } : method === "POST" ? {} : undefined;
    expect((await admin(`/api/keys/${newKeyId()}${path}`, method, body)).status, method).toBe(404);
  }
  const configured = await admin("/api/keys/caller", "DELETE");
  expect(configured.status).toBe(400);
  expect(await configured.text()).toContain("Configured keys change with a deployment.");
  const answer = await openCall("/api/keys", {
    method: "POST",
    body: JSON.stringify({ name: "a", scopes: ["infer"] }),
  });
  expect(answer.status).toBe(409);
  expect(await answer.text()).toContain("Neither KEY_PEPPER nor ADMIN_KEY is set");
});

test("an open edge warns that the key it makes restricts nothing, and does not check it", async () => {
  await using box = await FakeBox.connect("open", ["qwen3:8b"]);
  const open = { ...env, AUTH_MODE: "open", ADMIN_KEY: ADMIN } as never;
  const post = (path: string, body: object, headers = {}) =>
    fetchOn(path, { method: "POST", body: JSON.stringify(body), headers }, open, "localhost");
  const policy = { name: "a", scopes: ["stats"], limits: { requests: { day: 1 } } };
  const made = await (await post("/api/keys", policy)).json<MadeKey>();
  expect(made.warnings).toEqual([OPEN_EDGE_TEXT]);
  for (let n = 0; n < 2; n++) {
    const chat = { model: "qwen3:8b", messages: [], stream: false };
    const calling = post("/ollama/api/chat", chat, bearer(made.key));
    const { stream } = await box.next();
    box.agent.answer(stream, 200, [["content-type", "application/json"]], '{"done":true}');
    expect((await calling).status).toBe(200);
  }
});

test("the Aggregator sends the keys only to a Worker that has an older version", async () => {
  await makeKey();
  const { keys: first } = await aggregatorOf(env).fleet();
  expect(first?.all?.length).toBeGreaterThan(0);
  const { keys: again } = await aggregatorOf(env).fleet(first?.version);
  expect(again).toEqual({ version: first?.version, all: null });
});

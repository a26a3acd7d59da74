/** Web pages that a key names: they may call with it and read the answers, and pages of others may not. */
import { env } from "cloudflare:workers";
import { afterEach, expect, test, vi } from "vitest";
import type { MadeKey } from "../../protocol/api/keys.ts";
import type { Bindings } from "../../worker/env.ts";
import { forgetBoxes } from "../../worker/gateway/known-fleet.ts";
import { FakeBox } from "./fake-box.ts";
import { ADMIN, bearer, call, keys } from "./keyed-edge.ts";

const PAGE = "https://chat.example";
const OTHER = "https://other.example";

afterEach(() => {
  vi.useRealTimers();
});

const manage = (path: string, method: string, body?: object) =>
  call(path, { method, headers: bearer(ADMIN), ...(body && { body: JSON.stringify(body) }) });

async function make(policy: object): Promise<MadeKey> {
  const answer = await manage("/api/keys", "POST", { name: "Ada", scopes: ["infer"], ...policy });
  return answer.json<MadeKey>();
}

const preflight = (origin: string, path = "/v1/chat/completions", bindings = keys()) =>
  call(
    path,
    { method: "OPTIONS", headers: { origin, "access-control-request-method": "POST" } },
    bindings,
  ).then(({ status, headers }) => [status, headers.get("access-control-allow-origin")]);

const list = (key: string, headers: Record<string, string>, bindings = keys()) =>
  call("/v1/models", { headers: { ...bearer(key), ...headers } }, bindings);
const readable = ({ headers }: Response) => headers.get("access-control-allow-origin");

test("the pages of a key may call with it and read the answers, errors too", async () => {
  await using _box = await FakeBox.connect("pages", ["qwen3:8b"]);
  expect(await preflight(PAGE)).toEqual([403, null]);
  const { id, key } = await make({ origins: ["HTTPS://Chat.Example"], models: ["qwen3:8b"] });
  expect(await preflight(PAGE)).toEqual([204, PAGE]);
  const answer = await list(key, { origin: PAGE });
  expect([answer.status, readable(answer)]).toEqual([200, PAGE]);
  const refused = await call("/v1/chat/completions", {
    method: "POST",
    headers: { ...bearer(key), origin: PAGE },
    body: '{"model":"llama3.2","messages":[]}',
  });
  expect([refused.status, readable(refused)]).toEqual([403, PAGE]);
  // Only Ollama's paths, and only while the key is valid.
  expect(await preflight(PAGE, "/api/keys/self")).toEqual([403, null]);
  await manage(`/api/keys/${id}`, "DELETE");
  expect(await preflight(PAGE)).toEqual([403, null]);
});

test("pages of other origins may not use the key, and programs may", async () => {
  await using _box = await FakeBox.connect("others", ["qwen3:8b"]);
  const { key } = await make({ origins: [PAGE], models: ["qwen3:8b"] });
  const configured = keys({ CORS_ORIGINS: OTHER });
  for (const bindings of [keys(), configured]) {
    const refused = await list(key, { origin: OTHER }, bindings);
    expect([refused.status, await refused.json()]).toMatchObject([
      403,
      { error: { message: `Pages of ${OTHER} may not use this API key.` } },
    ]);
  }
  expect((await list(key, {})).status).toBe(200);
  expect((await list(key, { origin: "https://edge.example" })).status).toBe(200);
  // A key that names no pages works from those of the settings, as before.
  const usual = await list(
    (await make({ models: ["qwen3:8b"] })).key,
    { origin: OTHER },
    configured,
  );
  expect([usual.status, readable(usual)]).toEqual([200, OTHER]);
});

test("a flood of preflights has the keys read once in a while", async () => {
  let reads = 0;
  const AGGREGATOR = {
    getByName: (name: string) => ({
      fleet: (version: number | null) => {
        reads++;
        return env.AGGREGATOR.getByName(name).fleet(version);
      },
    }),
  } as unknown as Bindings["AGGREGATOR"];
  forgetBoxes();
  for (let n = 0; n < 300; n++)
    expect(
      (await preflight(`https://evil${n}.example`, "/v1/models", keys({ AGGREGATOR })))[0],
    ).toBe(403);
  expect(reads).toBe(1);
  vi.useFakeTimers({ now: Date.now() + 31_000, toFake: ["Date"] });
  await preflight(OTHER, "/v1/models", keys({ AGGREGATOR }));
  expect(reads).toBe(2);
});

test.each([
  [{ origins: [] }, "origins"],
  [{ origins: ["chat.example"] }, "is not an origin"],
  [{ origins: ["https://chat.example/"] }, "is not an origin"],
  [{ origins: ["*"] }, "is not an origin"],
  [{ priority: "urgent" }, "priority"],
])("refuses a key with %j", async (policy, why) => {
  const answer = await manage("/api/keys", "POST", { name: "Ada", scopes: ["infer"], ...policy });
  expect([answer.status, await answer.text()]).toEqual([400, expect.stringContaining(why)]);
});

test("the priority of a key goes with its calls", async () => {
  await using box = await FakeBox.connect("turns", ["qwen3:8b"]);
  const { id, key } = await make({ boxes: ["turns"] });
  const priorityOfCall = async () => {
    const calling = call("/ollama/api/chat", {
      method: "POST",
      headers: bearer(key),
      body: '{"model":"qwen3:8b","messages":[],"stream":false}',
    });
    const { open, stream } = await box.next();
    box.agent.answer(stream, 200, [["content-type", "application/json"]], '{"done":true}');
    await calling;
    return open.priority;
  };
  expect(await priorityOfCall()).toBeUndefined();
  await manage(`/api/keys/${id}`, "PATCH", { priority: "low" });
  expect(await priorityOfCall()).toBe("low");
});

/** `GET /api/keys/self`: a key reads its own rights and usage. */
import { expect, test } from "vitest";
import type { MadeKey, OwnKey } from "../../protocol/api/keys.ts";
import { call as openCall } from "./calls.ts";
import { FakeBox } from "./fake-box.ts";
import { ADMIN, bearer, CALLER, call } from "./keyed-edge.ts";

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
  });
  expect(own.models).toEqual(["qwen3:8b"]);
  expect(JSON.stringify(own)).not.toContain("Grace");
  expect(JSON.stringify(own)).not.toContain(made.key);
});

test("a configured key sees itself, and a caller of an open edge has no key and all scopes", async () => {
  expect(await selfOf(CALLER)).toMatchObject({
    scopes: ["infer"],
    key: { id: "caller", name: "CALLER_KEY", source: "setting" },
  });
  const open = await (await openCall("/api/keys/self")).json<OwnKey>();
  expect([open.key, open.scopes.includes("admin")]).toEqual([null, true]);
});

/** Keys that are revoked, replaced or expired: how they are refused, and leave the list. */
import { expect, test } from "vitest";
import type { MadeKey } from "../../protocol/api/keys.ts";
import { admin, bearer, call, makeKey } from "./keyed-edge.ts";

test("a revoked key is refused, stays in the list, and is deleted by the second DELETE", async () => {
  const { id, key } = await makeKey({ scopes: ["stats"] });
  expect(await (await admin(`/api/keys/${id}`, "DELETE")).json()).toEqual({
    status: "revoked",
    id,
  });
  const refused = await call("/api/stats/current", { headers: bearer(key) });
  expect(refused.status).toBe(401);
  expect(await refused.text()).toContain("This API key was revoked.");
  expect(await (await admin(`/api/keys/${id}`)).json()).toMatchObject({ state: "revoked" });
  expect(await (await admin(`/api/keys/${id}`, "DELETE")).json()).toEqual({
    status: "deleted",
    id,
  });
  expect((await admin(`/api/keys/${id}`)).status).toBe(404);
  expect((await call("/api/stats/current", { headers: bearer(key) })).status).toBe(401);
});

test("a rotated key works until the overlap is over, and its successor may do the same", async () => {
  const old = await makeKey({ scopes: ["stats"], models: ["qwen3:*"] });
  const rotate = (overlap_s: number) => admin(`/api/keys/${old.id}/rotate`, "POST", { overlap_s });
  const next = await (await rotate(60)).json<MadeKey>();
  expect(next).toMatchObject({
    name: "Ada",
    scopes: ["stats"],
    models: ["qwen3:*"],
    state: "valid",
  });
  expect(next.key).not.toBe(old.key);
  for (const { key } of [old, next])
    expect((await call("/api/stats/current", { headers: bearer(key) })).status).toBe(200);
  expect(await (await admin(`/api/keys/${old.id}`)).json()).toMatchObject({ replaced_by: next.id });
  expect((await rotate(60)).status).toBe(409); // twice
});

test("a key whose overlap is over is refused in the words of each API, and the next DELETE deletes it", async () => {
  const { id, key } = await makeKey();
  const rotated = await admin(`/api/keys/${id}/rotate`, "POST", { overlap_s: 0 });
  const next = await rotated.json<MadeKey>();
  const words = /^This API key was replaced, and ended at 20.*Z\. Use the newer key, whose id is /;
  const message = expect.stringMatching(new RegExp(words.source + next.id));
  const ofOpenAi = await call("/v1/models", { headers: bearer(key) });
  expect([ofOpenAi.status, await ofOpenAi.json()]).toMatchObject([401, { error: { message } }]);
  const chat = { method: "POST", headers: bearer(key), body: '{"model":"m"}' };
  const ofOllama = await call("/ollama/api/chat", chat);
  expect(await ofOllama.json()).toMatchObject({ error: message });
  const own = await call("/api/keys/self", { headers: bearer(key) });
  expect(await own.json()).toMatchObject({ error: { code: "key_replaced", message } });
  const shown = { state: "replaced", replaced_by: next.id };
  expect(await (await admin(`/api/keys/${id}`)).json()).toMatchObject(shown);
  expect(await (await admin(`/api/keys/${id}`, "DELETE")).json()).toMatchObject({
    status: "deleted",
  });
});

test("an expired key is refused with that reason", async () => {
  const { id, key } = await makeKey({ scopes: ["stats"] });
  // The API refuses a time in the past.
  const past = new Date(Date.now() - 1).toISOString();
  expect((await admin(`/api/keys/${id}`, "PATCH", { expires_at: past })).status).toBe(400);
  const soon = new Date(Date.now() + 1_000).toISOString();
  expect((await admin(`/api/keys/${id}`, "PATCH", { expires_at: soon })).status).toBe(200);
  let answer: Response;
  do answer = await call("/api/stats/current", { headers: bearer(key) });
  while (answer.status === 200);
  expect(answer.status).toBe(401);
  expect(await answer.text()).toContain("has expired");
});

test("a browser that signed in with a made key has its scopes until the key ends", async () => {
  const { id, key } = await makeKey({ scopes: ["stats"] });
  const signIn = await call("/api/session", { method: "POST", body: JSON.stringify({ key }) });
  expect(await signIn.json()).toMatchObject({ scopes: ["stats"] });
  const cookie = signIn.headers.get("set-cookie")?.split(";")[0] ?? "";
  const read = () =>
    call("/api/stats/current", { headers: { cookie, "sec-fetch-site": "same-origin" } });
  expect((await read()).status).toBe(200);
  await admin(`/api/keys/${id}`, "DELETE");
  expect((await read()).status).toBe(401);
});

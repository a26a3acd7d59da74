/** The session of a browser: what it allows, from where, and what ends it. */
import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, expect, test, vi } from "vitest";
import { SignedIn } from "../../protocol/api/session.ts";
import type { Bindings } from "../../worker/env.ts";
import worker from "../../worker/index.ts";

const ADMIN = "admin-key-0123456789";
const READ = "read-key-0123456789";
const KEYS = { AUTH_MODE: "keys", ADMIN_KEY: ADMIN, READ_KEY: READ };
const OWN = { "sec-fetch-site": "same-origin" };

async function call(
  path: string,
  init: RequestInit = {},
  keys: Partial<Bindings> = KEYS,
  origin = "https://edge.example",
): Promise<Response> {
  const ctx = createExecutionContext();
  const answer = await worker.fetch(new Request(origin + path, init), { ...env, ...keys }, ctx);
  const copy = new Response(await answer.text(), answer);
  await waitOnExecutionContext(ctx);
  return copy;
}

const post = (key: string, headers: HeadersInit = OWN, origin?: string) =>
  call("/api/session", { method: "POST", body: JSON.stringify({ key }), headers }, KEYS, origin);

/** Signs in, and returns the cookie as a browser sends it back. */
async function cookieOf(key: string, origin?: string): Promise<string> {
  const set = (await post(key, OWN, origin)).headers.get("set-cookie") ?? "";
  return set.split(";", 1)[0] ?? "";
}

afterEach(() => {
  vi.useRealTimers();
});

test("signs in with a cookie that is out of reach of script and does not contain the key", async () => {
  const answer = await post(READ);
  const set = answer.headers.get("set-cookie") ?? "";
  expect(set).toMatch(
    /^__Host-session=read\.\d+\.[0-9a-f]{64}; Path=\/; HttpOnly; SameSite=Strict; Secure$/,
  );
  const body = SignedIn.parse(await answer.json());
  expect(body.scopes).toEqual(["read", "metrics", "stats", "text"]);
  expect(Date.parse(body.expires_at ?? "")).toBeGreaterThan(Date.now());
  expect(set + JSON.stringify(body)).not.toContain(READ);
});

test("on plain http, names the cookie after the port, without the prefix that needs Secure", async () => {
  const set = (await post(READ, OWN, "http://localhost:8123")).headers.get("set-cookie");
  expect(set).toMatch(/^session-8123=read\.\S+; Path=\/; HttpOnly; SameSite=Strict$/);
});

test("refuses to sign in with a wrong key, or for another site", async () => {
  const wrong = await post("a-wrong-key-0123456789");
  expect([wrong.status, wrong.headers.get("set-cookie")]).toEqual([401, null]);
  for (const headers of [
    { "sec-fetch-site": "cross-site" },
    { "sec-fetch-site": "same-site" },
    { origin: "https://evil.example" },
  ])
    expect((await post(READ, headers)).status, JSON.stringify(headers)).toBe(403);
});

test("gives a session the scopes of its key, and no more", async () => {
  const cookie = await cookieOf(READ);
  expect((await call("/api/config", { headers: { ...OWN, cookie } })).status).toBe(200);
  const patch = { method: "PATCH", body: '{"log_content":"on"}' };
  expect((await call("/api/config", { ...patch, headers: { ...OWN, cookie } })).status).toBe(403);
  const admin = { ...OWN, cookie: `other=1; ${await cookieOf(ADMIN)}` };
  expect((await call("/api/config", { ...patch, headers: admin })).status).toBe(200);
});

test("accepts a session only from the page itself", async () => {
  const cookie = await cookieOf(ADMIN);
  const patch = { method: "PATCH", body: '{"log_content":"on"}' };
  const statusWith = async (init: RequestInit, headers: Record<string, string>) =>
    (await call("/api/config", { ...init, headers: { ...headers, cookie } })).status;
  for (const site of ["cross-site", "same-site"]) {
    expect(await statusWith(patch, { "sec-fetch-site": site }), site).toBe(403);
    expect(await statusWith({}, { "sec-fetch-site": site }), site).toBe(403);
  }
  // Without the header, as over plain http on a network, the origin must be the page's.
  expect(await statusWith(patch, {})).toBe(403);
  expect(await statusWith(patch, { origin: "https://evil.example" })).toBe(403);
  expect(await statusWith(patch, { origin: "https://edge.example" })).toBe(200);
  expect(await statusWith({}, { "sec-fetch-site": "none" })).toBe(200);
  // A key in a header is no cookie: no browser adds it on its own.
  const bearer = { authorization: `Bearer ${ADMIN}`, "sec-fetch-site": "cross-site" };
  expect(await statusWith(patch, bearer)).toBe(200);
});

test.each([
  ["another key id", (value: string) => value.replace("read.", "admin.")],
  ["a later expiry", (value: string) => value.replace(/\.\d/, ".9")],
  ["another signature", (value: string) => value.replace(/.$/, (c) => (c === "0" ? "1" : "0"))],
  ["the key itself", () => READ],
  ["nothing", () => ""],
])("refuses a session that was changed to %s", async (_name, change) => {
  const [name = "", value = ""] = (await cookieOf(READ)).split("=");
  const headers = { ...OWN, cookie: `${name}=${change(value)}` };
  const answer = await call("/api/config", { headers });
  expect(answer.status).toBe(401);
  expect(await answer.json()).toMatchObject({ error: { code: "session_ended" } });
});

test("a new key ends the sessions of the old one, and not those of others", async () => {
  const rotated = { ...KEYS, READ_KEY: "another-read-key-0123456789" };
  for (const [key, status] of [
    [READ, 401],
    [ADMIN, 200],
  ] as const) {
    const headers = { ...OWN, cookie: await cookieOf(key) };
    expect((await call("/api/config", { headers }, rotated)).status).toBe(status);
  }
});

test("a session ends after 7 days, and when the browser signs out", async () => {
  const headers = { ...OWN, cookie: await cookieOf(READ) };
  const out = await call("/api/session", { method: "DELETE", headers });
  expect(out.headers.get("set-cookie")).toMatch(/^__Host-session=; .*Secure; Max-Age=0$/);
  vi.useFakeTimers({ now: Date.now() + 7 * 86_400_000 + 1, toFake: ["Date"] });
  const late = await call("/api/config", { headers });
  expect(await late.json()).toMatchObject({ error: { code: "session_ended" } });
});

test("open mode signs everyone in without a cookie", async () => {
  const answer = await call(
    "/api/session",
    { method: "POST", body: '{"key":"any"}', headers: OWN },
    { AUTH_MODE: "open" },
    "http://localhost:8000",
  );
  expect(answer.headers.get("set-cookie")).toBeNull();
  expect(await answer.json()).toEqual({
    scopes: ["infer", "read", "metrics", "stats", "text", "models", "admin"],
    expires_at: null,
  });
});

test("the session of a key that the edge made goes on while its pepper is the older one", async () => {
  const pepper = "another-pepper-0123456789";
  const make = { method: "POST", headers: { authorization: `Bearer ${ADMIN}` } };
  const body = JSON.stringify({ name: "Ada", scopes: ["stats"] });
  const made = await call("/api/keys", { ...make, body });
  const { key } = await made.json<{ key: string }>();
  const headers = { ...OWN, cookie: await cookieOf(key) };
  const replaced = { ...KEYS, KEY_PEPPER: pepper };
  expect((await call("/api/config", { headers }, replaced)).status).toBe(401);
  const both = { ...replaced, KEY_PEPPER_OLD: ADMIN };
  expect((await call("/api/config", { headers }, both)).status).toBe(200);
});

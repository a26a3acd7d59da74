/** Sign-in by an identity provider: roles of people, their sessions, and what a stranger costs. */
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import type { AuditPage } from "../../protocol/api/audit.ts";
import type { OwnKey } from "../../protocol/api/keys.ts";
import type { ApiRoute } from "../../protocol/api/route.ts";
import { API_ROUTES } from "../../protocol/api/routes.ts";
import { OLLAMA_ROUTES } from "../../protocol/routes.ts";
import { ROLES, type Role } from "../../protocol/scopes.ts";
import type { Bindings } from "../../worker/env.ts";
import { PERSON_SESSION_MS } from "../../worker/sign-in.ts";
import { ADMIN, bearer, call, keys } from "./keyed-edge.ts";

const ISSUER = "https://team.cloudflareaccess.com";
const AUDIENCE = "aud-tag";
const PEOPLE: Record<Role, string> = {
  owner: "ada@example.com",
  operator: "bob@example.com",
  member: "eve@example.com",
};
const IDENTITY = {
  OIDC_ISSUER: ISSUER,
  OIDC_AUDIENCE: AUDIENCE,
  OIDC_OWNERS: PEOPLE.owner,
  OIDC_OPERATORS: `${PEOPLE.operator}, group:gpu-team`,
  OIDC_MEMBERS: "*@example.com",
};
const edge = (more: Partial<Bindings> = {}): Bindings => keys({ ...IDENTITY, ...more });

const pair = await generateKeyPair("ES256", { extractable: true });
const stranger = await generateKeyPair("ES256");
let fetches: string[] = [];

beforeAll(async () => {
  const jwk = { ...(await exportJWK(pair.publicKey)), kid: "first", alg: "ES256" };
  const real = globalThis.fetch;
  vi.spyOn(globalThis, "fetch").mockImplementation(async (request, init) => {
    const url = String(request instanceof Request ? request.url : request);
    if (!url.startsWith(ISSUER)) return real(request, init);
    fetches.push(url);
    return Response.json({ keys: [jwk] });
  });
});
afterAll(() => {
  vi.restoreAllMocks();
});
afterEach(() => {
  vi.useRealTimers();
});

const tokenOf = (email: string, more: object = {}, key = pair.privateKey): Promise<string> =>
  new SignJWT({ email, sub: email, ...more })
    .setProtectedHeader({ alg: "ES256", kid: "first" })
    .setIssuer(ISSUER)
    .setAudience(AUDIENCE)
    .setIssuedAt()
    .setExpirationTime("1h")
    .sign(key);

/** As Cloudflare Access passes a request of its page on. */
const access = (token: string, headers: object = { "sec-fetch-site": "same-origin" }) => ({
  "cf-access-jwt-assertion": token,
  ...headers,
});

async function cookieFor(token: string, bindings = edge()): Promise<string> {
  const answer = await call(
    "/api/session",
    {
      method: "POST",
      body: JSON.stringify({ key: token }),
      headers: { "sec-fetch-site": "same-origin" },
    },
    bindings,
  );
  expect(answer.status).toBe(200);
  return answer.headers.get("set-cookie")?.split(";", 1)[0] ?? "";
}

const ALLOWED: Record<Role, (string | null)[]> = {
  owner: ["infer", "stats", "text", "metrics", "models", "admin", "any", null],
  operator: ["infer", "stats", "text", "metrics", "models", "any", null],
  member: ["infer", "any", null],
};
const ROUTES = [
  ...(Object.values(API_ROUTES) as ApiRoute[]).map(({ method, path, scope }) => ({
    method: method as string,
    path: path.replace("{name}", "m").replace("{id}", "0".repeat(16)),
    scope: scope as string | null,
  })),
  ...OLLAMA_ROUTES.map(({ method, path, scope }) => ({
    method,
    path: `/ollama${path.replace(":model", "m").replace(":digest", `sha256:${"0".repeat(64)}`)}`,
    scope: scope as string,
  })),
];

test.each(ROUTES)("admits the roles that have the scope to $method $path", async (route) => {
  const { method, path, scope } = route;
  // The `ollama` command gets an answer to this call whatever its key is.
  if (method === "HEAD" && path === "/ollama/") return;
  const body = method === "GET" || method === "HEAD" ? {} : { body: '{"model":"m"}' };
  for (const role of ROLES) {
    const headers = bearer(await tokenOf(PEOPLE[role]));
    const { status } = await call(path, { method, ...body, headers }, edge());
    if (ALLOWED[role].includes(scope)) expect([401, 403, 500], role).not.toContain(status);
    else expect(status, role).toBe(403);
  }
});

test("every route states one of the known scopes", () => {
  for (const { method, path, scope } of ROUTES)
    expect(ALLOWED.owner, `${method} ${path}`).toContain(scope);
});

test("shows people their role, whether by Access, by a bearer token or by a session", async () => {
  const token = await tokenOf("Bob@example.com");
  const cookie = await cookieFor(token);
  const own = { "sec-fetch-site": "same-origin" };
  for (const headers of [access(token), bearer(token), { ...own, cookie }]) {
    const answer = await call("/api/keys/self", { headers }, edge());
    expect(await answer.json<OwnKey>()).toMatchObject({
      key: null,
      person: { name: PEOPLE.operator, role: "operator" },
    });
  }
});

test("a group gives a role, and its session keeps it", async () => {
  const token = await tokenOf("zoe@elsewhere.org", { groups: ["x", "gpu-team"] });
  const cookie = await cookieFor(token);
  const headers = { "sec-fetch-site": "same-origin", cookie };
  const answer = await call("/api/keys/self", { headers }, edge());
  expect(await answer.json<OwnKey>()).toMatchObject({ person: { role: "operator" } });
});

test("a person without a role gets the reason", async () => {
  const answer = await call(
    "/api/config",
    { headers: bearer(await tokenOf("zoe@elsewhere.org")) },
    edge(),
  );
  expect([answer.status, await answer.json()]).toMatchObject([
    403,
    { error: { code: "identity_not_admitted", message: expect.stringContaining("zoe@elsewhere") } },
  ]);
});

test("a session of a person follows the settings, and ends with the day or the secret", async () => {
  const cookie = await cookieFor(await tokenOf(PEOPLE.operator));
  const statusIn = async (bindings: Bindings) => {
    const headers = { "sec-fetch-site": "same-origin", cookie };
    return (await call("/api/stats/current", { headers }, bindings)).status;
  };
  expect(await statusIn(edge())).toBe(200);
  expect(await statusIn(edge({ OIDC_OPERATORS: "group:x" }))).toBe(403); // a member now
  expect(await statusIn(edge({ OIDC_OPERATORS: "", OIDC_MEMBERS: "" }))).toBe(403);
  expect(await statusIn(keys())).toBe(401);
  expect(await statusIn(edge({ KEY_PEPPER: "another-pepper-0123456789" }))).toBe(401);
  const rotated = { KEY_PEPPER: "another-pepper-0123456789", KEY_PEPPER_OLD: ADMIN };
  expect(await statusIn(edge(rotated))).toBe(200);
  vi.useFakeTimers({ now: Date.now() + PERSON_SESSION_MS + 1, toFake: ["Date"] });
  expect(await statusIn(edge())).toBe(401);
});

test.each([
  ["another name", (value: string) => value.replace(/^~\w{8}/, `~${btoa('["ada@').slice(0, 8)}`)],
  ["a later end", (value: string) => value.replace(/\.\d/, ".9")],
  ["another signature", (value: string) => value.replace(/.$/, (c) => (c === "0" ? "1" : "0"))],
  ["the id of a key", (value: string) => value.replace(/^~[\w-]+/, "admin")],
])("refuses a session of a person that was changed to %s", async (_name, change) => {
  const cookie = await cookieFor(await tokenOf(PEOPLE.member));
  const [name = "", value = ""] = cookie.split(/=(.*)/s);
  expect(change(value)).not.toBe(value);
  const headers = { "sec-fetch-site": "same-origin", cookie: `${name}=${change(value)}` };
  expect((await call("/api/keys/self", { headers }, edge())).status).toBe(401);
});

test("another page cannot act with what a browser sends on its own", async () => {
  const token = await tokenOf(PEOPLE.owner);
  const cookie = await cookieFor(token);
  const patch = { method: "PATCH", body: '{"log_content":"on"}' };
  const statusWith = async (headers: Record<string, string>) =>
    (await call("/api/config", { ...patch, headers }, edge())).status;
  for (const site of ["cross-site", "same-site"]) {
    expect(await statusWith(access(token, { "sec-fetch-site": site }) as never)).toBe(403);
    expect(await statusWith({ cookie, "sec-fetch-site": site })).toBe(403);
  }
  expect(await statusWith(access(token, { origin: "https://evil.example" }) as never)).toBe(403);
  expect(await statusWith(access(token) as never)).toBe(200);
  expect(await statusWith(access(token, {}) as never)).toBe(200); // a program behind Access
  expect(await statusWith({ cookie })).toBe(403);
});

test("a person's changes are noted under the name", async () => {
  const headers = access(await tokenOf(PEOPLE.owner));
  await call("/api/tariff", { method: "DELETE", headers }, edge());
  const audit = await call(`/api/audit?identity=${PEOPLE.owner}&limit=1`, { headers }, edge());
  const [entry] = (await audit.json<AuditPage>()).entries;
  expect(entry).toMatchObject({ via: "identity", identity: PEOPLE.owner, key_id: null });
});

test("tokens that nobody signed wake no object, and fetch the keys at most once", async () => {
  let woken = 0;
  const AGGREGATOR = { getByName: () => ++woken } as never;
  const bindings = edge({ AGGREGATOR, BOX: AGGREGATOR });
  fetches = [];
  const forged = await Promise.all(
    Array.from({ length: 100 }, (_, n) => tokenOf(`x${n}@example.com`, {}, stranger.privateKey)),
  );
  for (const token of forged)
    for (const headers of [bearer(token), access(token)])
      expect((await call("/api/keys", { headers }, bindings)).status).toBe(401);
  expect([woken, fetches.length]).toEqual([0, 1]);
});

test("a browser is sent to the issuer only if the edge is its client, and by no other page", async () => {
  const ways = async (bindings: Bindings) => (await call("/api/session", {}, bindings)).json();
  const client = edge({ OIDC_CLIENT_ID: AUDIENCE });
  expect(await ways(client)).toEqual({ issuer: "team.cloudflareaccess.com" });
  for (const bindings of [edge(), keys(), { ...client, AUTH_MODE: "open" }]) {
    expect(await ways(bindings)).toEqual({ issuer: null });
    const off = await call("/sign-in", {}, bindings);
    expect([off.status, await off.text()]).toEqual([
      409,
      expect.stringContaining("OIDC_CLIENT_ID"),
    ]);
  }
  const foreign = await call("/sign-in", { headers: { "sec-fetch-site": "cross-site" } }, client);
  expect(foreign.status).toBe(403);
});

test("a browser gets the page and the reason while the issuer does not answer", async () => {
  const init = { redirect: "manual" as const };
  const answer = await call("/sign-in", init, edge({ OIDC_CLIENT_ID: AUDIENCE }));
  expect([answer.status, answer.headers.get("location")]).toEqual([
    302,
    "/?sign-in=identity_unchecked",
  ]);
  expect(answer.headers.getSetCookie()).toEqual([]);
});

test("a browser that brings back what was not begun gets the page and the reason, and no session", async () => {
  const client = edge({ OIDC_CLIENT_ID: AUDIENCE });
  fetches = [];
  const init = { redirect: "manual" as const, headers: { cookie: "__Host-session-begun=e30" } };
  const { status, headers } = await call("/sign-in/return?code=x&state=y", init, client);
  expect([status, headers.get("location")]).toEqual([302, "/?sign-in=sign_in_expired"]);
  expect(headers.getSetCookie()).toEqual([
    "__Host-session-begun=; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=0",
  ]);
  expect(fetches).toEqual([]);
});

test.each([
  [{ OIDC_CLIENT_ID: "another" }, "OIDC_CLIENT_ID must be one of OIDC_AUDIENCE"],
  [{ OIDC_CLIENT_SECRET: "s" }, "OIDC_CLIENT_SECRET needs OIDC_CLIENT_ID"],
  [{ OIDC_SCOPES: "email" }, "OIDC_SCOPES must be a list that begins with openid"],
])("refuses the settings %j", async (more, why) => {
  const answer = await call("/api/session", {}, edge(more));
  expect([answer.status, await answer.text()]).toEqual([503, expect.stringContaining(why)]);
});

test("without an issuer, a token is no more than a wrong key, and the header of Access is ignored", async () => {
  const token = await tokenOf(PEOPLE.owner);
  for (const headers of [bearer(token), access(token)])
    expect((await call("/api/config", { headers }, keys())).status).toBe(401);
});

import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { Config } from "../../protocol/api/config.ts";
import type { ApiRoute } from "../../protocol/api/route.ts";
import { API_ROUTES } from "../../protocol/api/routes.ts";
import { SUBPROTOCOL } from "../../protocol/limits.ts";
import { aggregatorOf } from "../../worker/aggregator/stub.ts";
import type { Bindings } from "../../worker/env.ts";
import worker from "../../worker/index.ts";
import { recordOf } from "../support/records.ts";
import { textOf } from "./calls.ts";

const ADMIN = "admin-key-0123456789";
const CALLER = "caller-key-0123456789";
const READ = "read-key-0123456789";
const STATS = "stats-key-0123456789";
const METRICS = "metrics-key-0123456789";
const UNKNOWN = "an-unknown-key-012345";
const BOX = "box-secret-0123456789";
const keys = (more: Partial<Bindings> = {}): Bindings => ({
  ...env,
  AUTH_MODE: "keys",
  ADMIN_KEY: ADMIN,
  CALLER_KEY: CALLER,
  READ_KEY: READ,
  STATS_KEY: STATS,
  METRICS_KEY: METRICS,
  BOX_SECRETS: `home=${BOX},office=${BOX}-2`,
  ...more,
});

async function call(path: string, init: RequestInit = {}, bindings = keys()): Promise<Response> {
  const ctx = createExecutionContext();
  const answer = await worker.fetch(
    new Request(`https://edge.example${path}`, init),
    bindings,
    ctx,
  );
  const copy = new Response(await answer.text(), answer);
  await waitOnExecutionContext(ctx);
  return copy;
}
const bearer = (key: string) => ({ authorization: `Bearer ${key}` });

// Every path outside the table of /api, with the keys that may use it. 503 means admitted, but no box is connected.
const MATRIX: [method: string, path: string, allowed: string[]][] = [
  ["GET", "/healthz", ["nobody", CALLER, READ, ADMIN, UNKNOWN]],
  ["GET", "/ollama/", [CALLER, ADMIN]],
  ["GET", "/ollama/api/tags", [CALLER, ADMIN]],
  ["POST", "/ollama/api/chat", [CALLER, ADMIN]],
  ["POST", "/v1/messages", [CALLER, ADMIN]],
  ["POST", "/ollama/v1/chat/completions", [CALLER, ADMIN]],
  ["POST", "/ollama/api/pull", [ADMIN]],
  ["DELETE", "/ollama/api/delete", [ADMIN]],
  ["POST", "/ollama/api/create", [ADMIN]],
  ["POST", "/ollama/api/copy", [ADMIN]],
  ["POST", "/ollama/api/push", [ADMIN]],
  ["POST", `/ollama/api/blobs/sha256:${"0".repeat(64)}`, [ADMIN]],
];

test.each(MATRIX)(
  "admits only keys with the right scope to %s %s",
  async (method, path, allowed) => {
    const body = method !== "GET" ? { body: '{"model":"m","prompt":"x"}' } : {};
    for (const key of ["nobody", CALLER, READ, ADMIN, UNKNOWN]) {
      const { status } = await call(path, {
        method,
        ...body,
        headers: key === "nobody" ? {} : bearer(key),
      });
      const refused = key === "nobody" || key === UNKNOWN ? 401 : 403;
      if (allowed.includes(key)) expect([200, 503], `${key} ${path}`).toContain(status);
      else expect(status, `${key} ${path}`).toBe(refused);
    }
  },
);

const SCOPES: Record<string, string[]> = {
  infer: [CALLER, ADMIN],
  metrics: [METRICS, STATS, READ, ADMIN],
  stats: [STATS, READ, ADMIN],
  admin: [ADMIN],
};

test.each(Object.values(API_ROUTES) as ApiRoute[])(
  "admits only keys with the right scope to $method $path",
  async ({ method, path, scope }) => {
    const body = method === "GET" ? {} : { body: "{}" };
    for (const key of ["nobody", CALLER, METRICS, STATS, READ, ADMIN, UNKNOWN]) {
      const { status } = await call(path.replace("{name}", "m"), {
        method,
        ...body,
        headers: key === "nobody" ? {} : bearer(key),
      });
      const refused = key === "nobody" || key === UNKNOWN ? 401 : 403;
      if (scope === null || SCOPES[scope]?.includes(key))
        expect([401, 403, 500], `${key} ${path}`).not.toContain(status);
      else expect(status, `${key} ${path}`).toBe(refused);
    }
  },
);

test("answers another method of a path of /api with 405 and the methods it accepts", async () => {
  const answer = await call("/api/health", { method: "POST", body: "{}", headers: bearer(ADMIN) });
  expect([answer.status, answer.headers.get("allow")]).toEqual([405, "GET"]);
  expect(await answer.json()).toMatchObject({
    error: { code: "method_not_allowed", failed_at: "gateway" },
  });
  expect((await call("/api/nothing", { headers: bearer(ADMIN) })).status).toBe(404);
});

test("accepts a key as x-api-key or in the path, but not in the query", async () => {
  expect((await call("/ollama/api/tags", { headers: { "x-api-key": CALLER } })).status).toBe(503);
  expect((await call(`/ollama/k/${CALLER}/api/tags`)).status).toBe(503);
  expect((await call(`/ollama/k/${CALLER}x/api/tags`)).status).toBe(401);
  expect((await call(`/ollama/api/tags?key=${CALLER}`)).status).toBe(401);
});

test("slows an address that guesses keys, and no other", async () => {
  const from = (address: string, key: string) =>
    call("/api/config", { headers: { ...bearer(key), "cf-connecting-ip": address } });
  const guesses = await Promise.all(Array.from({ length: 40 }, () => from("203.0.113.9", UNKNOWN)));
  const statuses = guesses.map(({ status }) => status);
  expect(new Set(statuses)).toEqual(new Set([401, 429]));
  expect(statuses.filter((status) => status === 401).length).toBeLessThanOrEqual(30);
  const refused = guesses.find(({ status }) => status === 429);
  expect(await refused?.json()).toMatchObject({ error: { code: "too_many_wrong_keys" } });
  expect(refused?.headers.get("retry-after")).toBe("5");
  expect((await from("203.0.113.10", UNKNOWN)).status).toBe(401);
  expect((await from("203.0.113.9", ADMIN)).status).toBe(200);
});

test("wakes no object for a flood of /readyz without a key", async () => {
  let calls = 0;
  const counted = (namespace: DurableObjectNamespace) =>
    ({
      getByName: (name: string) => {
        calls++;
        return namespace.getByName(name);
      },
    }) as DurableObjectNamespace;
  const counting = keys({ AGGREGATOR: counted(env.AGGREGATOR), BOX: counted(env.BOX) });
  const ready = (init: RequestInit = {}) => call("/readyz", init, counting);
  for (let n = 0; n < 50; n++) expect((await ready()).status).toBe(503);
  await Promise.all(Array.from({ length: 50 }, () => ready({ headers: bearer(UNKNOWN) })));
  expect(calls).toBeLessThanOrEqual(1);
  await ready({ headers: bearer(METRICS) });
  expect(calls).toBeLessThanOrEqual(2);
});

test("never repeats a key in an error", async () => {
  const answer = await call("/ollama/k/a-wrong-key-0123456789/api/tags");
  expect(await answer.text()).not.toContain("a-wrong-key");
  const unknown = await call(`/ollama/k/${CALLER}/api/nothing`);
  expect(unknown.status).toBe(404);
  expect(await unknown.text()).not.toContain(CALLER);
});

test.each([
  ["no secret", "home", {}],
  ["a wrong secret", "home", bearer("wrong-secret-0123456789")],
  ["another box's secret", "home", bearer(`${BOX}-2`)],
  ["an API key", "home", bearer(ADMIN)],
  ["a box name that has no secret", "attic", bearer(BOX)],
])("refuses an agent with %s", async (_name, box, headers) => {
  const answer = await call(`/agent/connect?box=${box}`, {
    headers: { upgrade: "websocket", "sec-websocket-protocol": SUBPROTOCOL, ...headers },
  });
  expect(answer.status).toBe(401);
  expect(await answer.json()).toMatchObject({
    error: {
      message: `The secret of box ${box} is wrong, or the box is missing from BOX_SECRETS.`,
    },
  });
});

test.each([
  ["no admin key", { ADMIN_KEY: undefined }, /ADMIN_KEY must be set/],
  ["a short key", { CALLER_KEY: "short" }, /CALLER_KEY must have at least 16/],
  ["two equal keys", { CALLER_KEY: ADMIN }, /CALLER_KEY must differ from ADMIN_KEY/],
  ["equal keys that read", { METRICS_KEY: READ }, /METRICS_KEY must differ from READ_KEY/],
  ["a key of one letter", { ADMIN_KEY: "aaaaaaaaaaaaaaaa" }, /ADMIN_KEY is easy to guess/],
  ["a key of few letters", { READ_KEY: "abcabdabcaabbaaccd" }, /READ_KEY is easy to guess/],
  ["a repeated pattern", { CALLER_KEY: "secret-secret-secret" }, /CALLER_KEY is easy to guess/],
  [
    "a weak box secret",
    { BOX_SECRETS: "home=0123456701234567" },
    /BOX_SECRETS must give box home a secret that is hard to guess/,
  ],
  ["an unknown auth mode", { AUTH_MODE: "none" }, /AUTH_MODE must be "keys" or "open"/],
  ["secrets that are not a list", { BOX_SECRETS: "home" }, /BOX_SECRETS must be a list/],
  [
    "a short box secret",
    { BOX_SECRETS: "home=short" },
    /BOX_SECRETS must give box home a secret of at least 16/,
  ],
  [
    "an instrumentation flag of yes",
    { ENABLE_INSTRUMENTATION: "yes" },
    /ENABLE_INSTRUMENTATION must be "true" or "false"/,
  ],
  [
    "an unknown exporter",
    { EXPORTER_TYPE: "mysql" },
    /EXPORTER_TYPE must be "none", "clickhouse", "postgres" or "both"/,
  ],
  [
    "an interval of 0",
    { METRICS_EXPORT_INTERVAL: "0" },
    /METRICS_EXPORT_INTERVAL must be a whole number of seconds from 1/,
  ],
  ["a database address that is not a URL", { DATABASE_URL: "neon" }, /DATABASE_URL is not a URL/],
  [
    "a database address of another protocol",
    { DATABASE_URL: `https://u:${CALLER}@pg.example/db` },
    /DATABASE_URL is not of the form postgresql:/,
  ],
  [
    "a database without a user",
    { DATABASE_URL: "postgres://pg.example/db" },
    /DATABASE_URL lacks one of user, password, host and database/,
  ],
  [
    "a password in the ClickHouse address",
    { CLICKHOUSE_URL: `https://u:${CALLER}@ch.example` },
    /CLICKHOUSE_URL must contain only a host and a port/,
  ],
  [
    "a database name that needs quoting",
    { CLICKHOUSE_DATABASE: "a;b" },
    /CLICKHOUSE_DATABASE is not a name/,
  ],
  [
    "an external store without an address",
    { EXPORTER_TYPE: "both", DATABASE_URL: "postgres://u:p@h/d" },
    /CLICKHOUSE_URL is not set, but EXPORTER_TYPE is both/,
  ],
  [
    "one box listed twice",
    { BOX_SECRETS: `home=${BOX},home=${BOX}` },
    /BOX_SECRETS must name box home only once/,
  ],
])(
  "with %s, refuses every call and names the variable but not its value",
  async (_name, more, message) => {
    const answer = await call("/api/health", { headers: bearer(ADMIN) }, keys(more));
    expect(answer.status).toBe(503);
    const text = await answer.text();
    expect(JSON.parse(text)).toMatchObject({
      error: { code: "misconfigured", message: expect.stringMatching(message) },
    });
    for (const secret of [ADMIN, BOX, CALLER]) expect(text).not.toContain(secret);
  },
);

test("shows prompts, responses and Ollama's errors only to keys with the scope text", async () => {
  const record = recordOf(Date.now(), {
    prompt: "canary-prompt",
    response: "canary-response",
    status: "error",
    failed_at: "ollama",
    error_message: "canary-error",
  });
  await aggregatorOf(env).ingest([record]);
  const logsFor = async (key: string, query = "") => {
    const path = `/api/stats/logs?id=${record.request_id}${query}`;
    return call(path, { headers: bearer(key) });
  };
  for (const key of [READ, ADMIN])
    expect(await (await logsFor(key)).text()).toMatch(
      /canary-prompt.*canary-response|canary-error/,
    );
  for (const format of ["json", "csv", "ndjson"]) {
    const shown = await textOf(await logsFor(STATS, `&format=${format}`));
    expect(shown).toContain(record.request_id);
    expect(shown).toContain("ollama_error: The message is shown only to keys with the scope text.");
    expect(shown).not.toContain("canary");
  }
  const search = await logsFor(STATS, "&q=canary");
  expect([search.status, await search.text()]).toEqual([403, expect.stringContaining("text")]);
  expect((await logsFor(METRICS)).status).toBe(403);
});

test("shows the stores' hosts only to administrators, and secrets to nobody", async () => {
  const more = {
    EXPORTER_TYPE: "both",
    METRICS_EXPORT_INTERVAL: 30,
    CLICKHOUSE_URL: "https://ch.example:8443",
    DATABASE_URL: "postgres://u:pw-0123@pg.example/db",
  };
  const configFor = async (key: string) =>
    Config.parse(await (await call("/api/config", { headers: bearer(key) }, keys(more))).json());
  expect(await configFor(READ)).toMatchObject({
    clickhouse_host: null,
    postgres_host: null,
    exporter_type: "both",
    metrics_export_interval: 30,
  });
  const shown = await configFor(ADMIN);
  expect(shown).toMatchObject({
    clickhouse_host: "ch.example",
    postgres_host: "pg.example",
    auth_mode: "keys",
  });
  for (const secret of [ADMIN, CALLER, READ, BOX, "pw-0123"])
    expect(JSON.stringify(shown)).not.toContain(secret);
  const health = await call("/api/health", { headers: bearer(READ) }, keys(more));
  expect(await health.text()).not.toMatch(/pw-0123|pg\.example|ch\.example/);
});

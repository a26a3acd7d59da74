import { env } from "cloudflare:workers";
import { expect, test, vi } from "vitest";
import { Config } from "../../protocol/api/config.ts";
import type { ApiRoute } from "../../protocol/api/route.ts";
import { API_ROUTES } from "../../protocol/api/routes.ts";
import { SUBPROTOCOL } from "../../protocol/limits.ts";
import { aggregatorOf } from "../../worker/aggregator/stub.ts";
import { recordOf } from "../support/records.ts";
import { textOf } from "./calls.ts";
import {
  ADMIN,
  BOX,
  bearer,
  CALLER,
  call,
  keys,
  METRICS,
  READ,
  STATS,
  UNKNOWN,
} from "./keyed-edge.ts";

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
  any: [CALLER, METRICS, STATS, READ, ADMIN],
  infer: [CALLER, ADMIN],
  metrics: [METRICS, STATS, READ, ADMIN],
  stats: [STATS, READ, ADMIN],
  models: [ADMIN],
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

test("no answer of our own API has its type guessed or runs in a browser", async () => {
  for (const path of ["/api/config", "/api/nothing", "/api/stats/logs?format=csv"]) {
    const { headers } = await call(path, { headers: bearer(ADMIN) });
    expect(headers.get("x-content-type-options"), path).toBe("nosniff");
    expect(headers.get("content-security-policy"), path).toMatch(/sandbox; default-src 'none'/);
  }
});

test("accepts a key as x-api-key or in the path, but not in the query", async () => {
  expect((await call("/ollama/api/tags", { headers: { "x-api-key": CALLER } })).status).toBe(503);
  expect((await call(`/ollama/k/${CALLER}/api/tags`)).status).toBe(503);
  expect((await call(`/ollama/k/${CALLER}/@nobody/api/tags`)).status).toBe(404);
  expect((await call(`/ollama/k/${CALLER}x/@nobody/api/tags`)).status).toBe(401);
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

test("slows an address that guesses the secrets of boxes, whatever the box", async () => {
  const guess = (box: string) =>
    call(`/agent/connect?box=${box}`, {
      headers: {
        upgrade: "websocket",
        "sec-websocket-protocol": SUBPROTOCOL,
        "cf-connecting-ip": "203.0.113.20",
        ...bearer(UNKNOWN),
      },
    });
  const boxes = Array.from({ length: 40 }, (_, n) => (n % 2 === 0 ? "home" : "attic"));
  const statuses = (await Promise.all(boxes.map(guess))).map(({ status }) => status);
  expect(new Set(statuses)).toEqual(new Set([401, 429]));
  expect(statuses.filter((status) => status === 401).length).toBeLessThanOrEqual(30);
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

test("hashes an offered key once, and the configured keys once for all calls", async () => {
  const bindings = keys();
  const digest = vi.spyOn(crypto.subtle, "digest");
  const hashesOf = async (key: string) => {
    digest.mockClear();
    await call("/api/config", { headers: bearer(key) }, bindings);
    return digest.mock.calls.length;
  };
  const configured = 5;
  expect(await hashesOf(READ)).toBe(configured + 1);
  for (const key of [READ, ADMIN, UNKNOWN]) expect(await hashesOf(key)).toBe(1);
  digest.mockRestore();
});

/** The audit log: who changed what, when and from where. */
import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { AuditPage } from "../../protocol/api/audit.ts";
import { API_ROUTES } from "../../protocol/api/routes.ts";
import { type AuditEntry, OLLAMA_ACTIONS } from "../../protocol/audit.ts";
import { AUDIT_FIELDS } from "../../protocol/audit-columns.ts";
import { OLLAMA_ROUTES } from "../../protocol/routes.ts";
import { aggregatorOf } from "../../worker/aggregator/stub.ts";
import { ADMIN, bearer, call, keys, READ } from "./keyed-edge.ts";

const FROM = { "cf-connecting-ip": "203.0.113.7", "user-agent": "curl/8" };

const as = (key: string, path: string, method: string, body?: object, headers: object = {}) =>
  call(path, {
    method,
    headers: { ...bearer(key), ...FROM, ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });

async function auditOf(query = ""): Promise<AuditPage> {
  const answer = await call(`/api/audit${query}`, { headers: bearer(ADMIN) });
  expect(answer.status).toBe(200);
  return AuditPage.parse(await answer.json());
}

const newest = async (query = ""): Promise<AuditEntry> => {
  const [entry] = (await auditOf(query)).entries;
  if (entry === undefined) throw new Error("the log is empty");
  return entry;
};

test("notes a change with its author, its address, its target and its parameters", async () => {
  const made = await as(ADMIN, "/api/keys", "POST", { name: "Ada", scopes: ["admin"] });
  const { id, key } = await made.json<{ id: string; key: string }>();
  expect(await newest()).toEqual({
    id: expect.any(String),
    timestamp: expect.any(String),
    action: "key_made",
    outcome: "done",
    error: null,
    target: id,
    detail: expect.stringContaining('"name":"Ada"'),
    times: 1,
    via: "key",
    key_id: "admin",
    key_name: "ADMIN_KEY",
    identity: null,
    client_ip: "203.0.113.7",
    user_agent: "curl/8",
    request_id: made.headers.get("x-request-id") ?? expect.any(String),
  });
  await as(key, "/api/config", "PATCH", { log_content: "off" });
  expect(await newest()).toMatchObject({
    action: "config_changed",
    detail: '{"log_content":"off"}',
    key_id: id,
    key_name: "Ada",
  });
  expect(JSON.stringify(await auditOf())).not.toContain(key);
});

test("notes changes of each kind, also those that failed", async () => {
  const tariff = { currency: "EUR", default: { price_per_kwh: 0.3, co2_g_per_kwh: null } };
  const changes: [path: string, method: string, body: object | undefined, entry: object][] = [
    ["/api/tariff", "DELETE", undefined, { action: "tariff_removed", outcome: "done" }],
    ["/api/tariff", "PUT", { ...tariff, nonsense: 1 }, { action: "tariff_removed" }],
    [
      "/api/boxes/join",
      "POST",
      { name: "atlas" },
      { action: "join_code_made", outcome: "done", detail: '{"name":"atlas"}' },
    ],
    [
      "/api/notifications",
      "POST",
      { kind: "ntfy", url: "https://ntfy.sh/secret-topic", token: "tk_secret" },
      {
        action: "target_added",
        outcome: "done",
        detail: '{"kind":"ntfy","severity":"warning","quiet_hours":null,"weekly":null}',
      },
    ],
    [
      "/api/keys/0123456789abcdef",
      "DELETE",
      undefined,
      {
        action: "key_revoked",
        outcome: "failed",
        error: "key_not_found",
        target: "0123456789abcdef",
      },
    ],
    [
      "/api/boxes/nobody/bench",
      "POST",
      { model: "llama3.2" },
      { action: "bench_started", outcome: "failed", target: "nobody" },
    ],
    [
      "/api/models/repository",
      "POST",
      { model_name: "llama3.2" },
      { action: "repository_changed", outcome: "done", target: "llama3.2" },
    ],
    [
      "/ollama/api/delete",
      "DELETE",
      { model: "mistral" },
      { action: "model_deleted", outcome: "failed", target: "mistral" },
    ],
  ];
  for (const [path, method, body, entry] of changes) {
    await as(ADMIN, path, method, body);
    expect(await newest(), path).toMatchObject(entry);
  }
});

test("clearing all data leaves the log, and is noted", async () => {
  const before = (await auditOf("?limit=500")).entries.length;
  await as(ADMIN, "/api/data/all", "DELETE");
  const { entries } = await auditOf("?limit=500");
  expect(entries).toHaveLength(before + 1);
  expect(entries[0]).toMatchObject({ action: "data_cleared", outcome: "done" });
});

test("a refused change is noted once a minute, and reads are not", async () => {
  // The sample is one of the isolate, which other files share.
  const made = await as(ADMIN, "/api/keys", "POST", { name: "Bob", scopes: ["infer"] });
  const { id, key } = await made.json<{ id: string; key: string }>();
  for (let n = 0; n < 50; n++) {
    expect((await as(key, "/api/data/all", "DELETE")).status).toBe(403);
    expect((await as(key, "/ollama/api/delete", "DELETE", { model: "m" })).status).toBe(403);
    expect((await as(READ, "/api/audit", "GET")).status).toBe(403);
  }
  const refused = { outcome: "refused", error: "forbidden", key_id: id, key_name: "Bob" };
  expect((await auditOf(`?key=${id}`)).entries).toMatchObject([
    { action: "model_deleted", ...refused },
    { action: "data_cleared", ...refused },
  ]);
});

test("strangers who try to change something wake no object", async () => {
  let calls = 0;
  const AGGREGATOR = { getByName: () => ++calls } as never;
  for (const headers of [{}, bearer("an-unknown-key-012345"), bearer(`oes_${"0".repeat(85)}`)])
    await call("/api/data/all", { method: "DELETE", headers }, keys({ AGGREGATOR }));
  expect(calls).toBe(0);
});

test("a sign-in is noted as one of its key, and what the session changes as by a session", async () => {
  const own = { "sec-fetch-site": "same-origin" };
  const made = await as(ADMIN, "/api/keys", "POST", { name: "Eve", scopes: ["admin"] });
  const { id, key } = await made.json<{ id: string; key: string }>();
  const answer = await as(READ, "/api/session", "POST", { key }, own);
  expect(await newest()).toMatchObject({ action: "signed_in", outcome: "done", key_id: id });
  const cookie = answer.headers.get("set-cookie")?.split(";", 1)[0] ?? "";
  await call("/api/tariff", { method: "DELETE", headers: { ...own, cookie } });
  expect(await newest()).toMatchObject({ via: "session", key_id: id, client_ip: null });
});

test("pages and filters of the log hold each entry once", async () => {
  for (let n = 0; n < 7; n++) await as(ADMIN, "/api/models/repository/sync", "POST");
  const all = (await auditOf("?limit=500")).entries;
  const paged: AuditEntry[] = [];
  let query = "?limit=2";
  for (let page = await auditOf(query); ; page = await auditOf(query)) {
    paged.push(...page.entries);
    if (page.next_cursor === null) break;
    query = `?limit=2&cursor=${page.next_cursor}`;
  }
  expect(paged).toEqual(all);
  const times = all.map(({ timestamp }) => timestamp);
  expect(times).toEqual([...new Set(times)].sort().reverse());
  for (const [narrowing, isWanted] of [
    ["action=repository_changed", ({ action }) => action === "repository_changed"],
    ["outcome=failed", ({ outcome }) => outcome === "failed"],
    ["key=admin", ({ key_id }) => key_id === "admin"],
    ["target=llama3.2", ({ target }) => target === "llama3.2"],
    [`until=${times[3]}`, ({ timestamp }) => timestamp < (times[3] ?? "")],
    [`since=${times[3]}`, ({ timestamp }) => timestamp >= (times[3] ?? "")],
  ] as [string, (entry: AuditEntry) => boolean][])
    expect((await auditOf(`?limit=500&${narrowing}`)).entries, narrowing).toEqual(
      all.filter(isWanted),
    );
});

test("exports the log as CSV and NDJSON", async () => {
  const all = (await auditOf("?limit=500")).entries;
  const ndjson = await (await call("/api/audit?format=ndjson", { headers: bearer(ADMIN) })).text();
  const lines = ndjson.trim().split("\n");
  expect(lines.map((line) => JSON.parse(line))).toEqual(all);
  const csv = await (
    await call("/api/audit?format=csv&limit=3", { headers: bearer(ADMIN) })
  ).text();
  expect(csv.split("\r\n")[0]).toBe(AUDIT_FIELDS.join(","));
  expect(csv.trim().split("\r\n")).toHaveLength(4);
});

test("each call that may change something states how the log calls it", () => {
  for (const { method, path, kind } of OLLAMA_ROUTES)
    if (kind === "management") expect(OLLAMA_ACTIONS, `${method} ${path}`).toHaveProperty([path]);
  const silent = Object.values(API_ROUTES).flatMap((route) =>
    "audit" in route && route.audit === null ? [`${route.method} ${route.path}`] : [],
  );
  // Calls have records; signing out changes nothing that others could see.
  expect(silent).toEqual([
    "POST /api/notifications/{id}/test",
    "POST /api/chat",
    "DELETE /api/session",
  ]);
});

test("while nothing can be noted, nothing is changed", async () => {
  const { enable_instrumentation } = await aggregatorOf(env).settings();
  const getByName = (name: string) => {
    const stub = env.AGGREGATOR.getByName(name);
    const noteAudit = () => Promise.reject(new Error("storage is full"));
    return new Proxy(stub, {
      get: (_, part) => (part === "noteAudit" ? noteAudit : stub[part as never]),
    });
  };
  const answer = await call(
    "/api/config",
    {
      method: "PATCH",
      headers: bearer(ADMIN),
      body: JSON.stringify({ enable_instrumentation: false }),
    },
    keys({ AGGREGATOR: { getByName } as never }),
  );
  expect(answer.status).toBe(500);
  expect((await aggregatorOf(env).settings()).enable_instrumentation).toBe(enable_instrumentation);
});

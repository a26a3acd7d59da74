/** The documented grants allow exactly the statements that the Worker sends to the stores. */
import { beforeAll, expect, test } from "vitest";
import { NO_AMOUNT } from "../../worker/counting/amount.ts";
import { NO_SUMS } from "../../worker/counting/energy-hours.ts";
import clickhouseGrants from "../../worker/export/clickhouse/grants.sql?raw";
import { CLICKHOUSE_TABLES } from "../../worker/export/clickhouse/schema.ts";
import type { ExternalStore } from "../../worker/export/external-store.ts";
import postgresGrants from "../../worker/export/postgres/grants.sql?raw";
import { PostgresStore } from "../../worker/export/postgres/postgres.ts";
import { POSTGRES_TABLES } from "../../worker/export/postgres/schema.ts";
import type { PostgresSettings } from "../../worker/export/postgres/settings.ts";
import { RepositoryCopy } from "../../worker/repository/copy.ts";
import { LocalRepository } from "../../worker/repository/local.ts";
import { PostgresRepository } from "../../worker/repository/postgres.ts";
import { SharedRepository } from "../../worker/repository/shared.ts";
import type { RepositoryWrite } from "../../worker/repository/stored.ts";
import { gpuOf, recordOf, systemOf } from "../support/records.ts";
import { Edge, onFreshStorage } from "./edge.ts";
import { type FreshStores, faults, freshStores, statements } from "./fresh-stores.ts";

const NOW = Date.UTC(2026, 10, 24, 12);

let stores: FreshStores;

beforeAll(async () => {
  stores = await freshStores();
});

const CHANGE = {
  action: "pin_set" as const,
  target: "atlas",
  detail: null,
  via: "key" as const,
  key_id: "admin",
  identity: null,
  client_ip: null,
  user_agent: null,
  request_id: recordOf(NOW).request_id,
};

/**
 * Uses a store in every way that the Worker and `npm run check:stores` do.
 * @throws the first failure
 */
async function useAll(
  store: ExternalStore & { deleteModel(model: string): Promise<void> },
): Promise<void> {
  await onFreshStorage(async (storage) => {
    const edge = new Edge(storage, [store], NOW);
    edge.add([recordOf(NOW - 60_000), recordOf(NOW - 60_000, { model: "mistral" }, 1)]);
    edge.addSamples("atlas", [gpuOf("atlas", NOW)], [systemOf(NOW)]);
    edge.addEnergy("atlas", [{ at: NOW / 1_000, ...NO_SUMS, idle: { ...NO_AMOUNT, j: 5 } }]);
    edge.audit.add(CHANGE, { outcome: "done", error: null, target: null }, 1, NOW);
    await edge.flush();
    const [health] = edge.deliveries.health();
    if (health?.state !== "ok") throw new Error(health?.last_error?.message);
  });
  const span = { from: NOW / 1_000 - 3_600, granularity: 60, buckets: 60 };
  const filters = { box: "atlas", clearedMs: NOW - 3_600_000 };
  const all = {
    ...filters,
    model: "llama3.2",
    key: "caller",
    q: "it's",
    status: "error",
    limit: 5,
    since: "2026-11-01T00:00:00Z",
  } as const;
  await store.logs({ limit: 5, clearedMs: null });
  await store.logs({
    ...all,
    until: "2026-12-01T00:00:00Z",
    id: recordOf(NOW).request_id,
    cursor: recordOf(NOW).request_id,
  });
  for (const filter of [{ clearedMs: null }, { ...filters, model: "llama3.2" }])
    await store.history(span, filter, NOW);
  for (const filter of [{ clearedMs: null }, filters]) await store.samples(span, filter);
  await store.deleteOld();
  await store.deleteModel("mistral");
  await store.clear({ logs: true, metrics: true });
}

/** Uses the model repository in every way. */
async function useRepository(settings: PostgresSettings): Promise<void> {
  await onFreshStorage(async (storage) => {
    const local = new LocalRepository(storage);
    local.countDownload("pulled", NOW);
    const shared = new SharedRepository(
      new RepositoryCopy(storage),
      new PostgresRepository(settings),
    );
    const writes: RepositoryWrite[] = [
      { kind: "put", name: "a", edit: { description: "Mine", is_default: true } },
      { kind: "change", name: "a", edit: { is_default: true, category: "code" } },
      { kind: "toggle_favorite", name: "a" },
      { kind: "add_found", found: [{ name: "b", installedAtMs: NOW }] },
      { kind: "remove", name: "a" },
    ];
    for (const write of writes) await shared.write(write, NOW);
    const { problem } = await shared.read(NOW);
    if (problem !== null) throw new Error(problem);
  });
}

/** Parses `GRANT a, b ON t, u TO who` into rights on tables. */
const grantsOf = (sql: string): [right: string, table: string][] =>
  [...sql.matchAll(/^GRANT (.+) ON (.+) TO /gm)].flatMap(([, rights = "", tables = ""]) =>
    rights
      .split(", ")
      .flatMap((right) => tables.split(", ").map((table): [string, string] => [right, table])),
  );

async function newRole(): Promise<{ role: string; settings: PostgresSettings }> {
  const role = `writer_${crypto.randomUUID().replaceAll("-", "")}`;
  const sql = postgresGrants
    .replace(/^--.*$/gm, "")
    .replaceAll(/\bedge\b/g, role)
    .replace("…", "canary-writer");
  for (const statement of sql.split(";").filter((text) => text.trim() !== ""))
    await stores.ask.postgres(statement);
  const { postgres } = stores.settings.configured;
  if (postgres === null) throw new Error("Postgres is configured in these tests");
  const url = Object.assign(new URL(postgres.url), { username: role, password: "canary-writer" });
  return { role, settings: { ...postgres, url: url.href } };
}

test("the Postgres grants allow everything that the Worker does, and no change to a table", async () => {
  const { settings } = await newRole();
  await useAll(new PostgresStore(settings));
  await useRepository(settings);
  await expect(new PostgresStore(settings).migrate()).rejects.toThrow(/Postgres error 42501/);
});

test.each(grantsOf(postgresGrants))(
  "the Worker needs %s on %s in Postgres, and reports that it is missing",
  async (right, table) => {
    const { role, settings } = await newRole();
    await stores.ask.postgres(`REVOKE ${right} ON ${table} FROM ${role}`);
    const isOfRepository = table.startsWith("model_");
    const use = () =>
      isOfRepository ? useRepository(settings) : useAll(new PostgresStore(settings));
    await expect(use()).rejects.toThrow(/has not granted this user enough rights/);
  },
);

test("the Postgres grants name all tables", () => {
  expect(new Set(grantsOf(postgresGrants).map(([, table]) => table))).toEqual(
    new Set(POSTGRES_TABLES.map(({ name }) => name)),
  );
});

/** The engine under test has no users, so the statements are compared with the grants. */
const RIGHTS: [pattern: RegExp, right: string][] = [
  [/^SELECT\b.*?\bFROM ([\w.]+)/s, "SELECT"],
  [/^INSERT INTO (\w+)/, "INSERT"],
  [/^TRUNCATE TABLE (\w+)/, "TRUNCATE"],
  [/^ALTER TABLE (\w+) DELETE\b/, "ALTER DELETE"],
];

test("each statement that ClickHouse gets is valid, uses our tables and granted rights, and every grant is needed", async () => {
  await faults("clickhouse", []);
  await useAll(stores.clickhouse);
  const sent = [...new Set(await statements("clickhouse"))].map((statement) => statement.trim());
  const tables = new Set([
    ...CLICKHOUSE_TABLES.map(({ name }) => name),
    "system.columns",
    "system.tables",
  ]);
  const used = new Set<string>();
  for (const statement of sent) {
    await parse(statement);
    const [right, table] = RIGHTS.flatMap(([pattern, name]) => {
      const [, found] = pattern.exec(statement) ?? [];
      return found === undefined ? [] : [[name, found] as const];
    })[0] ?? ["nothing that is known", statement];
    expect(tables, `${right} on ${table}`).toContain(table);
    used.add(right);
  }
  expect(sent.length).toBeGreaterThan(15);
  expect(used).toEqual(new Set(grantsOf(clickhouseGrants).map(([right]) => right)));
});

test("the ClickHouse grants are valid statements for the database in the settings", async () => {
  const sql = clickhouseGrants.replace(/^--.*$/gm, "");
  for (const statement of sql.split(";").filter((text) => text.trim() !== ""))
    await parse(statement);
  expect(new Set(grantsOf(clickhouseGrants).map(([, table]) => table))).toEqual(
    new Set(["ollama_metrics.*"]),
  );
});

const parse = (statement: string) =>
  stores.ask.clickhouse(
    `SELECT formatQuerySingleLine('${statement.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}')`,
  );

test("an invalid statement is found by this test", () =>
  expect(parse("SELEC 1")).rejects.toThrow(/SYNTAX_ERROR/));

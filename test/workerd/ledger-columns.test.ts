/** Records that an older edge stored, one row each, and records without fields that came later. */
import { env, runInDurableObject } from "cloudflare:test";
import { expect, test } from "vitest";
import { Forgotten } from "../../worker/aggregator/forgotten.ts";
import { Ledger } from "../../worker/aggregator/ledger.ts";
import { MIGRATIONS, migrate } from "../../worker/aggregator/schema.ts";
import { idOf, recordOf } from "../support/records.ts";

/** The migrations up to the one that made pages. */
const ROWS = MIGRATIONS.slice(
  0,
  MIGRATIONS.findIndex((sql) => sql.includes("ledger_pages")),
);
const NOW = Date.now();

/** Works on the storage of a Box, which itself stores nothing. */
const onStorage = (name: string, work: (storage: DurableObjectStorage) => unknown) =>
  runInDurableObject(env.BOX.getByName(name), (_, { storage }) => work(storage));

/** Makes the tables of an older edge, with records in rows. */
function older(storage: DurableObjectStorage, records: number): void {
  const { sql } = storage;
  sql.exec("CREATE TABLE meta (key TEXT PRIMARY KEY, value REAL NOT NULL) STRICT, WITHOUT ROWID");
  for (const migration of ROWS) sql.exec(migration);
  sql.exec(`INSERT INTO meta VALUES ('schema_version', ${ROWS.length}), ('created_at_ms', 1000)`);
  for (let n = 0; n < records; n++)
    sql.exec(
      `INSERT INTO ledger (request_id, started_at, finished_at_ms, endpoint, api, stream, status, http_status,
         latency_ms, resumed, stamp, counted_as, pad, prompt)
       VALUES (?, ?, ?, '/api/chat', 'ollama', 1, 'success', 200, 1250, 0, ?, 1, zeroblob(1002), ?)`,
      ...[idOf(NOW, n), new Date(NOW).toISOString(), NOW + 1_250, 7 + (n % 3), `canary ${n}`],
    );
}

test("all records of an older edge are read as they were", async () => {
  await onStorage("older-rows", async (storage) => {
    older(storage, 450);
    migrate(storage, NOW);
    const ledger = new Ledger(storage.sql, new Forgotten(storage.sql));
    const { logs, total } = await ledger.page({ limit: 1_000 });
    expect(total).toBe(450);
    expect(logs.map(({ prompt }) => prompt).toReversed()).toEqual(
      Array.from({ length: 450 }, (_, n) => `canary ${n}`),
    );
    expect(logs[0]).toMatchObject({
      stream: true,
      simulated: null,
      edge_ms: null,
      latency_ms: 1_250,
    });
    expect([...ledger.uncounted(8)]).toHaveLength(150);
    expect(ledger.batchesAfter(7).map(({ ids }) => ids.length)).toEqual([150, 150]);
    expect(ledger.insert(recordOf(NOW, {}, 3), NOW)).toBe(false);
    expect(
      storage.sql.exec("SELECT name FROM sqlite_master WHERE name = 'ledger'").toArray(),
    ).toEqual([]);
  });
});

test("a page of an older edge has null for later fields, and takes no records", async () => {
  await onStorage("older-page", async (storage) => {
    migrate(storage, NOW);
    const added = (n: number) => {
      const ledger = new Ledger(storage.sql, new Forgotten(storage.sql));
      ledger.insert(recordOf(NOW, {}, n), NOW);
      ledger.write();
      return ledger;
    };
    added(0);
    // The field has another name, as if the older edge had not known it.
    storage.sql.exec(
      "UPDATE ledger_pages SET heads = CAST(replace(CAST(heads AS TEXT), 'tunnel_ms', 'funnel_ms') AS BLOB)",
    );
    const ledger = added(1);
    ledger.complete(recordOf(NOW, {}, 0));
    const { logs } = await ledger.page({ limit: 2 });
    expect(logs.map(({ tunnel_ms }) => tunnel_ms)).toEqual([30, null]);
    expect(storage.sql.exec("SELECT page FROM ledger_pages").toArray()).toHaveLength(2);
  });
});

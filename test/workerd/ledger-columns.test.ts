import { env, runInDurableObject } from "cloudflare:test";
import { expect, test } from "vitest";
import { RECORD_COLUMNS } from "../../protocol/columns.ts";
import { Forgotten } from "../../worker/aggregator/forgotten.ts";
import { Ledger } from "../../worker/aggregator/ledger.ts";
import { migrate } from "../../worker/aggregator/schema.ts";
import { recordOf } from "../support/records.ts";

const columnsOf = (sql: SqlStorage) =>
  sql
    .exec("SELECT name FROM pragma_table_info('ledger')")
    .toArray()
    .map(({ name }) => String(name));

/** Works on the storage of a Box, which itself stores nothing. */
const onStorage = (name: string, work: (storage: DurableObjectStorage) => void) =>
  runInDurableObject(env.BOX.getByName(name), (_, { storage }) => work(storage));

test("the ledger has a column for each field of a record, and how it was counted", async () => {
  await onStorage("ledger-columns", (storage) => {
    migrate(storage, 0);
    expect(columnsOf(storage.sql).sort()).toEqual(
      [...RECORD_COLUMNS, "finished_at_ms", "stamp", "counted_as", "pad"].sort(),
    );
  });
});

test("a field that a record has and an older ledger lacks becomes a column", async () => {
  await onStorage("older-ledger", async (storage) => {
    migrate(storage, 0);
    storage.sql.exec("ALTER TABLE ledger DROP COLUMN tunnel_ms");
    migrate(storage, 0);
    expect(columnsOf(storage.sql)).toContain("tunnel_ms");
    const ledger = new Ledger(storage.sql, new Forgotten(storage.sql));
    ledger.insert(recordOf(1_000), 2_000);
    expect((await ledger.page({ limit: 1 })).logs[0]?.tunnel_ms).toBe(30);
  });
});

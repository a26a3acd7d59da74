/** What `npm run migrate` and `npm run check:stores` have in common: the stores that the environment names. */
import { z } from "zod";
import { ClickHouseStore } from "../worker/sinks/clickhouse.ts";
import { PostgresStore } from "../worker/sinks/postgres.ts";
import { storeSettingsOf } from "../worker/sinks/settings.ts";
import { StoreError } from "../worker/sinks/store.ts";

export type NamedStore = ClickHouseStore | PostgresStore;

/** Without EXPORTER_TYPE: those that have an address. @throws {z.ZodError} */
export function storesNamedBy(environment: Record<string, string | undefined>): NamedStore[] {
  const set = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== undefined && value !== ""));
  const { CLICKHOUSE_URL, DATABASE_URL, EXPORTER_TYPE } = set;
  const addressed = CLICKHOUSE_URL && DATABASE_URL ? "both" : CLICKHOUSE_URL ? "clickhouse" : DATABASE_URL ? "postgres" : "none";
  const { clickhouse, postgres } = storeSettingsOf({ ...set, EXPORTER_TYPE: EXPORTER_TYPE ?? addressed });
  return [...(clickhouse === null ? [] : [new ClickHouseStore(clickhouse)]), ...(postgres === null ? [] : [new PostgresStore(postgres)])];
}

/** Does something with each store, and says how it went. The exit code is 1 when one failed, or none is named. */
export async function withEachStore(work: (store: NamedStore) => Promise<string>): Promise<void> {
  let stores: NamedStore[] = [];
  try {
    stores = storesNamedBy(process.env);
  } catch (error) {
    if (!(error instanceof z.ZodError)) throw error;
    for (const { path, message } of error.issues) console.error(`${path.join(".")} ${message}`);
    process.exitCode = 1;
    return;
  }
  if (stores.length === 0) {
    console.error("No store is named: set CLICKHOUSE_URL (with CLICKHOUSE_USER and CLICKHOUSE_PASSWORD), DATABASE_URL, or both.");
    process.exitCode = 1;
  }
  for (const store of stores) {
    try {
      console.log(`${store.name}: ${await work(store)}`);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      console.error(`${store.name} ${error.message}`);
      process.exitCode = 1;
    }
  }
}

/** What `npm run migrate` and `npm run check:stores` have in common: the stores that the environment names. */
import { z } from "zod";
import { ClickHouseStore } from "../worker/export/clickhouse/clickhouse.ts";
import { StoreError } from "../worker/export/external-store.ts";
import { PostgresStore } from "../worker/export/postgres/postgres.ts";
import { type StoreSettings, storeSettingsOf } from "../worker/export/settings.ts";

export type NamedStore = ClickHouseStore | PostgresStore;

/** Without EXPORTER_TYPE: those that have an address. @throws {z.ZodError} */
function settingsNamedBy(environment: Record<string, string | undefined>): StoreSettings {
  const set = Object.fromEntries(
    Object.entries(environment).filter(([, value]) => value !== undefined && value !== ""),
  );
  const { CLICKHOUSE_URL, DATABASE_URL, EXPORTER_TYPE } = set;
  const addressed =
    CLICKHOUSE_URL && DATABASE_URL
      ? "both"
      : CLICKHOUSE_URL
        ? "clickhouse"
        : DATABASE_URL
          ? "postgres"
          : "none";
  return storeSettingsOf({ ...set, EXPORTER_TYPE: EXPORTER_TYPE ?? addressed });
}

/** Does something with each store, and says how it went. The exit code is 1 when one failed, or none is named. */
export async function withEachStore(
  work: (store: NamedStore, settings: StoreSettings) => Promise<string>,
): Promise<void> {
  let settings: StoreSettings;
  try {
    settings = settingsNamedBy(process.env);
  } catch (error) {
    if (!(error instanceof z.ZodError)) throw error;
    for (const { path, message } of error.issues) console.error(`${path.join(".")} ${message}`);
    process.exitCode = 1;
    return;
  }
  const { clickhouse, postgres } = settings;
  const stores = [
    clickhouse && new ClickHouseStore(clickhouse),
    postgres && new PostgresStore(postgres),
  ].filter((store) => store !== null);
  if (stores.length === 0) {
    console.error(
      "No store is named: set CLICKHOUSE_URL (with CLICKHOUSE_USER and CLICKHOUSE_PASSWORD), DATABASE_URL, or both.",
    );
    process.exitCode = 1;
  }
  for (const store of stores) {
    try {
      console.log(`${store.name}: ${await work(store, settings)}`);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      console.error(`${store.name} ${error.message}`);
      process.exitCode = 1;
    }
  }
}

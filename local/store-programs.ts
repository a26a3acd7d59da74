/**
 * The part that `npm run migrate`, `check:stores` and `erase:texts` share: the external stores that the
 * environment names.
 */
import * as z from "zod";
import { type ExternalStore, StoreError } from "../worker/export/external-store.ts";
import {
  type ConfiguredStores,
  EXTERNAL_STORES,
  openExternalStores,
} from "../worker/export/external-stores.ts";
import { addressedStoresOf, storeSettingsOf } from "../worker/export/settings.ts";

/** Without EXPORTER_TYPE, returns every store that has an address. @throws {z.ZodError} */
function storesNamedBy(environment: Record<string, string | undefined>): ConfiguredStores {
  const set = Object.fromEntries(
    Object.entries(environment).filter(([, value]) => value !== undefined && value !== ""),
  );
  return set.EXPORTER_TYPE === undefined ? addressedStoresOf(set) : storeSettingsOf(set).configured;
}

/**
 * Runs the work on each store and prints its outcome. The exit code is 1 if one failed or none is
 * configured.
 */
export async function withEachStore(
  work: (store: ExternalStore, configured: ConfiguredStores) => Promise<string>,
): Promise<void> {
  let configured: ConfiguredStores;
  try {
    configured = storesNamedBy(process.env);
  } catch (error) {
    if (!(error instanceof z.ZodError)) throw error;
    for (const { path, message } of error.issues) console.error(`${path.join(".")} ${message}`);
    process.exitCode = 1;
    return;
  }
  const stores = openExternalStores(configured);
  if (stores.length === 0) {
    const addresses = EXTERNAL_STORES.map(({ addressVariable }) => addressVariable);
    console.error(`No external store is configured. Set ${addresses.join(" or ")}.`);
    process.exitCode = 1;
  }
  for (const store of stores) {
    try {
      console.log(`${store.name}: ${await work(store, configured)}`);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      console.error(`${store.name} ${error.message}`);
      process.exitCode = 1;
    }
  }
}

/**
 * `npm run migrate`: creates the tables in the configured external stores, or brings them up to
 * date.
 */
import { withEachStore } from "./store-programs.ts";

await withEachStore(async (store) => {
  await store.migrate();
  return "the tables are up to date";
});

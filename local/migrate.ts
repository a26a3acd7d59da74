/** `npm run migrate`: makes the tables in the stores that the environment names, or brings them up to date. */
import { withEachStore } from "./store-programs.ts";

await withEachStore(async (store) => {
  await store.migrate();
  return "the tables are as this version needs them";
});

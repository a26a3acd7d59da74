/**
 * `npm run erase:texts`: removes all prompts, responses and error messages that may quote them from
 * the configured external stores. The rest of each request stays.
 */
import { withEachStore } from "./store-programs.ts";

await withEachStore(async (store) => {
  await store.eraseTexts();
  return "contains no texts";
});

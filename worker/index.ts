/** The Worker's entry point, named by wrangler.toml. */
import { app } from "./app.ts";

export { Aggregator } from "./aggregator/aggregator.ts";
export { Box } from "./box/box.ts";
export { Quota } from "./quota/quota.ts";
export default app;

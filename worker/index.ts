/** The Worker's entry: what wrangler.toml names. */
import { app } from "./app.ts";

export { Aggregator } from "./aggregator/aggregator.ts";
export { Box } from "./box/box.ts";
export default app;

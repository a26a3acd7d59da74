/** The Worker's entry: what wrangler.toml names. */
import { app } from "./app.ts";

export { Aggregator } from "./aggregator.ts";
export { Box } from "./box.ts";
export default app;

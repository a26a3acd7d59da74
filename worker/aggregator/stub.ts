/** The one Aggregator, as others reach it. */
import type { Bindings } from "../env.ts";

export const theAggregator = (env: Bindings) => env.AGGREGATOR.getByName("aggregator");

/** The stub of the one Aggregator. */
import type { Bindings } from "../env.ts";
import type { Aggregator } from "./aggregator.ts";

/** wrangler.toml binds AGGREGATOR to the class {@link Aggregator}; there is one object of it. */
export const aggregatorOf = (env: Bindings): DurableObjectStub<Aggregator> =>
  (env.AGGREGATOR as DurableObjectNamespace<Aggregator>).getByName("aggregator");

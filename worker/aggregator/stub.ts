/** The typed stub of the one Aggregator. */
import type { Bindings } from "../env.ts";
import type { Aggregator } from "./aggregator.ts";

/** wrangler.toml binds AGGREGATOR to the class {@link Aggregator}, which has one object. */
export const aggregatorOf = (env: Bindings): DurableObjectStub<Aggregator> =>
  (env.AGGREGATOR as DurableObjectNamespace<Aggregator>).getByName("aggregator");

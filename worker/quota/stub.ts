/** The typed stub of a Quota. */
import type { Bindings } from "../env.ts";
import type { Quota } from "./quota.ts";

/**
 * wrangler.toml binds QUOTA to the class {@link Quota}; there is one object for each key with limits and
 * those that replaced it.
 */
export const quotaOf = (env: Bindings, lineage: string): DurableObjectStub<Quota> =>
  (env.QUOTA as DurableObjectNamespace<Quota>).getByName(lineage);

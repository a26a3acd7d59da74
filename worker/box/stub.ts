/** The stub of a Box. */
import type { Bindings } from "../env.ts";
import type { Box } from "./box.ts";

/** wrangler.toml binds BOX to the class {@link Box}; there is one object per GPU box. */
export const boxStubOf = (env: Bindings, name: string): DurableObjectStub<Box> =>
  (env.BOX as DurableObjectNamespace<Box>).getByName(name);

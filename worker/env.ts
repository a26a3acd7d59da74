/** What wrangler.toml binds, and the settings as they come: unparsed strings. `settings.ts` parses them. */

import type { Dialect } from "../protocol/failures.ts";
import type { Aggregator } from "./aggregator/aggregator.ts";
import type { Box } from "./box/box.ts";

export type Bindings = {
  BOX: DurableObjectNamespace<Box>;
  AGGREGATOR: DurableObjectNamespace<Aggregator>;
  ASSETS: Fetcher;
  [setting: string]: unknown;
};

/** What travels with a request through the hono app. */
export type Env = { Bindings: Bindings; Variables: { requestId: string; dialect: Dialect } };

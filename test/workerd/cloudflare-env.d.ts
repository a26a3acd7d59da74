import type { Aggregator } from "../../worker/aggregator/aggregator.ts";
import type { Box } from "../../worker/box/box.ts";
import type { Bindings } from "../../worker/env.ts";
import type { Quota } from "../../worker/quota/quota.ts";

declare global {
  namespace Cloudflare {
    interface Env extends Bindings {
      BOX: DurableObjectNamespace<Box>;
      AGGREGATOR: DurableObjectNamespace<Aggregator>;
      QUOTA: DurableObjectNamespace<Quota>;
    }
    interface GlobalProps {
      mainModule: typeof import("../../worker/index.ts");
    }
  }
}

import type { Aggregator } from "../../worker/aggregator/aggregator.ts";
import type { Box } from "../../worker/box/box.ts";
import type { Bindings } from "../../worker/env.ts";

declare global {
  namespace Cloudflare {
    interface Env extends Bindings {
      BOX: DurableObjectNamespace<Box>;
      AGGREGATOR: DurableObjectNamespace<Aggregator>;
    }
    interface GlobalProps {
      mainModule: typeof import("../../worker/index.ts");
    }
  }
}

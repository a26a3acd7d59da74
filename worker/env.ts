/**
 * The bindings of wrangler.toml and the variables of a request.
 *
 * Settings arrive as unparsed strings; `settings.ts` parses them. The namespaces are untyped
 * here, below every room; `aggregator/stub.ts`, `box/stub.ts` and `quota/stub.ts` type their stubs.
 */
import type { Dialect } from "../protocol/failures.ts";

export type Bindings = {
  BOX: DurableObjectNamespace;
  AGGREGATOR: DurableObjectNamespace;
  QUOTA: DurableObjectNamespace;
  ASSETS: Fetcher;
  [setting: string]: unknown;
};

/** The types of the hono app: its bindings, and the variables that travel with a request. */
export type Env = { Bindings: Bindings; Variables: { requestId: string; dialect: Dialect } };

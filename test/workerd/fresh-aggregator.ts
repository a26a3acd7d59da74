/** Creates a new Aggregator with one box, which has the model of the records. */
import { env } from "cloudflare:workers";
import type { Aggregator } from "../../worker/aggregator/aggregator.ts";
import { helloOf, readingsOf } from "../support/records.ts";

export async function freshAggregator(): Promise<DurableObjectStub<Aggregator>> {
  const aggregator = env.AGGREGATOR.getByName(`test-${crypto.randomUUID()}`);
  await aggregator.connected(helloOf("atlas"));
  await aggregator.read("atlas", readingsOf(Date.now(), ["llama3.2:latest"]));
  return aggregator;
}

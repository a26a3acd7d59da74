/** Takes the readings of a box: for the registry, the requests that are open, and what models take. */
import type { Readings } from "../../protocol/inventory.ts";
import type { AggregatorStores } from "./stores.ts";

export function takeReadings(
  { listedRequests, memory, registry }: AggregatorStores,
  box: string,
  readings: Readings,
  nowMs: number,
): void {
  listedRequests.report(box, readings.requests, nowMs);
  memory.learn(readings.inventory, nowMs);
  registry.read(box, { ...readings, requests: [] }, nowMs);
}

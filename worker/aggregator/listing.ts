/** Ollama's own lists of all boxes. */
import type { RequestRecord } from "../../protocol/records.ts";
import { type ListLimits, type Union, unionOf } from "../answers/union.ts";
import type { AggregatorStores } from "./stores.ts";

/**
 * `knownKeys`: the version of the keys by which the call was admitted; null without a key that the edge
 * made.
 */
export type ListWish = { record: RequestRecord; limits: ListLimits; knownKeys: number | null };

/** Null if no box counts. */
export type Listed = Union | "keys_changed" | null;

/** Returns a list, and records the call if there is one. */
export async function listed(
  { registry, issuedKeys }: AggregatorStores,
  { record, limits, knownKeys }: ListWish,
  ingest: (record: RequestRecord) => Promise<unknown>,
): Promise<Listed> {
  if (knownKeys !== null && knownKeys < issuedKeys.version) return "keys_changed";
  const union = unionOf(record.endpoint, registry.boxes(), Date.now(), limits);
  const latency_ms = Math.max(0, Date.now() - Date.parse(record.started_at));
  if (union !== null) await ingest({ ...record, latency_ms });
  return union;
}

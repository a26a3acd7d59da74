/** Adds to finished requests the facts that only the edge knows, before they are counted. */
import { NOT_KEPT, withoutText } from "../../protocol/kept-text.ts";
import type { RequestRecord } from "../../protocol/records.ts";
import { requestCost } from "../counting/pricing.ts";
import { keyNameOf } from "../keys/names.ts";
import type { AggregatorStores } from "./stores.ts";

/**
 * Returns the records with their cost, the names of their keys and the mark of simulated boxes. Removes
 * the texts unless they are kept: also those of calls accepted before the switch, and of agents that learn it later.
 * Texts of records that arrive after their retention are removed too.
 */
export function markedRecords(
  { registry, tariffs, issuedKeys, ledger }: AggregatorStores,
  records: readonly RequestRecord[],
  keepsText: boolean,
  nowMs: number,
): RequestRecord[] {
  const marked = records.map((record) => ({
    ...record,
    ...requestCost(record, tariffs.all()),
    simulated: registry.simulates(record),
    key_name: keyNameOf(record.key_id, (id) => issuedKeys.get(id)),
  }));
  if (!keepsText) return marked.map((record) => withoutText(record));
  return marked.map((record) =>
    ledger.texts.isOver(record, nowMs) ? withoutText(record, NOT_KEPT) : record,
  );
}

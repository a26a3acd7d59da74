/** Clearing: deletes logs or metrics permanently, here and in the external stores. */
import type { Clearable, Cleared } from "../../protocol/api/data.ts";
import { cleared } from "../answers/data.ts";
import { type ChangingCall, closeChange } from "./audited-change.ts";
import type { AggregatorStores } from "./stores.ts";
import type { Wakes } from "./wakes.ts";

/** Deletes here at once, and in the external stores as soon as they can be reached. */
export async function clearData(
  storage: DurableObjectStorage,
  stores: AggregatorStores,
  wakes: Wakes,
  { type, call }: { type: Cleared["type"]; call: ChangingCall },
): Promise<Cleared> {
  const { deliveries, deliveryStates, outbox, samples, ledger, benchRuns, energyHours } = stores;
  const { intake, registry, recentCalls, erasure, events } = stores;
  const nowMs = Date.now();
  const kinds: Clearable[] = type === "all" ? ["logs", "metrics"] : [type];
  const hasMetrics = kinds.includes("metrics");
  let deleted: Record<Clearable, number>;
  deliveries.checkpoint();
  try {
    deleted = storage.transactionSync(() => {
      closeChange(stores, call, null, nowMs);
      deliveries.beginClear({ logs: kinds.includes("logs"), metrics: hasMetrics });
      if (hasMetrics) {
        samples.clear();
        benchRuns.clear();
        energyHours.clear();
        registry.forgetSums();
      }
      // Damage that was counted from logs is gone with them.
      recentCalls.clear();
      if (type === "all") events.clear();
      return intake.clear(kinds, nowMs);
    });
  } catch (error) {
    deliveryStates.read();
    ledger.rolledBack();
    outbox.rolledBack();
    throw error;
  }
  intake.cleared(kinds, nowMs);
  await wakes.eraseSoon();
  await erasure.run();
  const external = await deliveries.clear(Date.now);
  await wakes.flushWhenDue();
  if (call !== null) await wakes.onNewData(nowMs);
  return cleared(type, nowMs, deleted, external);
}

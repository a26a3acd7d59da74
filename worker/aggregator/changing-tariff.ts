/**
 * Puts a tariff in force if the boxes that it names exist, and its currency is that of the costs so
 * far.
 */
import type { Tariff } from "../../protocol/tariff.ts";
import { type TariffRefusal, tariffFailure } from "../answers/tariff.ts";
import { hasCosts } from "./cost-parts.ts";
import type { AggregatorStores } from "./stores.ts";

/**
 * @param tariff      null removes it
 * @param configured  boxes that may connect; a tariff may also name those that have connected
 * @returns why it is refused; null if it is in force now
 */
export function changeTariff(
  stores: AggregatorStores,
  tariff: Tariff | null,
  configured: readonly string[],
): TariffRefusal | null {
  const { tariffs, registry } = stores;
  const known = [...configured, ...registry.boxes().map(({ name }) => name)];
  const failure = tariffFailure(tariff, known, tariffs.currency(), hasCosts(stores));
  if (failure === null) tariffs.put(tariff, Date.now());
  return failure;
}

/** The view of costs: sums of requests and of energy over a span, grouped as the query requests. */
import type { Costs, CostsQuery } from "../../protocol/api/costs.ts";
import { costPeriods } from "../answers/cost-periods.ts";
import { costRows } from "../answers/costs.ts";
import { costsSpan } from "../answers/costs-span.ts";
import { isoOf } from "../answers/figures.ts";
import { shortName } from "../counting/model-key.ts";
import { keyNameOf } from "../keys/names.ts";
import { costParts, keyParts } from "./cost-parts.ts";
import type { AggregatorStores } from "./stores.ts";

export async function costsOf(
  stores: AggregatorStores,
  query: CostsQuery,
): Promise<Costs | { invalid: string }> {
  const nowMs = Date.now();
  const { tariffs, createdAtMs, epochs, keyHours, issuedKeys } = stores;
  const tariff = tariffs.newest()?.tariff ?? null;
  const span = costsSpan(query, tariff?.default.time_zone ?? "UTC", nowMs);
  if ("invalid" in span) return span;
  const currency = tariffs.currency();
  const comparedWith = tariff?.compared_with ?? null;
  const model = query.model && shortName(query.model);
  const filter = { model, box: query.box };
  const isByKey = query.by === "key" || query.key !== undefined;
  const ofKeys = isByKey ? await keyParts(keyHours, span, { ...filter, key: query.key }) : null;
  // Only the requests of a key are its own: their boxes serve others too.
  const parts =
    query.key === undefined
      ? await costParts(stores, span, filter, nowMs)
      : { requests: [], energy: [] };
  const all = {
    by: query.by,
    timeZone: span.timeZone,
    model,
    ...parts,
    ofKeys,
    nameOf: (key: string) => keyNameOf(key, (id) => issuedKeys.get(id)),
    currency,
    comparedWith,
  };
  return {
    by: query.by,
    from: isoOf(span.from * 1_000),
    to: isoOf(span.to * 1_000),
    time_zone: span.timeZone,
    currency,
    compared_with: comparedWith,
    ...costRows(all),
    periods: query.over === undefined ? null : costPeriods(all, query.over),
    since: isoOf(
      Math.max(isByKey ? keyHours.sinceMs : createdAtMs, epochs.clearedMs("metrics") ?? 0),
    ),
    store: "durable_object",
  };
}

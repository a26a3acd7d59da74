/** `/api/costs?over=`: the rows divided by day, week or month. Pure. */
import type { CostPart, CostPeriod, CostRow } from "../../protocol/api/costs.ts";
import type { CostPeriodLength } from "../../protocol/cost-periods.ts";
import {
  type CostsParts,
  costRows,
  type EnergyPart,
  type KeyPart,
  type RequestPart,
} from "./costs.ts";
import { periodNames } from "./local-time.ts";

type Slice = { requests: RequestPart[]; energy: EnergyPart[]; ofKeys: KeyPart[] };

/** Each period is summed like the whole, so that its parts add up in the same way. */
export function costPeriods(parts: CostsParts, length: CostPeriodLength): CostPeriod[] {
  const nameOf = periodNames(length, parts.timeZone);
  const slices = new Map<string, Slice>();
  const sliceAt = (at: number): Slice => {
    const name = nameOf(at);
    const slice = slices.get(name) ?? { requests: [], energy: [], ofKeys: [] };
    slices.set(name, slice);
    return slice;
  };
  for (const part of parts.requests) sliceAt(part.at).requests.push(part);
  for (const part of parts.energy) sliceAt(part.hour.at).energy.push(part);
  for (const part of parts.ofKeys ?? []) sliceAt(part.at).ofKeys.push(part);
  return [...slices]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([period, { requests, energy, ofKeys }]) => ({
      period,
      parts: costRows({
        ...parts,
        requests,
        energy,
        ofKeys: parts.ofKeys === null ? null : ofKeys,
      }).rows.map(partOf),
    }));
}

const partOf = (row: CostRow): CostPart => ({
  group: row.group,
  requests: row.requests,
  prompt_tokens: row.prompt_tokens,
  completion_tokens: row.completion_tokens,
  energy_j: row.energy_j,
  cost: row.cost,
  co2_g: row.co2_g,
  unused_energy_j: sumOfKnown(row.standing_energy_j, row.idle_energy_j),
  unused_cost: sumOfKnown(row.standing_cost, row.idle_cost),
});

/** Unknown only if neither part of it is known. */
const sumOfKnown = (one: number | null, other: number | null): number | null =>
  one === null && other === null ? null : (one ?? 0) + (other ?? 0);

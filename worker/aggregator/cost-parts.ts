/** The parts of costs in storage: sums of requests in cells, and of energy by hour. */
import { ENERGY_STATES } from "../../protocol/gpu-energy.ts";
import type { EnergyPart, RequestPart } from "../answers/costs.ts";
import type { CostsSpan } from "../answers/costs-span.ts";
import { requestSumsOf } from "../counting/request-sums.ts";
import type { CellFilter, RollupCell } from "./cells.ts";
import type { EnergyHours, HourRequests } from "./energy-hours.ts";
import type { AggregatorStores } from "./stores.ts";

type CostStores = Pick<AggregatorStores, "cells" | "energyHours" | "registry" | "intake">;

/** Reads the parts of a span, of one model or box if the filter names it. */
export function costParts(
  { cells, energyHours, registry }: CostStores,
  { from, to }: CostsSpan,
  filter: CellFilter,
): { requests: RequestPart[]; energy: EnergyPart[] } {
  const requests: RequestPart[] = [];
  const energy: EnergyPart[] = [];
  const isIn = (at: number) => at >= from && at < to;
  const isWanted = (box: string) => filter.box === undefined || box === filter.box;
  for (const { at, model, box, cell } of cells.rollups(from, to, filter))
    requests.push({ at, model, box, sums: requestSumsOf(cell) });
  for (const row of energyHours.since(from * 1_000)) {
    const { box } = row;
    if (!isWanted(box)) continue;
    for (const hour of row.hours) if (isIn(hour.at)) energy.push({ box, hour });
    for (const { at, model, ...sums } of row.requests)
      if (isIn(at) && (filter.model === undefined || model === filter.model))
        requests.push({ at, model, box, sums });
  }
  for (const { box, hour } of registry.openHours())
    if (isWanted(box) && isIn(hour.at)) energy.push({ box, hour });
  return { requests, energy };
}

/** Returns whether anything has a cost since the metrics were last cleared. */
export const hasCosts = ({ intake, registry }: CostStores): boolean =>
  intake.lifetime().some(({ cell }) => cell.spent.costJ > 0) ||
  registry.spent().some(({ sums }) => ENERGY_STATES.some((state) => sums[state].cost_j > 0));

/** Hours and models in one row, which may have 2 MB. */
const REQUESTS_PER_ROW = 2_000;

/** Keeps the sums of cells that are about to be deleted, in the same transaction. */
export function keepCosts(
  cells: readonly RollupCell[],
  energyHours: EnergyHours,
  nowMs: number,
): void {
  const byBox = Map.groupBy(cells, ({ box }) => box);
  for (const [box, list] of byBox) {
    const sums = list.map(
      ({ at, model, cell }): HourRequests => ({ at, model, ...requestSumsOf(cell) }),
    );
    for (let at = 0; at < sums.length; at += REQUESTS_PER_ROW)
      energyHours.keepRequests(nowMs, box, sums.slice(at, at + REQUESTS_PER_ROW));
  }
}

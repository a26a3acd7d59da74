/** The parts of costs in storage: sums of requests in cells, and of energy by hour. */
import { ENERGY_STATES } from "../../protocol/gpu-energy.ts";
import type { EnergyPart, KeyPart, RequestPart } from "../answers/costs.ts";
import type { CostsSpan } from "../answers/costs-span.ts";
import { addRequests, NO_REQUESTS, requestSumsOf } from "../counting/request-sums.ts";
import {
  type CellFilter,
  HOUR_CELLS_KEPT_DAYS,
  HOUR_SECONDS,
  type KeyFilter,
  MINUTE_CELLS_KEPT_DAYS,
  type RollupCell,
} from "./cells.ts";
import type { EnergyHours, HourRequests } from "./energy-hours.ts";
import type { KeyHours } from "./key-hours.ts";
import type { AggregatorStores } from "./stores.ts";

type CostStores = Pick<AggregatorStores, "cells" | "energyHours" | "registry" | "intake">;

/** Cells of these last days are by minute, so fewer hours of them are read at a time. */
const MINUTES_HOURS = 6;
const HOURS_HOURS = 5 * 24;
const DAY_SECONDS = 24 * HOUR_SECONDS;

/**
 * Reads the parts of a span, of one model or box if the filter names it. In slices of some milliseconds,
 * since everybody's records wait for the object.
 */
export async function costParts(
  { cells, energyHours, registry }: CostStores,
  { from, to }: CostsSpan,
  filter: CellFilter,
  nowMs: number,
  pause: () => Promise<void> = () => scheduler.wait(0),
): Promise<{ requests: RequestPart[]; energy: EnergyPart[] }> {
  const requests: RequestPart[] = [];
  const energy: EnergyPart[] = [];
  const isIn = (at: number) => at >= from && at < to;
  const isWanted = (box: string) => filter.box === undefined || box === filter.box;
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
  const now = nowMs / 1_000;
  // Cells that housekeeping may turn into rows of hours are read together with these rows.
  let start = Math.max(from, Math.floor(now - HOUR_CELLS_KEPT_DAYS * DAY_SECONDS));
  readCells(from, start);
  while (start < to) {
    await pause();
    const isMinutes = start > now - (MINUTE_CELLS_KEPT_DAYS + 1 + HOURS_HOURS / 24) * DAY_SECONDS;
    const end = Math.min(to, start + (isMinutes ? MINUTES_HOURS : HOURS_HOURS) * HOUR_SECONDS);
    readCells(start, end);
    start = end;
  }
  return { requests, energy };

  function readCells(first: number, end: number): void {
    const sums = new Map<string, RequestPart>();
    for (const { at, model, box, cell } of cells.rollups(first, end, filter)) {
      const hour = at - (at % HOUR_SECONDS);
      const key = JSON.stringify([hour, model, box]);
      const before = sums.get(key)?.sums ?? NO_REQUESTS;
      sums.set(key, { at: hour, model, box, sums: addRequests(before, requestSumsOf(cell)) });
    }
    requests.push(...sums.values());
  }
}

/** Reads the requests of keys, of one key if the filter names it. In slices, as {@link costParts} does. */
export async function keyParts(
  keyHours: KeyHours,
  { from, to }: CostsSpan,
  filter: KeyFilter,
  pause: () => Promise<void> = () => scheduler.wait(0),
): Promise<KeyPart[]> {
  const parts: KeyPart[] = [];
  for (let start = from; start < to; start += DAY_SECONDS) {
    for (const { at, key, model, box, cell } of keyHours.cells(
      start,
      Math.min(to, start + DAY_SECONDS),
      filter,
    ))
      parts.push({ at, key, model, box, sums: requestSumsOf(cell) });
    await pause();
  }
  return parts;
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

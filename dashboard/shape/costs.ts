/** Ranges and notes of the table of costs. Pure. */
import type { CostRow, Costs } from "../../protocol/api/costs.ts";
import { percent } from "./format.ts";

export const COST_RANGES = ["this month", "last month", "13 months"] as const;
export type CostRange = (typeof COST_RANGES)[number];

/** Returns the dates of a range in the viewer's zone; those of this month follow from the edge. */
export function datesOf(range: CostRange, nowMs: number): { from?: string; to?: string } {
  const now = new Date(nowMs);
  const firstOf = (months: number) => {
    const first = new Date(now.getFullYear(), now.getMonth() + months, 1);
    const [year, month] = [first.getFullYear(), first.getMonth() + 1];
    return `${year}-${String(month).padStart(2, "0")}-01`;
  };
  if (range === "this month") return {};
  return range === "last month"
    ? { from: firstOf(-1), to: firstOf(0) }
    : { from: firstOf(-12), to: firstOf(1) };
}

/** The name of a group; what belongs to no model is named by what it is. */
export const groupName = ({ group, key_name }: CostRow, by: Costs["by"]): string =>
  key_name ?? group ?? NO_GROUP[by];

const NO_GROUP: Record<Costs["by"], string> = {
  model: "No model",
  box: "No box",
  key: "No key",
  day: "",
  month: "",
};

/** Describes the part of the energy that the cost covers; null if it covers all. */
export function coverageNote({ energy_j, priced_energy_j, cost }: CostRow): string | null {
  if (cost === null || !energy_j || priced_energy_j === null) return null;
  const share = priced_energy_j / energy_j;
  return share > 0.9999
    ? null
    : `The cost covers ${percent(share)} of the energy: no price was set for the rest.`;
}

/** The note below costs. Pure. */
import type { CostRow } from "../../protocol/api/costs.ts";
import { percent } from "./format.ts";

/** Describes the part of the energy that the cost covers; null if it covers all. */
export function coverageNote({ energy_j, priced_energy_j, cost }: CostRow): string | null {
  if (cost === null || !energy_j || priced_energy_j === null) return null;
  const share = priced_energy_j / energy_j;
  return share > 0.9999
    ? null
    : `The cost covers ${percent(share)} of the energy: no price was set for the rest.`;
}

import { expect, test } from "vitest";
import { coverageNote } from "../../../../dashboard/shape/costs.ts";
import type { CostRow } from "../../../../protocol/api/costs.ts";

const row = (rest: Partial<CostRow>) => rest as CostRow;

test("states which part of the energy has no price", () => {
  const note = (energy_j: number | null, priced_energy_j: number, cost: number | null) =>
    coverageNote(row({ energy_j, priced_energy_j, cost }));
  expect(note(100, 50, 1)).toMatch(/^The cost covers 50\u202f% of the energy/);
  expect([note(100, 100, 1), note(100, 0, null), note(null, 0, null), note(0, 0, 0)]).toEqual([
    null,
    null,
    null,
    null,
  ]);
});

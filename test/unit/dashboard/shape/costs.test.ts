import { expect, test } from "vitest";
import { coverageNote, datesOf, groupName } from "../../../../dashboard/shape/costs.ts";
import type { CostRow } from "../../../../protocol/api/costs.ts";

test.each([
  ["this month", {}],
  ["last month", { from: "2026-12-01", to: "2027-01-01" }],
  ["13 months", { from: "2026-01-01", to: "2027-02-01" }],
] as const)("%s has the dates of whole months", (range, dates) => {
  expect(datesOf(range, new Date(2027, 0, 31, 12).getTime())).toEqual(dates);
});

const row = (rest: Partial<CostRow>) => rest as CostRow;

test("names keys, and what belongs to no model, box or key", () => {
  expect(groupName(row({ group: "llama3.2" }), "model")).toBe("llama3.2");
  expect(groupName(row({ group: null }), "model")).toBe("No model");
  expect(groupName(row({ group: null }), "box")).toBe("No box");
  expect(groupName(row({ group: "a1b2", key_name: "Alice" }), "key")).toBe("Alice");
  expect(groupName(row({ group: "a1b2", key_name: null }), "key")).toBe("a1b2");
  expect(groupName(row({ group: null, key_name: null }), "key")).toBe("No key");
});

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

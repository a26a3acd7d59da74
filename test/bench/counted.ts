/** Goals for figures that are counted by tests and stated in docs/cost.md: the bench shows them beside its own. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../../local/edge.ts";
import type { Figure, Goal } from "./figures.ts";

const IDLE = "a month of an idle box, scraped every 30 s";

/** Names of rows whose sums are added up, and the goals of the total. */
const TOTALS: [id: string, name: string, rows: string[], now: Goal | null, goal: Goal][] = [
  ["C1", "1 at once", ["1,000,000 requests, 1 at once"], { atMost: 1.8 }, { atMost: 0.91 }],
  ["C16", "16 at once", ["1,000,000 requests, 16 at once"], { atMost: 1.45 }, { atMost: 0.91 }],
  [
    "C1.store",
    "1 at once, with a store",
    ["1,000,000 requests, 1 at once", "their delivery to a store, 1 at once"],
    { atMost: 2.5 },
    { atMost: 0.91 },
  ],
  [
    "C1.kept",
    "1 at once, with their deletion a week later",
    ["1,000,000 requests, 1 at once", "their deletion a week later, 1 at once"],
    null,
    { atMost: 0.91 },
  ],
  ["C.idle", IDLE, [IDLE], { atMost: 0.04 }, { atMost: 0.03 }],
];

export function countedCosts(): Figure[] {
  const page = readFileSync(join(ROOT, "docs/cost.md"), "utf8").split("\n");
  const dollarsOf = (name: string): number => {
    const row = page.find((line) => line.startsWith(`| ${name} |`));
    const dollars = Number(/\*\*\$([\d.]+)\*\*/.exec(row ?? "")?.[1]);
    if (Number.isNaN(dollars)) throw new Error(`docs/cost.md has no sum for "${name}"`);
    return dollars;
  };
  return TOTALS.map(([id, name, rows, goal_now, goal]) => ({
    id,
    name: id === "C.idle" ? `cost of ${name}` : `cost of a million requests, ${name}`,
    value: Math.round(rows.reduce((sum, row) => sum + dollarsOf(row), 0) * 1_000) / 1_000,
    unit: "$",
    spread: null,
    goal_now,
    goal,
    detail: { counted_by: "test/workerd/costs.test.ts" },
  }));
}

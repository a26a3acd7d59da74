/** Prints how the choice of a box compares with simpler ones, over simulated days. */
import { POLICIES, type Policy, replay, TWINS } from "./day.ts";

const SEEDS = [1, 2, 3, 4, 5];

/** The choice with its memory of conversations, and without. */
const TALKING: readonly Policy[] = ["choice", "not-sticky", "least-busy"];

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(2)} s`;
const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

function print(policies: readonly Policy[], how: Parameters<typeof replay>[2] = {}): void {
  console.log("| policy | mean wait | P95 | until the end | cold loads | Wh |");
  console.log("| --- | --- | --- | --- | --- | --- |");
  for (const policy of policies) {
    const days = SEEDS.map((seed) => replay(policy, seed, how));
    const of = (figure: "waitMeanMs" | "waitP95Ms" | "wholeMeanMs" | "coldLoads" | "wattHours") =>
      mean(days.map((day) => day[figure]));
    const cells = [
      policy,
      seconds(of("waitMeanMs")),
      seconds(of("waitP95Ms")),
      seconds(of("wholeMeanMs")),
      of("coldLoads").toFixed(0),
      of("wattHours").toFixed(0),
    ];
    console.log(`| ${cells.join(" | ")} |`);
  }
  const { calls } = replay("random", 1, how);
  console.log(`${SEEDS.length} simulated days of about ${calls} calls each.`);
}

print(POLICIES);
print(TALKING, { talks: true });
print(TALKING, { talks: true, plans: TWINS });

/** Prints how the choice of a box compares with simpler ones, over simulated days. */
import { POLICIES, replay } from "./day.ts";

const SEEDS = [1, 2, 3, 4, 5];

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;
const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

console.log("| policy | mean wait | P95 | until the end | cold loads | Wh |");
console.log("| --- | --- | --- | --- | --- | --- |");
for (const policy of POLICIES) {
  const days = SEEDS.map((seed) => replay(policy, seed));
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
console.log(`${SEEDS.length} simulated days of about ${replay("random", 1).calls} calls each.`);

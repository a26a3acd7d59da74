/** A slice of `npm run test:fleet`. A failure names its seed. */
import { expect, test } from "vitest";
import type { FleetOutcome } from "./outcome.ts";
import { simulateFleet } from "./world.ts";

const WORLDS = 60;

test("serves each call once, by the box that is right for it, in each of 60 worlds of several boxes", async () => {
  const sums = {
    calls: 0,
    faults: 0,
    moved: 0,
    waited: 0,
    checked: 0,
    lanes: 0,
    counted: 0,
    limited: 0,
  };
  const results: FleetOutcome["results"] = {};
  for (let seed = 1; seed <= WORLDS; seed++) {
    const outcome = await simulateFleet(seed).catch((error: unknown) => {
      throw new Error(`SEED=${seed} npm run test:fleet`, { cause: error });
    });
    for (const name of Object.keys(sums) as (keyof typeof sums)[]) sums[name] += outcome[name];
    for (const [result, count] of Object.entries(outcome.results))
      results[result] = (results[result] ?? 0) + count;
  }
  // The worlds are realistic: much succeeds in them, and each invariant has something to judge.
  expect(results.whole).toBeGreaterThan(1_500);
  expect(results.missing).toBeGreaterThan(10);
  expect(results.left).toBeGreaterThan(50);
  expect(results.refused).toBeGreaterThan(10);
  expect(sums.faults).toBeGreaterThan(250);
  expect(sums.moved).toBeGreaterThan(100);
  expect(sums.waited).toBeGreaterThan(500);
  expect(sums.checked).toBeGreaterThan(15);
  expect(sums.lanes).toBeGreaterThan(10);
  expect(sums.counted).toBeGreaterThan(200);
  expect(sums.limited).toBeGreaterThan(100);
});

test("makes the same world of several boxes from the same seed", async () => {
  const trace = async () => {
    const lines: string[] = [];
    await simulateFleet(3, (line) => lines.push(line));
    return lines;
  };
  const lines = await trace();
  expect(lines.length).toBeGreaterThan(10);
  expect(await trace()).toEqual(lines);
});

/** A slice of `npm run test:simulation` and `npm run test:fuzz`. A failure names its seed. */
import { expect, test } from "vitest";
import { fuzz } from "./fuzzed-ends.ts";
import { simulate } from "./world.ts";

const WORLDS = 250;
const FUZZ_SEEDS = 4;
const FRAMES_PER_SEED = 5_000;

test("ends every stream once and counts every request once, in each of 250 worlds with faults", async () => {
  const sums = { whole: 0, left: 0, faults: 0, resumed: 0, early: 0 };
  for (let seed = 1; seed <= WORLDS; seed++) {
    const outcome = await simulate(seed).catch((error: unknown) => {
      throw new Error(`SEED=${seed} npm run test:simulation`, { cause: error });
    });
    sums.whole += outcome.results.whole ?? 0;
    sums.left += outcome.results.left ?? 0;
    sums.faults += outcome.faults;
    sums.resumed += outcome.resumed;
    sums.early += outcome.results.early ?? 0;
  }
  // The worlds are realistic: much succeeds in them, and much fails.
  expect(sums.whole).toBeGreaterThan(500);
  expect(sums.left).toBeGreaterThan(50);
  expect(sums.faults).toBeGreaterThan(1_000);
  expect(sums.resumed).toBeGreaterThan(100);
  expect(sums.early).toBeGreaterThan(10);
});

test("makes the same world from the same seed", async () => {
  const trace = async () => {
    const lines: string[] = [];
    await simulate(7, (line) => lines.push(line));
    return lines;
  };
  const lines = await trace();
  expect(lines.length).toBeGreaterThan(10);
  expect(await trace()).toEqual(lines);
});

test("refuses or takes fuzzed messages at both ends and the Box, with an effect on their stream only", async () => {
  for (let seed = 1; seed <= FUZZ_SEEDS; seed++) {
    const { refused, messages, streams } = await fuzz(seed, FRAMES_PER_SEED);
    expect(refused).toBeGreaterThan(messages / 10);
    expect(refused).toBeLessThan(messages / 2);
    expect(streams).toBeGreaterThan(0);
  }
});

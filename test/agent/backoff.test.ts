import { expect, test } from "vitest";
import { nextDelay } from "../../agent/backoff.ts";
import { GRACE_MS } from "../../protocol/limits.ts";

const worst = () => 0.999;
const best = () => 0;

test("the first dial comes at once, and during the grace period the next ones within a fifth of a second", () => {
  expect(nextDelay(0, 0, false, worst)).toBeLessThan(25);
  for (let lostMs = 0; lostMs < GRACE_MS; lostMs += 1_000) expect(nextDelay(5, lostMs, false, worst)).toBeLessThanOrEqual(200);
});

test("after it the wait grows to half a minute, and no further", () => {
  const waits = [0, 5, 10, 20, 60, 3_600].map((seconds) => nextDelay(100, GRACE_MS + seconds * 1_000, false, worst));
  expect(waits).toEqual(waits.toSorted((a, b) => a - b));
  expect(waits.at(-1)).toBeLessThanOrEqual(30_000);
  expect(waits.at(-1)).toBeGreaterThan(25_000);
});

test("an edge that refused is not asked again at once", () => {
  expect(nextDelay(1, 100, true, best)).toBeGreaterThanOrEqual(2_500);
});

test("agents that lost the same edge come back apart", () => {
  expect(nextDelay(3, 1_000, false, best)).toBeLessThan(nextDelay(3, 1_000, false, worst));
});

import fc from "fast-check";
import { expect, test } from "vitest";
import { GPU_MODELS, type GpuModel } from "../../../simulated/gpus.ts";
import { HISTORY_MS, type LoadChange, powerOf } from "../../../simulated/power.ts";

const H100 = GPU_MODELS.h100 as GpuModel;
const IDLE_W = H100.idleW + H100.loadedW;
const FULL_W = powerOf(H100, [{ agoMs: 60_000, load: 1 }], true).instantW;

test("an idle card draws its idle power, and more with a model in memory", () => {
  expect(powerOf(H100, [], false)).toEqual({ instantW: H100.idleW, meanW: H100.idleW });
  expect(powerOf(H100, [], true).meanW).toBeCloseTo(IDLE_W, 6);
  expect(FULL_W).toBeGreaterThan(H100.powerLimitW * 0.9);
  expect(FULL_W).toBeLessThanOrEqual(H100.powerLimitW);
});

/** As recorded on an H100: the mean rises on a straight line of one second, the other at once. */
test.each([
  [100, 0.1],
  [500, 0.5],
  [900, 0.9],
  [1_500, 1],
])(
  "%s ms after a burst began, the mean has risen by its part and the instant power by all",
  (agoMs, part) => {
    const changes = [
      { agoMs: 60_000, load: 0 },
      { agoMs, load: 1 },
    ];
    const { instantW, meanW } = powerOf(H100, changes, true);
    const risen = (watts: number) => (watts - IDLE_W) / (FULL_W - IDLE_W);
    expect(risen(instantW)).toBeGreaterThan(0.9);
    expect(Math.abs(risen(meanW) - part)).toBeLessThan(0.045);
  },
);

test("the mean is that of the instant powers of the second before, whatever the load was", () => {
  const change = fc.record({
    agoMs: fc.double({ min: 0, max: 2 * HISTORY_MS, noNaN: true }),
    load: fc.double({ min: 0, max: 1, noNaN: true }),
  });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 8 }), (changes) => {
      changes.push({ agoMs: 60_000, load: 0 });
      changes.sort((a, b) => b.agoMs - a.agoMs);
      let sum = 0;
      for (let agoMs = 1; agoMs < 1_000; agoMs += 2)
        sum += powerOf(H100, before(changes, agoMs), true).instantW;
      expect(Math.abs(powerOf(H100, changes, true).meanW - sum / 500)).toBeLessThan(1);
    }),
    { seed: 20261126, numRuns: 50 },
  );
});

/** The changes as they were seen some time ago. */
const before = (changes: readonly LoadChange[], agoMs: number): LoadChange[] =>
  changes.flatMap((change) =>
    change.agoMs < agoMs ? [] : [{ ...change, agoMs: change.agoMs - agoMs }],
  );

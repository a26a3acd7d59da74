import { expect, test } from "vitest";
import { ONE_SIGNAL_MS, StopSignals } from "../../../../agent/clock/stop-signals.ts";

test("takes a signal that npm repeats for one, and a later one for the second", () => {
  const signals = new StopSignals();
  expect(signals.isStopping).toBe(false);
  const at = 10_000;
  expect([0, 5, ONE_SIGNAL_MS, ONE_SIGNAL_MS + 1].map((ms) => signals.take(at + ms))).toEqual([
    "first",
    null,
    null,
    "second",
  ]);
  expect(signals.isStopping).toBe(true);
});

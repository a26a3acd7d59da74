import { expect, test, vi } from "vitest";
import { steadyClock } from "../../../../agent/clock/steady-clock.ts";

test("it goes on from where it began, though the clock of the machine is set", async () => {
  const begun = Date.parse("2026-08-01T00:00:00Z");
  const clock = steadyClock(begun);
  vi.setSystemTime("1999-01-01");
  await new Promise((resolve) => setTimeout(resolve, 5));
  vi.useRealTimers();
  expect(clock()).toBeGreaterThan(begun);
  expect(clock()).toBeLessThan(begun + 60_000);
});

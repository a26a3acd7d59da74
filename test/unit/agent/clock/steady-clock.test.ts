import { expect, test, vi } from "vitest";
import { steadyClock } from "../../../../agent/clock/steady-clock.ts";

test("advances by the time that passed even if the machine's clock is set back", async () => {
  const startMs = Date.parse("2026-08-01T00:00:00Z");
  const clock = steadyClock(startMs);
  vi.setSystemTime("1999-01-01");
  await new Promise((resolve) => setTimeout(resolve, 5));
  vi.useRealTimers();
  expect(clock()).toBeGreaterThan(startMs);
  expect(clock()).toBeLessThan(startMs + 60_000);
});

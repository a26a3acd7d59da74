import { expect, test } from "vitest";
import type { ScopeTime } from "../../../../dashboard/shape/scope.ts";
import { timeShown, timeText } from "../../../../dashboard/shape/scope-text.ts";
import { typedTime } from "../../../../dashboard/shape/typed-time.ts";

const NOW = new Date("2026-11-27T15:20:00").getTime();
const ANY: ScopeTime = { seconds: null, fromMs: null, untilMs: null };

test.each([
  ["1h", "Last hour"],
  ["90 min", "Last 1\u202fh 30\u202fmin"],
  ["7d", "Last 7 days"],
  ["last month", "Last month"],
  ["since 15:09", "Since 15:09"],
  ["15:09 - 15:17", "15:09 \u2013 15:17"],
  ["15:09:30 - 15:17", "15:09:30 \u2013 15:17"],
  ["yesterday 22:00 - 23:30", "26 Nov, 22:00 \u2013 23:30"],
  ["yesterday 22:00 - 06:00", "26 Nov, 22:00 \u2013 06:00"],
  ["20 Nov", "20 Nov"],
  ["20 Nov - 22 Nov", "20 Nov \u2013 22 Nov"],
  ["2025-12-30", "30 Dec 2025"],
])("calls %j %j", (typed, text) => {
  const time = typedTime(typed, NOW);
  expect(time === null ? null : timeText(time, NOW)).toBe(text);
});

test("names a length that is paused by its times, and everything by a name", () => {
  const until = new Date("2026-11-27T15:00:00").getTime();
  expect(timeText({ seconds: 900, fromMs: null, untilMs: until }, NOW)).toBe("14:45 \u2013 15:00");
  expect(timeText({ ...ANY, untilMs: until }, NOW)).toBe("Until 15:00");
  expect(timeText(ANY, NOW)).toBe("Any time");
});

test("shows the usual time of a page until one is chosen", () => {
  const usual = { ...ANY, seconds: 3_600 };
  expect(timeShown(ANY, usual)).toBe(usual);
  const chosen = { ...ANY, seconds: 60 };
  expect(timeShown(chosen, usual)).toBe(chosen);
});

import { expect, test } from "vitest";
import { typedTime } from "../../../../dashboard/shape/typed-time.ts";

const at = (text: string) => new Date(text).getTime();
const NOW = at("2026-11-27T15:20:00");
const HOUR = { seconds: 3_600, fromMs: null, untilMs: null };
const period = (from: string, until: string | null) => ({
  seconds: null,
  fromMs: at(from),
  untilMs: until === null ? null : at(until),
});

test.each([
  ["1h", HOUR],
  ["last 60 min", HOUR],
  [" 1 hour ", HOUR],
  ["2d", { ...HOUR, seconds: 172_800 }],
  ["1 week", { ...HOUR, seconds: 604_800 }],
  ["15:09 - 15:17", period("2026-11-27T15:09", "2026-11-27T15:17")],
  ["15:09-15:17", period("2026-11-27T15:09", "2026-11-27T15:17")],
  ["15:09 \u2013 15:17:30", period("2026-11-27T15:09", "2026-11-27T15:17:30")],
  ["15:09 to now", period("2026-11-27T15:09", null)],
  ["since 15:09", period("2026-11-27T15:09", null)],
  // 22:00 has not come yet today.
  ["22:00 - 06:00", period("2026-11-26T22:00", "2026-11-27T06:00")],
  ["today", period("2026-11-27T00:00", null)],
  ["yesterday", period("2026-11-26T00:00", "2026-11-27T00:00")],
  ["This week", period("2026-11-23T00:00", null)],
  ["last week", period("2026-11-16T00:00", "2026-11-23T00:00")],
  ["this month", period("2026-11-01T00:00", null)],
  ["last month", period("2026-10-01T00:00", "2026-11-01T00:00")],
  ["yesterday 22:00 - 23:30", period("2026-11-26T22:00", "2026-11-26T23:30")],
  ["2026-11-20", period("2026-11-20T00:00", "2026-11-21T00:00")],
  ["2026-11-20 - 2026-11-22", period("2026-11-20T00:00", "2026-11-23T00:00")],
  ["2026-11-20T10:00 - 12:00", period("2026-11-20T10:00", "2026-11-20T12:00")],
  ["20 Nov 10:00 to 21 Nov 09:00", period("2026-11-20T10:00", "2026-11-21T09:00")],
  ["30 December", period("2025-12-30T00:00", "2025-12-31T00:00")],
])("reads %j", (text, time) => expect(typedTime(text, NOW)).toEqual(time));

test.each([
  "",
  "soon",
  "25:00",
  "15:75",
  "31 feb",
  "12 xyz",
  "an 5",
  "2026-13-01",
  "15:17 - 15:09 - 15:10",
  "2026-11-22 - 2026-11-20",
  "2026-12-24",
  "0m",
  "999999w",
  "15:09 - tomorrow",
])("rejects %j", (text) => expect(typedTime(text, NOW)).toBe(null));

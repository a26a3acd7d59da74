import { expect, test } from "vitest";
import { DayHours, hoursLeftMs } from "../../../protocol/day-hours.ts";

const HOUR = 3_600_000;
const at = (time: string) => Date.parse(time);

test.each<[hours: DayHours | null, zone: string, time: string, hoursLeft: number]>([
  [{ from: 8, to: 18 }, "UTC", "2026-11-27T08:00:00Z", 10],
  [{ from: 8, to: 18 }, "UTC", "2026-11-27T17:30:00Z", 0.5],
  [{ from: 8, to: 18 }, "UTC", "2026-11-27T18:00:00Z", 0],
  [{ from: 22, to: 6 }, "UTC", "2026-11-27T23:15:00Z", 6.75],
  [{ from: 22, to: 6 }, "UTC", "2026-11-27T05:00:00Z", 1],
  [{ from: 22, to: 6 }, "UTC", "2026-11-27T12:00:00Z", 0],
  [{ from: 8, to: 18 }, "Europe/Berlin", "2026-11-27T07:00:00Z", 10],
  [{ from: 8, to: 18 }, "Europe/Berlin", "2026-07-27T06:00:00Z", 10],
  [{ from: 8, to: 18 }, "Asia/Kolkata", "2026-11-27T02:30:00Z", 10],
  [{ from: 0, to: 24 }, "UTC", "2026-11-27T12:00:00Z", Number.POSITIVE_INFINITY],
  [null, "UTC", "2026-11-27T12:00:00Z", Number.POSITIVE_INFINITY],
])("the hours %j in %s at %s last for %s hours more", (hours, zone, time, left) => {
  expect(hoursLeftMs(hours, zone, at(time)) / HOUR).toBe(left);
});

test("throws for a time zone that the program does not know", () => {
  expect(() => hoursLeftMs({ from: 1, to: 2 }, "Mars/Base", at("2026-11-27T12:00:00Z"))).toThrow();
});

test.each([
  [{ from: 8, to: 8 }, /must differ/],
  [{ from: 24, to: 8 }, /<=23/],
  [{ from: 8, to: 0 }, />=1/],
  [{ from: 8.5, to: 9 }, /int/],
])("rejects the hours %j", (hours, reason) => {
  expect(DayHours.safeParse(hours).error?.message).toMatch(reason);
});

import { expect, test } from "vitest";
import { roundTimes, timeLabels } from "../../../../dashboard/shape/axis.ts";

test("labels a time axis with the date where the day changes", () => {
  const at = (iso: string) => Date.parse(iso) / 1_000;
  expect(
    timeLabels(
      [at("2026-11-24T23:00Z"), at("2026-11-25T00:00Z"), at("2026-11-25T01:00Z")],
      3_600,
      "UTC",
    ),
  ).toEqual(["23:00", "25 Nov", "01:00"]);
  expect(timeLabels([at("2026-11-24T23:00:10Z")], 10, "UTC")).toEqual(["23:00:10"]);
  expect(timeLabels([at("2026-11-24T00:00Z")], 86_400, "UTC")).toEqual(["24 Nov"]);
});

test.each([
  ["5 minutes", "2026-11-24T14:10:20Z", 300, 0, 60, ["14:11", "14:12", "14:13", "14:14", "14:15"]],
  ["an hour", "2026-11-24T14:10:00Z", 3_600, 0, 900, ["14:15", "14:30", "14:45", "15:00"]],
  ["a day", "2026-11-24T14:10:00Z", 86_400, 0, 21_600, ["18:00", "00:00", "06:00", "12:00"]],
  [
    "a day in Delhi",
    "2026-11-24T14:10:00Z",
    86_400,
    19_800,
    21_600,
    ["18:30", "00:30", "06:30", "12:30"],
  ],
])("puts round moments on the axis of %s", (_, start, length, offset, step, times) => {
  const from = Date.parse(start) / 1_000;
  const round = roundTimes(from, from + length, 5, offset);
  expect(round.step).toBe(step);
  expect(round.times.map((time) => new Date(1_000 * time).toISOString().slice(11, 16))).toEqual(
    times,
  );
});

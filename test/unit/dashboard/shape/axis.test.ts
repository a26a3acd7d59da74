import { expect, test } from "vitest";
import { timeLabels } from "../../../../dashboard/shape/axis.ts";

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

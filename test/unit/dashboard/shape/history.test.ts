import { expect, test } from "vitest";
import {
  columnsOf,
  isEmpty,
  RANGES,
  rangesOffered,
  summaryOf,
} from "../../../../dashboard/shape/history.ts";

test("offers a year only with an external store or if it is already chosen", () => {
  expect(rangesOffered(false, "1h")).not.toContain("365d");
  expect(rangesOffered(true, "1h")).toEqual(RANGES);
  expect(rangesOffered(false, "365d")).toContain("365d");
});

test("describes a chart as text", () => {
  expect(
    summaryOf("Latency", [{ name: "P50", values: [1, null, 3] }], (value) => `${value} ms`),
  ).toBe("Latency: P50: last 3 ms, lowest 1 ms, highest 3 ms");
  expect(summaryOf("Latency", [{ name: "P50", values: [null] }], String)).toBe(
    "Latency: P50: no data",
  );
  expect([isEmpty([[null, 0]]), isEmpty([[null, 2]])]).toEqual([true, false]);
  expect(columnsOf([]).at).toEqual([]);
});

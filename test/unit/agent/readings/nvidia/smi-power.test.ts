import { expect, test } from "vitest";
import {
  instantColumns,
  instantPowerIn,
  POWER_COLUMNS,
  powerFieldsOf,
} from "../../../../../agent/readings/nvidia/smi-power.ts";

const COLUMNS = ["index", "power.draw", ...POWER_COLUMNS];

/** Recorded: an H100, RTX 4080 SUPER and RTX 2080 SUPER; the rest follows NVIDIA's help texts. */
test.each([
  ["an H100", "73.15, 72.44, 73.15, 9.0", "mean", "power.draw.instant"],
  ["an RTX 4080", "26.20, 28.77, 26.20, 8.9", "mean", "power.draw.instant"],
  ["an RTX 2080", "39.32, 39.32, [N/A], 7.5", "instant", "power.draw.instant"],
  ["an A100, which has no mean field", "60.00, 61.00, [N/A], 8.0", "mean", "power.draw.instant"],
  ["an Ampere card without an instantaneous field", "60.00, [N/A], 60.00, 8.6", "mean", null],
  ["a Pascal card without one", "60.00, [N/A], [N/A], 6.1", "instant", "power.draw"],
  [
    "a card of unknown generation without a mean",
    "60.00, [N/A], [N/A], [N/A]",
    "instant",
    "power.draw",
  ],
  ["a card of unknown generation with a mean", "60.00, [N/A], 60.00, [N/A]", "mean", null],
  ["a card that reports no power", "[N/A], [N/A], [N/A], 6.1", "instant", null],
])("reads the power of %s", (_card, cells, drawKind, instantField) => {
  const values = ["0", ...cells.split(", ")];
  const row = new Map(COLUMNS.map((column, n) => [column, values[n] ?? ""]));
  expect(powerFieldsOf(row)).toEqual({ drawKind, instantField });
});

test("treats power as a mean if a driver knows none of the fields that decide it", () => {
  const row = new Map([["power.draw", "60.00"]]);
  expect(powerFieldsOf(row)).toEqual({ drawKind: "mean", instantField: null });
});

test("queries the fields of all GPUs at once, and picks each GPU's own", () => {
  const fields = new Map([
    [0, { drawKind: "mean", instantField: "power.draw.instant" } as const],
    [1, { drawKind: "instant", instantField: "power.draw" } as const],
    [2, { drawKind: "instant", instantField: null } as const],
  ]);
  const columns = instantColumns(fields.values());
  if (columns === null) throw new Error("no column was chosen");
  expect(columns).toEqual(["index", "power.draw.instant", "power.draw"]);
  const read = (line: string) => instantPowerIn(line, columns, fields);
  expect(read("0, 61.00, 60.00")).toEqual({ index: 0, watts: 61 });
  expect(read("1, [N/A], 60.00")).toEqual({ index: 1, watts: 60 });
  expect(read("2, [N/A], 60.00")).toEqual({ index: 2, watts: null });
  expect(read("0, [GPU is lost], [GPU is lost]")).toEqual({ index: 0, watts: null });
  expect(read("Unable to determine the device handle")).toBeNull();
  expect(instantColumns([{ drawKind: "mean", instantField: null }])).toBeNull();
});

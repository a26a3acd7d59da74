import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { gpuFailure, refusedField } from "../../../../../agent/readings/nvidia/smi-failure.ts";
import {
  GPU_COLUMNS,
  parseGpuRow,
  throttleReasons,
  withoutRefused,
} from "../../../../../agent/readings/nvidia/smi-rows.ts";
import { GpuSample } from "../../../../../protocol/records.ts";

const row = (line: string) => parseGpuRow(line, GPU_COLUMNS);
const UUID = "GPU-22b2c6ac-2d49-4863-197c-9c469071178a";

test("parses the row of a busy GPU", () => {
  expect(
    row(
      `0, ${UUID}, NVIDIA H100 80GB HBM3, 590.48.01, 100, 19818, 81559, 59, 631.95, 700.00, 1980, [N/A], 0x0000000000000004`,
    ),
  ).toEqual({
    index: 0,
    uuid: UUID,
    name: "NVIDIA H100 80GB HBM3",
    driver_version: "590.48.01",
    utilization_percent: 100,
    memory_used_mb: 19818,
    memory_total_mb: 81559,
    temperature_c: 59,
    power_draw_w: 631.95,
    power_limit_w: 700,
    sm_clock_mhz: 1980,
    fan_percent: null,
    throttle_reasons: ["sw_power_cap"],
  });
});

const NOT_NUMBERS = [
  "[N/A]",
  "N/A",
  "[Not Supported]",
  "[Unknown Error]",
  "[GPU requires reset]",
  "[Insufficient Permissions]",
  "[Requested functionality has been deprecated]",
  "[Function Not Found]",
  "ERR!",
  "Not Active",
  "Enabled",
  "",
  "1e999",
  "0x10",
  "12 34",
  "9".repeat(400),
];

test.each(NOT_NUMBERS)("turns the cell %j into null and keeps the others", (cell) => {
  const parsed = row(
    `3, ${UUID}, NVIDIA A10, 470.1, ${cell}, ${cell}, 23028, ${cell}, ${cell}, ${cell}, ${cell}, ${cell}, ${cell}`,
  );
  expect(parsed).toMatchObject({
    index: 3,
    utilization_percent: null,
    memory_used_mb: null,
    memory_total_mb: 23028,
    power_draw_w: null,
  });
});

test("keeps unusual but real numbers: above the power limit, a fan over 100 %, below zero", () => {
  const parsed = row(`0, ${UUID}, X, 1, 0, 0, 1, -5, 320.51, 320.00, 0, 120, 0x0`);
  expect(parsed).toMatchObject({
    temperature_c: -5,
    power_draw_w: 320.51,
    fan_percent: 120,
    throttle_reasons: [],
  });
});

test("accepts a unit after a number, even before a carriage return", () => {
  expect(
    parseGpuRow("0, [GPU requires reset], [GPU requires reset], 0 MiB\r", [
      "index",
      "temperature.gpu",
      "utilization.gpu",
      "memory.used",
    ]),
  ).toMatchObject({
    index: 0,
    temperature_c: null,
    utilization_percent: null,
    memory_used_mb: 0,
  });
});

test("names a GPU without a name, because a sample needs one", () => {
  expect(parseGpuRow("0, [Unknown Error], [N/A]", ["index", "name", "uuid"])).toMatchObject({
    name: "unknown GPU",
    uuid: null,
  });
});

test.each([
  "",
  "No devices were found",
  "0, GPU-1",
  "a, b, c, d, e, f, g, h, i, j, k, l, m",
  "[N/A],,,,,,,,,,,,",
  "index, uuid, name, driver_version, utilization.gpu [%], memory.used [MiB], memory.total [MiB], temperature.gpu, power.draw [W], power.limit [W], clocks.current.sm [MHz], fan.speed [%], clocks_event_reasons.active",
])("rejects the line %j, which is not a row", (line) => expect(row(line)).toBeNull());

test.each([
  ["0x0000000000000000", []],
  ["0x0000000000000001", ["gpu_idle"]],
  [
    "0x00000000000001FF",
    [
      "gpu_idle",
      "applications_clocks_setting",
      "sw_power_cap",
      "hw_slowdown",
      "sync_boost",
      "sw_thermal_slowdown",
      "hw_thermal_slowdown",
      "hw_power_brake_slowdown",
      "display_clock_setting",
    ],
  ],
  ["0x0000000000000a04", ["sw_power_cap", "unknown_0xa00"]],
  ["0xFFFFFFFFFFFFFE00", ["unknown_0xfffffffffffffe00"]],
  ["[N/A]", null],
  ["Active", null],
  ["4", null],
])("parses the throttle mask %s", (mask, names) => expect(throttleReasons(mask)).toEqual(names));

describe("a column that the driver refuses", () => {
  test("is replaced by its older name, then dropped", () => {
    const older = withoutRefused(GPU_COLUMNS, "clocks_event_reasons.active");
    expect(older).toContain("clocks_throttle_reasons.active");
    expect(withoutRefused(older ?? [], "clocks_throttle_reasons.active")).toEqual(
      GPU_COLUMNS.slice(0, -1),
    );
    expect(
      parseGpuRow("0, 0x8", ["index", "clocks_throttle_reasons.active"])?.throttle_reasons,
    ).toEqual(["hw_slowdown"]);
  });
  test("ends the probe if it is the index, or was not queried", () => {
    expect(withoutRefused(GPU_COLUMNS, "index")).toBeNull();
    expect(withoutRefused(GPU_COLUMNS, "device_minor")).toBeNull();
  });
});

// Recorded output of real machines, if it lies beside the checkout.
const RECORDED = fileURLToPath(
  new URL("../../../../../../shared/fixtures/nvidia-smi", import.meta.url),
);

describe.skipIf(!existsSync(RECORDED))("recorded output of nvidia-smi", () => {
  const files = existsSync(RECORDED) ? readdirSync(RECORDED) : [];

  test.each(files.filter((file) => file.endsWith(".full.csv")))("parses %s", (file) => {
    const [header = "", ...lines] = readFileSync(`${RECORDED}/${file}`, "utf8").trim().split("\n");
    const names = header.split(", ").map((name) => name.replace(/ \[.*\]$/, ""));
    const columns = GPU_COLUMNS.map((column) =>
      column === "clocks.sm" ? "clocks.current.sm" : column,
    );
    for (const line of lines) {
      const cells = line.split(", ");
      const { driver_version, ...sample } =
        row(columns.map((column) => cells[names.indexOf(column)]).join(", ")) ?? {};
      expect(driver_version).toMatch(/^\d/);
      expect(
        GpuSample.parse({ at: "2026-08-01T00:00:00.000Z", box: "a", ...sample }).memory_total_mb,
      ).toBeGreaterThan(0);
    }
  });

  test.each(files.filter((file) => file.startsWith("err-")))("explains %s", (file) => {
    const output = readFileSync(`${RECORDED}/${file}`, "utf8");
    const refused = refusedField(output);
    if (refused === null)
      expect(gpuFailure({ output, code: 9, signal: null, spawnError: null }).permanent).toBe(true);
    else expect(refused).toBe("device_minor");
  });

  test.each([
    [
      "odd-a10-x4.csv",
      "index,name,temperature.gpu,memory.used,memory.total,utilization.gpu,power.draw",
      4,
    ],
    ["odd-gpu-requires-reset.csv", "index,temperature.gpu,utilization.gpu,memory.used", 1],
  ])("parses the odd file %s", (file, columns, gpus) => {
    const lines = readFileSync(`${RECORDED}/${file}`, "utf8").trim().split("\n");
    expect(lines.flatMap((line) => parseGpuRow(line, columns.split(",")) ?? [])).toHaveLength(gpus);
  });
});

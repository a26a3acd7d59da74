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

test("a row of a busy card", () => {
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

const NO_NUMBERS = [
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

test.each(NO_NUMBERS)("%j is no number, and costs only its own cell", (cell) => {
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

test("numbers that look wrong and are real stay: over the power limit, a fan over 100, below zero", () => {
  const parsed = row(`0, ${UUID}, X, 1, 0, 0, 1, -5, 320.51, 320.00, 0, 120, 0x0`);
  expect(parsed).toMatchObject({
    temperature_c: -5,
    power_draw_w: 320.51,
    fan_percent: 120,
    throttle_reasons: [],
  });
});

test("a unit behind a number is tolerated, also with a carriage return", () => {
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

test("a GPU whose name is not told has one all the same, since a sample needs it", () => {
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
])("%j is no row", (line) => expect(row(line)).toBeNull());

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
])("throttle mask %s", (mask, names) => expect(throttleReasons(mask)).toEqual(names));

describe("a refused field", () => {
  test("is named by the answer", () => {
    expect(refusedField('Field "device_minor" is not a valid field to query.\n\n')).toBe(
      "device_minor",
    );
    expect(refusedField("No devices were found")).toBeNull();
  });
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
  test("ends the asking when it is the index, or none of ours", () => {
    expect(withoutRefused(GPU_COLUMNS, "index")).toBeNull();
    expect(withoutRefused(GPU_COLUMNS, "device_minor")).toBeNull();
  });
});

const FAILURES: [output: string, code: number, words: RegExp, permanent: boolean][] = [
  [
    "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the latest NVIDIA driver is installed and running.\n",
    9,
    /load the driver/,
    true,
  ],
  [
    "Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 535.161",
    18,
    /mismatch \(library 535.161\): reboot, or reload/,
    true,
  ],
  [
    "Failed to initialize NVML: No supported GPUs were found\nUnable to determine the number of GPUs",
    255,
    /no supported GPU/,
    true,
  ],
  ["Failed to initialize NVML: Unknown Error", 255, /restart the container/, true],
  ["Failed to initialize NVML: Insufficient Permissions", 4, /give this user/, true],
  ["No devices were found", 6, /no NVIDIA GPU/, true],
  [
    "Unable to determine the device handle for GPU 0000:0B:00.0: Unknown Error",
    15,
    /GPU 0000:0B:00.0 .*Unknown Error.*bus/,
    true,
  ],
  ["sh: 1: nvidia-smi: not found", 127, /not found.*install/, true],
  ["\n\nsomething new\nmore", 3, /^nvidia-smi ended \(exit code 3\): something new$/, false],
  ["", 0, /^nvidia-smi ended \(exit code 0\)$/, false],
];

test.each(FAILURES)("failure %j, exit %i", (output, code, words, permanent) => {
  const failure = gpuFailure({ output, code, signal: null, spawnError: null });
  expect(failure.reason).toMatch(words);
  expect(failure.reason).not.toContain("\n");
  expect(failure.permanent).toBe(permanent);
});

test("failures of the start and by a signal have words too, and none is longer than a state may carry", () => {
  const end = { output: "", code: null, signal: null, spawnError: null };
  expect(gpuFailure({ ...end, spawnError: "ENOENT" })).toMatchObject({
    reason: expect.stringContaining("not found"),
    permanent: true,
  });
  expect(gpuFailure({ ...end, spawnError: "EACCES" }).reason).toBe(
    "nvidia-smi could not be started (EACCES)",
  );
  expect(gpuFailure({ ...end, signal: "SIGTERM" }).reason).toBe("nvidia-smi ended (SIGTERM)");
  expect(
    gpuFailure({ ...end, output: "x".repeat(9_999), code: 1 }).reason.length,
  ).toBeLessThanOrEqual(500);
});

// Recorded output of real machines, where a checkout has it beside it.
const RECORDED = fileURLToPath(
  new URL("../../../../../../shared/fixtures/nvidia-smi", import.meta.url),
);

describe.skipIf(!existsSync(RECORDED))("recorded output", () => {
  const files = existsSync(RECORDED) ? readdirSync(RECORDED) : [];

  test.each(files.filter((file) => file.endsWith(".full.csv")))("%s", (file) => {
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

  test.each(files.filter((file) => file.startsWith("err-")))("%s has words", (file) => {
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
  ])("%s", (file, columns, gpus) => {
    const lines = readFileSync(`${RECORDED}/${file}`, "utf8").trim().split("\n");
    expect(lines.flatMap((line) => parseGpuRow(line, columns.split(",")) ?? [])).toHaveLength(gpus);
  });
});

import { expect, test } from "vitest";
import { xpuSmiParser } from "../../../../../agent/readings/intel/xpu-smi.ts";

/** Recorded on Data Center GPU Max 1550; public in issue 98 of intel/xpumanager. */
const MAX_1550 = `Timestamp, DeviceId, GPU Utilization (%), GPU Power (W), GPU Frequency (MHz), GPU Core Temperature (Celsius Degree), GPU Memory Temperature (Celsius Degree), GPU Memory Utilization (%)
08:08:16.817,    0,  N/A, 281.13, 1600.00, 35.50, 31.50,  N/A
08:08:16.817,    1,  N/A, 286.48, 1600.00, 38.50, 35.00,  N/A
08:08:17.817,    0,  N/A, 293.78, 1600.00, 35.50, 32.00, 20.41`;

/** From the user guide of xpu-smi, and of two Max 1100 in a public parser test. */
const GUIDE = `Timestamp, DeviceId, GPU Utilization (%), GPU Power (W), GPU Frequency (MHz)
06:14:46.000,    0, 0.00, 14.61,    0`;
const MAX_1100 = `Timestamp, DeviceId, GPU Utilization (%), GPU Power (W), GPU Frequency (MHz), GPU Core Temperature (Celsius Degree), GPU Memory Temperature (Celsius Degree), GPU Memory Utilization (%), GPU Memory Used (MiB)
14:32:57.449,    1, 0.01, 105.25,    0,  N/A,  N/A, 0.05, 28.02`;

const read = (text: string) => {
  const parse = xpuSmiParser();
  return text.split("\n").flatMap((line) => parse(line));
};

test("reads every GPU of a dump, and leaves out what is N/A", () => {
  expect(read(MAX_1550)).toMatchObject([
    {
      index: 0,
      name: "Intel GPU 0",
      utilization_percent: null,
      power_draw_w: 281.13,
      sm_clock_mhz: 1_600,
      temperature_c: 35.5,
      memory_used_mb: null,
    },
    { index: 1, power_draw_w: 286.48 },
    { index: 0, power_draw_w: 293.78 },
  ]);
  expect(read(MAX_1100)).toMatchObject([
    { index: 1, utilization_percent: 0.01, memory_used_mb: 28.02, temperature_c: null },
  ]);
});

test("finds columns by their header, however few there are", () => {
  expect(read(GUIDE)).toMatchObject([
    { utilization_percent: 0, power_draw_w: 14.61, sm_clock_mhz: 0, temperature_c: null },
  ]);
});

test.each([
  ["without a header", "06:14:46.000,    0, 0.00, 14.61,    0"],
  ["that is torn", `${GUIDE.split("\n")[0]}\n06:14:46.000,    0, 0.00`],
  ["that is an error", "Error: XPUM Service Status Error"],
])("ignores a row %s", (_name, text) => {
  expect(read(text)).toEqual([]);
});

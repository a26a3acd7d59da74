import { expect, test } from "vitest";
import {
  parseMacmon,
  powermetricsParser,
} from "../../../../../agent/readings/apple/apple-tools.ts";

/** Recorded with macmon on 17 February 2026; public in henrygd/beszel, agent/gpu_darwin_test.go. */
const MACMON =
  '{"all_power":0.6468324661254883,"ane_power":0.0,"cpu_power":0.6359732151031494,"ecpu_usage":[2061,0.1726151406764984],"gpu_power":0.010859241709113121,"gpu_ram_power":0.000965250947047025,"gpu_usage":[503,0.013633215799927711],"memory":{"ram_total":17179869184,"ram_usage":12322914304,"swap_total":0,"swap_usage":0},"pcpu_usage":[1248,0.11792058497667313],"ram_power":0.14885640144348145,"sys_power":10.4955415725708,"temp":{"cpu_temp_avg":23.041261672973633,"gpu_temp_avg":29.44516944885254},"timestamp":"2026-02-17T19:34:27.942556+00:00"}';

/** Recorded with powermetrics on a Mac14,10; public in the same file. */
const POWERMETRICS = `Machine model: Mac14,10
OS version: 25D125

*** Sampled system activity (Sat Feb 14 00:42:06 2026 -0500) (503.05ms elapsed) ***

**** GPU usage ****

GPU HW active frequency: 444 MHz
GPU HW active residency:   0.97% (444 MHz: .97% 612 MHz:   0% 808 MHz:   0%)
GPU SW requested state: (P1 : 100% P2 :   0% P3 :   0%)
GPU idle residency:  99.03%
GPU Power: 4 mW
`;

test("reads a line of macmon, and no VRAM, because memory is shared", () => {
  expect(parseMacmon(MACMON)).toMatchObject([
    {
      index: 0,
      name: "Apple GPU",
      power_draw_w: 0.010859241709113121,
      utilization_percent: 1.3633215799927711,
      sm_clock_mhz: 503,
      temperature_c: 29.44516944885254,
      memory_used_mb: null,
      memory_total_mb: null,
    },
  ]);
});

test.each(["gpu_power", "gpu_usage", "temp", "memory", "all_power"])(
  "survives a macmon without %s",
  (field) => {
    const { [field]: _, ...rest } = JSON.parse(MACMON);
    expect(parseMacmon(JSON.stringify(rest))).toHaveLength(1);
  },
);

test.each(["", "garbage", "{", "{}", "[1]", '{"gpu_power":"N/A"}'])("ignores %j", (line) => {
  expect(parseMacmon(line)).toEqual([]);
});

test("reads a block of powermetrics when it is complete, and each block apart", () => {
  const parse = powermetricsParser();
  const blocks = `${POWERMETRICS}\n**** GPU usage ****\nGPU Power: 120 mW\n`;
  expect(blocks.split("\n").flatMap((line) => parse(line))).toMatchObject([
    { sm_clock_mhz: 444, utilization_percent: 0.97, power_draw_w: 0.004 },
    { sm_clock_mhz: null, utilization_percent: null, power_draw_w: 0.12 },
  ]);
});

test("reads nothing in the message of powermetrics for users that are not root", () => {
  expect(powermetricsParser()("powermetrics must be invoked as the superuser")).toEqual([]);
});

import { expect, test } from "vitest";
import {
  AMD_TOOLS,
  parseAmdSmi,
  parseRocmSmi,
} from "../../../../../agent/readings/amd/amd-tools.ts";

/** Recorded on an RX 7900 XTX; public in issue 414 of henrygd/beszel. */
const RX_7900 =
  '{"card0": {"Temperature (Sensor edge) (C)": "49.0", "Temperature (Sensor junction) (C)": "49.0", "Temperature (Sensor memory) (C)": "62.0", "Average Graphics Package Power (W)": "19.0", "GPU use (%)": "0", "VRAM Total Memory (B)": "25753026560", "VRAM Total Used Memory (B)": "794341376"}}';

/** Recorded on a Radeon 680M; public in the tests of the same project. */
const RADEON_680M = `{
  "card0": {
    "GUID": "34756",
    "Temperature (Sensor edge) (C)": "47.0",
    "Current Socket Graphics Package Power (W)": "9.215",
    "GPU use (%)": "0",
    "VRAM Total Memory (B)": "536870912",
    "VRAM Total Used Memory (B)": "482263040",
    "Card Series": "Rembrandt [Radeon 680M]"
  },
  "system": {"Driver version": "6.8.0"}
}`;

/** The form of amd-smi: issue 737 of henrygd/beszel, and pull request 2720 of ROCm/rocm-systems. */
const AMD_SMI = `[
    {
        "gpu": 0,
        "usage": {
            "gfx_activity": {
                "value": 42,
                "unit": "%"
            },
            "vcn_activity": [
                {
                    "value": 0,
                    "unit": "%"
                },
                "N/A"
            ]
        },
        "power": {
            "socket_power": {
                "value": 20,
                "unit": "W"
            },
            "throttle_status": "UNTHROTTLED"
        },
        "clock": {
            "gfx_0": {
                "clk": {
                    "value": 14,
                    "unit": "MHz"
                }
            }
        }
    },
    {
        "gpu": 1,
        "usage": "N/A",
        "power": {
            "socket_power": "N/A"
        }
    }
]
`;

test("reads rocm-smi by the names of either generation", () => {
  expect(parseRocmSmi(RX_7900)).toMatchObject([
    {
      index: 0,
      name: "AMD GPU",
      power_draw_w: 19,
      utilization_percent: 0,
      temperature_c: 49,
      memory_total_mb: 24_560,
      memory_used_mb: 758,
      fan_percent: null,
    },
  ]);
  expect(parseRocmSmi(RADEON_680M)).toMatchObject([
    { name: "Rembrandt [Radeon 680M]", power_draw_w: 9.215, memory_total_mb: 512 },
  ]);
});

test("survives the absence of each field of rocm-smi", () => {
  const { card0 } = JSON.parse(RX_7900);
  for (const name of Object.keys(card0)) {
    const { [name]: _, ...rest } = card0;
    expect(parseRocmSmi(JSON.stringify({ card0: rest }))).toHaveLength(1);
  }
  // MI250: the secondary die has no power of its own; issue 160 of ROCm/rocm_smi_lib.
  const secondary = { "Average Graphics Package Power (W)": "N/A (Secondary die)" };
  expect(parseRocmSmi(JSON.stringify({ card1: secondary }))).toMatchObject([
    { index: 1, power_draw_w: null },
  ]);
});

test("reads amd-smi, in which anything may be N/A", () => {
  expect(parseAmdSmi(AMD_SMI)).toMatchObject([
    { index: 0, utilization_percent: 42, power_draw_w: 20, sm_clock_mhz: 14, temperature_c: null },
    { index: 1, utilization_percent: null, power_draw_w: null },
  ]);
  expect(parseAmdSmi(`{"gpu_data":${AMD_SMI}}`)).toHaveLength(2);
  expect(parseAmdSmi(`WARNING: not in the render group\n${AMD_SMI}`)).toHaveLength(2);
});

test.each(["", "garbage", "[", "{}", "[{}]", "null", '{"card0": "N/A"}'])("ignores %j", (text) => {
  expect([...parseAmdSmi(text), ...parseRocmSmi(text)]).toEqual([]);
});

test("reads a whole output once, however its lines are broken", () => {
  const [amdSmi, rocmSmi] = AMD_TOOLS.map(({ parser }) => parser());
  expect(AMD_SMI.split("\n").flatMap((line) => amdSmi?.(line) ?? [])).toHaveLength(2);
  expect(RX_7900.split("\n").flatMap((line) => rocmSmi?.(line) ?? [])).toHaveLength(1);
  expect(
    RADEON_680M.split("\n").flatMap((line) => AMD_TOOLS[1]?.parser()(line) ?? []),
  ).toHaveLength(0);
});

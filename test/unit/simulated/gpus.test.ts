import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { GPU_COLUMNS, parseGpuRow } from "../../../agent/readings/nvidia/smi-rows.ts";
import {
  GPU_MODELS,
  idleReading,
  nextReading,
  type SimulatedGpu,
} from "../../../simulated/gpus.ts";

const PROGRAM = fileURLToPath(new URL("../../../simulated/nvidia-smi.ts", import.meta.url));
const smi = (query: string, format = "csv,noheader,nounits", env: Record<string, string> = {}) =>
  spawnSync(process.execPath, [PROGRAM, `--query-gpu=${query}`, `--format=${format}`], {
    encoding: "utf8",
    env: { ...process.env, ...env },
  });

test.each(Object.entries(GPU_MODELS))(
  "the agent reads every column of a simulated %s",
  (name, model) => {
    const { status, stdout } = smi(GPU_COLUMNS.join(","), undefined, { SIMULATED_GPU: name });
    expect(status).toBe(0);
    const row = parseGpuRow(stdout.trimEnd(), GPU_COLUMNS);
    expect(row).toMatchObject({
      index: 0,
      name: model.name,
      memory_total_mb: model.memoryMb,
      power_limit_w: model.powerLimitW,
      utilization_percent: 0,
    });
    expect(row?.fan_percent === null).toBe(!model.hasFan);
  },
);

test("one unknown field fails the whole query with a message on stdout and exit code 2", () => {
  const { status, stdout, stderr } = smi("index,no.such.field");
  expect({ status, stderr }).toEqual({ status: 2, stderr: "" });
  expect(stdout).toContain('Field "no.such.field" is not a valid field to query.');
});

test("the header and the units appear unless the format excludes them", () => {
  const [header, row] = smi("index,power.limit", "csv").stdout.split("\n");
  expect([header, row]).toEqual(["index, power.limit [W]", "0, 450.00 W"]);
});

test("a card under load gets busy at once, warms up slowly within its limits, and cools down afterwards", () => {
  const gpu = GPU_MODELS["rtx-4090"];
  if (gpu === undefined) throw new Error("the card is missing");
  const after = (from: SimulatedGpu, load: number, seconds: number) => {
    let reading = from;
    for (let second = 0; second < seconds; second++)
      reading = nextReading(gpu, reading, load, 8_000, 1, () => 0.5);
    return reading;
  };
  const soon = after(idleReading(gpu), 1, 5);
  const later = after(soon, 1, 120);
  expect(soon.utilization).toBeGreaterThan(80);
  expect(soon.temperatureC).toBeLessThan(later.temperatureC);
  expect(later.temperatureC).toBeLessThan(85);
  expect(later.powerW).toBeLessThanOrEqual(gpu.powerLimitW * 1.02);
  expect(after(later, 0, 120).utilization).toBeLessThan(1);
});

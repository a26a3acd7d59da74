import { spawn, spawnSync } from "node:child_process";
import { createInterface } from "node:readline";
import { beforeAll, expect, test } from "vitest";
import { GPU_COLUMNS, parseGpuRow } from "../../../agent/readings/nvidia/smi-rows.ts";
import { SIMULATED_SMI } from "../../../local/edge.ts";
import {
  GPU_MODELS,
  idleReading,
  nextReading,
  type SimulatedGpu,
} from "../../../simulated/gpus.ts";
import { buildOnce } from "../../support/built.ts";

beforeAll(buildOnce);

const smi = (query: string, format = "csv,noheader,nounits", env: Record<string, string> = {}) =>
  spawnSync(process.execPath, [SIMULATED_SMI, `--query-gpu=${query}`, `--format=${format}`], {
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
      power_limit_w: model.power === "none" ? null : model.powerLimitW,
      power_draw_w: model.power === "none" ? null : model.idleW,
      utilization_percent: model.isMig ? null : 0,
    });
    expect(row?.fan_percent === null).toBe(!model.hasFan);
  },
);

/** The power cells of recorded cards: an H100, an RTX 4080 and an RTX 2080. */
test.each([
  ["h100", "73.00, 73.00, 73.00, 9.0"],
  ["rtx-4090", "22.00, 22.00, 22.00, 8.9"],
  ["rtx-2080", "39.00, [N/A], 39.00, 7.5"],
  ["gt-1030", "[N/A], [N/A], [N/A], 6.1"],
])("a simulated %s has the power readings of its generation", (name, cells) => {
  const query = "power.draw,power.draw.average,gpu.power.draw.instant,compute_cap";
  expect(smi(query, undefined, { SIMULATED_GPU: name }).stdout.trimEnd()).toBe(cells);
});

test("the help lists every property that can be queried", () => {
  const { stdout, status } = spawnSync(process.execPath, [SIMULATED_SMI, "--help-query-gpu"], {
    encoding: "utf8",
  });
  expect(status).toBe(0);
  const names = [...stdout.matchAll(/"([\w.]+)"/g)].flatMap(([, name]) => name ?? []);
  expect(names).toEqual(expect.arrayContaining([...GPU_COLUMNS, "power.draw.instant"]));
  expect(smi(names.join(",")).status).toBe(0);
});

test("-lms repeats the rows many times a second until it is killed", async () => {
  const query = ["--query-gpu=index,power.draw.instant", "--format=csv,noheader,nounits"];
  const child = spawn(process.execPath, [SIMULATED_SMI, ...query, "-lms", "20"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const rows: string[] = [];
  for await (const row of createInterface({ input: child.stdout }))
    if (rows.push(row) === 5) child.kill();
  expect(new Set(rows)).toEqual(new Set(["0, 22.00"]));
});

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
  const soon = after(idleReading(), 1, 5);
  const later = after(soon, 1, 120);
  expect(soon.utilization).toBeGreaterThan(80);
  expect(soon.temperatureC).toBeLessThan(later.temperatureC);
  expect(later.temperatureC).toBeLessThan(85);
  expect(after(later, 0, 120).utilization).toBeLessThan(1);
});

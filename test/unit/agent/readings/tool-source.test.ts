import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseMacmon } from "../../../../agent/readings/apple/apple-tools.ts";
import type { PowerReading } from "../../../../agent/readings/gpu-source.ts";
import { type GpuTool, ToolSource } from "../../../../agent/readings/tool-source.ts";
import { temporaryFolder } from "../../../support/temporary.ts";
import { waitFor } from "../../../support/wait-for.ts";

/** Writes a tool that prints a line, and again every 20 ms if it goes on. */
function toolOf(script: string, againSeconds: number | null = null): GpuTool {
  const name = join(temporaryFolder("tool-"), "tool");
  writeFileSync(name, `#!/bin/sh\n${script}\n`);
  chmodSync(name, 0o755);
  return { name, args: [], againSeconds, parser: () => parseMacmon };
}
const ROW = `echo '{"gpu_power":4.5,"gpu_usage":[500,0.25]}'`;
const FOREVER = `while ${ROW}; do sleep 0.02; done`;
const MISSING: GpuTool = {
  name: "/nowhere/tool",
  args: [],
  againSeconds: null,
  parser: () => parseMacmon,
};

function sourceOf(tools: GpuTool[]) {
  const power: PowerReading[] = [];
  const source = new ToolSource(
    tools,
    {
      box: "b",
      intervalSeconds: 1,
      now: Date.now,
      log: () => {},
      onPower: (reading) => power.push(reading),
    },
    { backoffMs: 20, backoffMaxMs: 40, silenceMs: 2_000 },
  );
  source.start();
  return { source, power, [Symbol.asyncDispose]: () => source.stop() };
}

test("uses the first tool that prints a reading, and passes on the mean power", async () => {
  await using gpu = sourceOf([MISSING, toolOf("exit 1"), toolOf(FOREVER)]);
  await waitFor(() => expect(gpu.source.take().available).toBe(true));
  expect(gpu.source.latest()).toMatchObject([{ power_draw_w: 4.5, utilization_percent: 25 }]);
  expect(gpu.power[0]).toMatchObject({ gpuIndex: 0, watts: 4.5, kind: "mean" });
});

test("a machine without any of the tools is normal, and the reason names them", async () => {
  await using gpu = sourceOf([MISSING, MISSING]);
  await waitFor(() => expect(gpu.source.take().error).not.toBeNull());
  expect(gpu.source.take()).toMatchObject({
    available: false,
    failed: false,
    error:
      "/nowhere/tool was not found, so this GPU is not read; /nowhere/tool was not found, so this GPU is not read",
  });
});

test("runs a tool that prints once again and again, and measures no energy by it", async () => {
  await using gpu = sourceOf([toolOf(ROW, 0.02)]);
  await waitFor(() => expect(gpu.source.take().available).toBe(true));
  await waitFor(() => expect(gpu.source.latest()).toHaveLength(1));
  expect(gpu.power).toEqual([]);
});

test("a tool that worked and ends is a fault until it works again", async () => {
  await using gpu = sourceOf([toolOf(`${ROW}; sleep 0.3; exit 3`)]);
  await waitFor(() => expect(gpu.source.take().available).toBe(true));
  await waitFor(() => expect(gpu.source.take()).toMatchObject({ available: false, failed: true }));
  await waitFor(() => expect(gpu.source.take().available).toBe(true));
});

test("kills a tool that hangs", async () => {
  await using gpu = sourceOf([toolOf(`${ROW}; exec sleep 1000`)]);
  await waitFor(() => expect(gpu.source.take().available).toBe(true));
  await waitFor(() => expect(gpu.source.take().error).toMatch(/SIGKILL/));
});

import { expect, test } from "vitest";
import { programsOf } from "../../../../../agent/readings/nvidia/smi-programs.ts";

test("runs a script in this Node, and looks for nvidia-smi in WSL2 too", () => {
  expect(programsOf("nvidia-smi").map(({ file }) => file)).toEqual([
    "nvidia-smi",
    "/usr/lib/wsl/lib/nvidia-smi",
  ]);
  expect(programsOf("/opt/bin/nvidia-smi")).toEqual([{ file: "/opt/bin/nvidia-smi", args: [] }]);
  expect(programsOf("sim/gpu.mjs")).toEqual([{ file: process.execPath, args: ["sim/gpu.mjs"] }]);
});

import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { programsOf } from "../../../../../agent/readings/nvidia/smi-process.ts";

test("runs a script in this Node, and looks for nvidia-smi in WSL2 too", () => {
  expect(programsOf("nvidia-smi").map(({ file }) => file)).toEqual([
    "nvidia-smi",
    "/usr/lib/wsl/lib/nvidia-smi",
  ]);
  expect(programsOf("/opt/bin/nvidia-smi")).toEqual([{ file: "/opt/bin/nvidia-smi", args: [] }]);
  expect(programsOf("sim/gpu.mjs")).toEqual([{ file: process.execPath, args: ["sim/gpu.mjs"] }]);
});

/** Opens every file that the process may have, then runs nvidia-smi. */
const WITHOUT_FILES = `
import { closeSync, openSync } from "node:fs";
import { runSmi } from "./agent/readings/nvidia/smi-process.ts";
const files = [];
try {
  for (;;) files.push(openSync("/dev/null"));
} catch {}
const { ended, kill } = runSmi({ file: "nvidia-smi", args: [] }, [], () => true);
kill();
const end = await ended;
for (const file of files) closeSync(file);
console.log(JSON.stringify(end));
`;

test("reports that no file is left for nvidia-smi, and does not crash", () => {
  const limited = 'ulimit -n 128 && exec "$0" --input-type=module -e "$1"';
  const printed = execFileSync("sh", ["-c", limited, process.execPath, WITHOUT_FILES]);
  expect(JSON.parse(printed.toString())).toMatchObject({ code: null, spawnError: "EMFILE" });
});

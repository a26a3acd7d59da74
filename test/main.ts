/**
 * `npm test`: types and lint beside the build and the install of the database engines, then every test, as
 * four runs of Vitest side by side.
 *
 * The files of `browser` and of `stores` share one running edge or database, so each of these projects
 * runs a file at a time and mostly waits. In one run of Vitest they would come last and one after the
 * other, with a core idle. Each process of `workerd` loads the whole Worker first, so it has one.
 */
import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { buildOnce } from "./support/built.ts";

const BESIDE = ["unit", "e2e", "faults"];
const APART = ["workerd", "browser", "stores"];

/** Three projects use them, and each would install them. */
const ENGINES = "support/engines/install.ts";

const runs: ChildProcess[] = [];
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.on(signal, () => {
    for (const run of runs) run.kill(signal);
  });

function start(command: string, args: string[], stdio: StdioOptions): ChildProcess {
  const run = spawn(command, args, { shell: process.platform === "win32", stdio });
  runs.push(run);
  return run;
}

function startTests(projects: string[], stdio: StdioOptions, more: string[] = []): ChildProcess {
  const selected = projects.flatMap((name) => ["--project", name]);
  return start("vitest", ["run", ...selected, ...more], stdio);
}

const ended = (run: ChildProcess) =>
  new Promise<number>((resolve, reject) => {
    run.on("error", reject);
    run.on("exit", (code) => resolve(code ?? 1));
  });

/**
 * Runs a project and shows its output when it is complete, so that the lines of the runs do not mix,
 * and only its failures, so that those of the first run stay in sight.
 */
async function quietly(project: string): Promise<{ code: number; show: () => void }> {
  const options = ["--reporter=minimal", "--maxWorkers=1"];
  const run = startTests([project], ["ignore", "pipe", "pipe"], options);
  const [code, out, errors] = await Promise.all([
    ended(run),
    run.stdout === null ? "" : buffer(run.stdout),
    run.stderr === null ? "" : buffer(run.stderr),
  ]);
  const show = () => {
    process.stdout.write(out);
    process.stderr.write(errors);
  };
  return { code, show };
}

const checking = ended(start("npm", ["run", "check"], "inherit"));
// Not checked: the tests that need them fail with the reason.
const installing = ended(start("node", [join(import.meta.dirname, ENGINES)], "inherit"));
buildOnce();
const [checked] = await Promise.all([checking, installing]);
if (checked !== 0) process.exit(checked);

const [code, ...quiet] = await Promise.all([
  ended(startTests(BESIDE, "inherit")),
  ...APART.map(quietly),
]);
for (const { show } of quiet) show();
process.exitCode = code || Math.max(...quiet.map((run) => run.code));

/**
 * `npm test`, after types and lint: every test, as three runs of Vitest side by side.
 *
 * The files of `browser` and of `stores` share one running edge or database, so each of these projects
 * runs a file at a time and mostly waits. In one run of Vitest they would come last and one after the
 * other, with a core idle.
 */
import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { buffer } from "node:stream/consumers";
import { buildOnce } from "./support/built.ts";

const BESIDE = ["unit", "workerd", "e2e", "faults"];
const ONE_AT_A_TIME = ["browser", "stores"];

buildOnce();
const runs: ChildProcess[] = [];
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.on(signal, () => {
    for (const run of runs) run.kill(signal);
  });

function start(projects: string[], stdio: StdioOptions, more: string[] = []): ChildProcess {
  const selected = projects.flatMap((name) => ["--project", name]);
  const shell = process.platform === "win32";
  const run = spawn("vitest", ["run", ...selected, ...more], { shell, stdio });
  runs.push(run);
  return run;
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
  const run = start([project], ["ignore", "pipe", "pipe"], ["--reporter=minimal"]);
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

const [code, ...quiet] = await Promise.all([
  ended(start(BESIDE, "inherit")),
  ...ONE_AT_A_TIME.map(quietly),
]);
for (const { show } of quiet) show();
process.exitCode = code || Math.max(...quiet.map((run) => run.code));
